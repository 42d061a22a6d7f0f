"""``python -m hyplora.train``: fine-tune a model with HypLoRA, or with LoRA for comparison."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embgeom import cli
from hyplora.train.flags import with_flags
from hyplora.train.options import default_of, option_fields
from hyplora.train.settings import resolve

if TYPE_CHECKING:
    from hyplora.train.summary import TrainingSummary


def main(
    flags: dict[str, Any],
    preset: Annotated[
        list[str] | None,
        typer.Option(
            help="`math10k` or `commonsense170k`, the paper's settings for its data, with `llama3-8b` or `gemma3-4b`; "
            "or `demo`, the default where no model and no data are named. The later ones win.",
            metavar="NAME ...",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of options; wins over presets, and flags win over it.", metavar="FILE"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training in --output from its last checkpoint.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew where a training is.")] = False,
    quiet: cli.QuietOption = False,
) -> None:
    """Fine-tune a model, and save the adapter.

    Without options: the demo model learns arithmetic in a few minutes. The options of a run are saved beside its
    adapter, in training.yaml.

    Example: python -m hyplora.train --preset math10k llama3-8b --method hyplora --output runs/hyplora

    On several GPUs: torchrun --nproc-per-node 4 -m hyplora.train …, or accelerate launch -m hyplora.train …
    """
    if resume and not preset and config is None:
        from hyplora.train.folder import OutputFolder

        folder = OutputFolder(flags.get("output", default_of(option_fields()["output"][1])))
        folder.check(resume=True, overwrite=overwrite)
        options = resolve(flags, config=folder.config)
    else:
        options = resolve(flags, preset=preset or (), config=config)
    if int(os.environ.get("RANK", "0")) > 0:  # one voice among the processes of a launch
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (until the process ends)
    cli.quieten_libraries()
    from hyplora.train.run import train

    announce = _be_silent if quiet else cli.note
    _print(train(options, resume=resume, overwrite=overwrite, progress=not quiet, announce=announce))


def _be_silent(line: str) -> None:
    """Say nothing now: what the line tells is in the summary."""


def _print(summary: TrainingSummary) -> None:
    try:
        _print_summary(summary)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_summary(summary: TrainingSummary) -> None:
    table = cli.table("method", ">steps", ">train loss", ">validation loss", ">K", ">gain", ">parameters", ">time")
    validation = "–" if summary.validation_loss is None else f"{summary.validation_loss:.4f}"
    minutes, seconds = divmod(round(summary.seconds), 60)
    table.add_row(
        summary.method,
        str(summary.steps),
        f"{summary.train_loss:.4f}",
        validation,
        _range(summary.curvatures),
        _range(summary.gains),
        f"{summary.parameters:,}",
        f"{minutes}:{seconds:02d}",
    )
    notes = [f"{summary.records} records, {summary.validation_records} held out for the validation loss"]
    for count, what in (
        (summary.truncated, "truncated"),
        (summary.cut_off, "left out: the cut-off leaves nothing of their completion"),
        (summary.skipped, "left out: they cannot be used"),
    ):
        notes += [f"{count} {what}"] if count else []
    if summary.curvature is not None:
        measured = "" if summary.relative_delta is None else f", from a relative δ of {summary.relative_delta:.4f}"
        notes.append(f"K: over the layers, {summary.curvature:.4g} at the start{measured}")
        notes.append("gain: what HypLoRA multiplies LoRA's output by, mean over tokens")
    notes += summary.contamination
    if summary.resumed_from is not None:
        notes.append(f"time: since it was resumed at step {summary.resumed_from}")
    cli.print_table(table, title=f"{summary.model} fine-tuned on {summary.data}", caption="\n".join(notes))
    typer.echo(f"The adapter is in {summary.output}. To evaluate it:\n")
    typer.echo(f"    python -m hyplora.evaluate --adapter {summary.output}{_task(summary)}")


def _task(summary: TrainingSummary) -> str:
    return {"arithmetic": "", "commonsense170k": " --tasks boolq"}.get(summary.data, " --tasks gsm8k")


def _range(values: dict[str, float]) -> str:
    return f"{min(values.values()):.3g} – {max(values.values()):.3g}" if values else "–"


if __name__ == "__main__":
    cli.run(with_flags(main))
