"""``python -m hyplora.evaluate``: the accuracy of a model, with or without an adapter, on the tasks of the paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embgeom import cli

if TYPE_CHECKING:
    from hyplora.contamination import Contamination
    from hyplora.evaluate.models import Loaded
    from hyplora.evaluate.run import Settings
    from hyplora.evaluate.scores import TaskScore
    from hyplora.evaluate.tasks import Task


def main(
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Hub id, local folder, or `demo`. Default: the adapter's base, else `demo`."
        ),
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Folder or Hub id of an adapter.", metavar="DIR")] = None,
    tasks: Annotated[
        list[str],
        typer.Option(
            "--tasks",
            "-t",
            help="Several of: gsm8k aqua svamp mawps boolq piqa social_i_qa hellaswag winogrande arc_easy "
            "arc_challenge openbookqa, and the built-in `arithmetic`.",
        ),
    ] = ["arithmetic"],  # noqa: B006  (typer copies it)
    data_root: cli.DataRootOption = None,
    scoring: Annotated[
        str,
        typer.Option(
            help="`generate`: by the answer that the model writes. `likelihood`: by the likeliest of the answers that "
            "a multiple-choice question has (sum over its tokens)."
        ),
    ] = "generate",
    template: Annotated[
        str,
        typer.Option(
            help="Of prompts: `auto`, the model's chat template, else `plain` (Question: … Answer:); or `alpaca`, the "
            "wording of the paper's code for Llama 3."
        ),
    ] = "auto",
    beams: Annotated[int, typer.Option(help="1 is greedy search; the paper's code has 4.", metavar="N")] = 1,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Of an answer. Default: by task, 512, 32 or 16.", metavar="N")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Questions at a time. Default: what should fit into memory.", metavar="N")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="The first N questions of each task only.", metavar="N")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the predictions, DIR/TASK.jsonl.", metavar="DIR")
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--overwrite", help="Go on with the predictions in --output, or start anew in their place."
        ),
    ] = None,
    training_data: Annotated[
        str | None,
        typer.Option(
            help="Compare the questions with this file or data set, which the model was trained on, or `none`. "
            "Default: what the adapter was trained on, if that is here."
        ),
    ] = None,
    exclude_contaminated: Annotated[
        bool, typer.Option("--exclude-contaminated", help="Ask only questions that are not in the training data.")
    ] = False,
    dtype: Annotated[str, typer.Option(help="`auto` (float32 on a CPU), `float32`, `bfloat16` or `float16`.")] = "auto",
    device: cli.DeviceOption = None,
    seed: Annotated[int, typer.Option(help="Of the problems of `arithmetic`.")] = 0,
    json: cli.JsonOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Ask a model the questions of test sets, and print its accuracy with a 95 % interval.

    Example: python -m hyplora.evaluate --adapter runs/hyplora --tasks gsm8k aqua --data-root dataset --output scores
    """
    from hyplora.evaluate.run import Settings

    settings = Settings(scoring, template, beams, max_new_tokens, batch_size)
    _check_early(settings, dtype, device, output, resume, json)
    cli.quieten_libraries()
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    from embgeom.errors import OptionError
    from hyplora.evaluate.contamination import compare_with_training
    from hyplora.evaluate.models import load_model
    from hyplora.evaluate.report import print_evaluation
    from hyplora.evaluate.scores import Evaluation
    from hyplora.evaluate.tasks import load_task

    loaded_tasks = [cli.attempt(load_task, name, data_root=data_root, limit=limit, seed=seed) for name in tasks]
    found = list({task.name: task for task in loaded_tasks if task is not None}.values())
    complete = None not in loaded_tasks
    if not found:
        raise typer.Exit(1)
    compared, checks, remarks = compare_with_training(found, training_data, adapter=adapter, data_root=data_root)
    if exclude_contaminated and compared is None:
        raise OptionError("; ".join(["--exclude-contaminated needs --training-data, to compare with", *remarks]))
    loaded = load_model(model, adapter, dtype=dtype, device=device)
    scores: list[TaskScore] = []
    try:
        for task in found:
            score = cli.attempt(
                _score,
                loaded,
                task,
                settings,
                checks.get(task.name),
                exclude_contaminated,
                output,
                resume,
                quiet,
            )
            complete &= score is not None
            scores += [score] if score is not None else []
    finally:  # on Ctrl-C too: tasks that are finished are reported, predictions that were made are in their file
        if scores:
            evaluation = Evaluation.of(
                scores,
                model=loaded.name,
                adapter=adapter,
                scoring=scoring,
                training_data=compared,
                seed=seed,
                remarks=remarks,
            )
            complete &= json is None or cli.attempt(cli.write_json, json, [evaluation]) is not None
            print_evaluation(evaluation)
    if not complete:
        raise typer.Exit(1)


def _check_early(
    settings: Settings,
    dtype: str,
    device: str | None,
    output: Path | None,
    resume: bool | None,
    json: Path | None,
) -> None:
    """Refuse before anything is loaded what would be refused after."""
    from embgeom.device import pick_device
    from embgeom.errors import OptionError, choose
    from hyplora.evaluate.models import DTYPES

    settings.check()
    choose("dtype", dtype, DTYPES)
    cli.check_writable(json)
    if resume is not None and output is None:
        raise OptionError(f"{'--resume' if resume else '--overwrite'} needs --output, the folder of the predictions")
    if output is not None and output.exists() and not output.is_dir():
        raise OptionError(f"cannot write predictions to {output}: it is no folder")
    pick_device(device)


def _score(
    loaded: Loaded,
    task: Task,
    settings: Settings,
    contamination: Contamination | None,
    exclude_contaminated: bool,
    output: Path | None,
    resume: bool | None,
    quiet: bool,
) -> TaskScore:
    from embgeom.progress import progress_bar
    from hyplora.evaluate.predictions import PredictionFile
    from hyplora.evaluate.run import evaluate_task
    from hyplora.evaluate.scores import score_task

    of = settings.of(task, loaded)
    file = None if output is None else PredictionFile(output, task.name, of, resume=resume)
    only = contamination.clean if contamination is not None and exclude_contaminated else None
    total = len(task.questions) if only is None else len(only)
    with progress_bar(total, task.name, show=not quiet) as bar:
        predictions = evaluate_task(
            loaded,
            task,
            settings,
            only=only,
            file=file,
            announce=_announce,
            on_done=bar.update,
        )
    return score_task(task.name, task.source, predictions, contamination=contamination, settings=of)


def _announce(line: str) -> None:
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stderr):  # not into the bar
        cli.note(line)


if __name__ == "__main__":
    cli.run(main)
