"""``python -m hyplora.compare``: methods of adaptation side by side, with a paired test over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embgeom import cli
from hyplora.compare.options import MOST_SEEDS, CompareOptions

_DEFAULT = CompareOptions()
_CURVATURES = [str(K) for K in _DEFAULT.curvatures]
_LEARNING_RATES = [str(rate) for rate in _DEFAULT.learning_rates]


def main(
    model: Annotated[str, typer.Option("--model", "-m", help="Hub id, local folder, or `demo`.")] = _DEFAULT.model,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            help="Texts to learn: a file, a data set of the paper, a Hub id; or the built-in `arithmetic`.",
        ),
    ] = _DEFAULT.data,
    held_out: Annotated[
        str | None,
        typer.Option(
            help="Texts to tune (a third) and compare on, less those in --data; default: a fifth of --data.",
            metavar="DATA",
        ),
    ] = None,
    data_root: cli.DataRootOption = None,
    method: Annotated[
        list[str],
        typer.Option(
            help="Of `lora`, `rslora`, `dora`, `hyplora`, `hyplora-simplified`, `hyplora-time`; the others are "
            "compared with the first. They must train as many parameters.",
            metavar="NAME ...",
        ),
    ] = list(_DEFAULT.methods),  # noqa: B006  (typer copies it)
    curvature: Annotated[
        list[str], typer.Option(help="K at the start, each with every form of HypLoRA.", metavar="NUMBER|auto ...")
    ] = _CURVATURES,
    seeds: Annotated[
        int, typer.Option(help=f"How many, from 2 to {MOST_SEEDS}; they are 1, 2, …, and 0 tunes.", metavar="N")
    ] = _DEFAULT.seeds,
    learning_rates: Annotated[
        list[str], typer.Option(help="Tried by every contender.", metavar="NUMBER ...")
    ] = _LEARNING_RATES,
    alphas: Annotated[
        list[str] | None,
        typer.Option(
            help="Tried by every contender, with every learning rate. Default: 2r, and √d times that, d being the "
            "width of the model, because HypLoRA is about √d weaker at the same alpha.",
            metavar="NUMBER ...",
        ),
    ] = None,
    steps: Annotated[str, typer.Option(help="Of every training.", metavar="N")] = str(_DEFAULT.steps),
    batch: Annotated[str, typer.Option(help="Records per step.", metavar="N")] = str(_DEFAULT.batch),
    rank: Annotated[str, typer.Option(help="r of every adapter.", metavar="N")] = str(_DEFAULT.rank),
    targets: Annotated[
        list[str], typer.Option(help="Names of linear layers, or `all-linear`.", metavar="NAME ...")
    ] = list(_DEFAULT.targets),  # noqa: B006
    cutoff: Annotated[str, typer.Option(help="Tokens of a text, of the model's context at most.", metavar="N")] = str(
        _DEFAULT.cutoff
    ),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the cells; made if there is none.", metavar="DIR")
    ] = Path("out/compare"),
    json: cli.JsonOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Compare methods on the same data, steps and trained parameters, each at its best setting of the same lists.

    Every contender is tuned (learning rate and alpha) on one part of the held-out records and compared on the other,
    over seeds that are pairs. Each training is kept in DIR/cells: a comparison that was stopped goes on where it was.

    Example: python -m hyplora.compare --model M --data train.jsonl --method lora hyplora --curvature 0.5 auto
    """
    # the options turn texts into numbers
    options = CompareOptions(
        model=model,
        data=data,
        held_out=held_out,
        data_root=None if data_root is None else str(data_root),
        methods=tuple(method),
        curvatures=tuple(curvature),
        seeds=seeds,
        learning_rates=tuple(learning_rates),  # type: ignore[arg-type]
        alphas=None if not alphas else tuple(alphas),  # type: ignore[arg-type]
        steps=steps,  # type: ignore[arg-type]
        batch=batch,  # type: ignore[arg-type]
        rank=rank,  # type: ignore[arg-type]
        targets=tuple(targets),
        cutoff=cutoff,  # type: ignore[arg-type]
    )
    cli.check_writable(json)
    cli.quieten_libraries()
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    from hyplora.compare.report import print_comparison
    from hyplora.compare.running import compare

    def tell(stored: int, computed: int) -> None:
        if stored and not quiet:
            cli.note(f"{stored} of {stored + computed} cells were in {output / 'cells'}")

    comparison = compare(options, output=output, progress=not quiet, on_cells=tell)
    complete = json is None or cli.attempt(cli.write_json, json, [comparison]) is not None
    print_comparison(comparison)
    for failed in comparison.failures:
        cli.complain(f"{failed.name}: {failed.error}")
    if comparison.failures or not complete:
        raise typer.Exit(1)


if __name__ == "__main__":
    cli.run(main)
