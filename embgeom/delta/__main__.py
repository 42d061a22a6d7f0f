"""``python -m embgeom.delta``: δ-hyperbolicity of a model's token embeddings, and whether it says more than noise."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embgeom import cli

if TYPE_CHECKING:
    from embgeom.commands.delta_measuring import Cell
    from embgeom.layers.records import LayerProfile


def main(
    model: cli.ModelOption = ["demo"],  # noqa: B006  (typer copies it)
    data: cli.DataOption = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="`exact`: all quadruples. `bounds`: δ from below and above. `auto`: exact up to some "
            "2000 points, else bounds. `base`: one base point, δ_p ≤ δ ≤ 2δ_p. `sample`: quadruples at random. "
            "Default: `base` with --data (the paper's figure), `auto` without."
        ),
    ] = None,
    base: Annotated[str, typer.Option(help="Base point of `base`: `first`, `medoid`, `all`, or an index.")] = "first",
    metric: Annotated[str, typer.Option(help="`euclidean`, `angular` or `cosine`.")] = "euclidean",
    points: Annotated[int, typer.Option(help="Tokens per trial, without --data.", metavar="N")] = 500,
    trials: Annotated[int, typer.Option(help="Random subsets of the vocabulary, without --data.", metavar="N")] = 10,
    quadruples: Annotated[int, typer.Option(help="Per prompt or trial, with `sample`.", metavar="N")] = 100_000,
    null: Annotated[
        list[str] | None,
        typer.Option(
            help="Set every statistic beside null clouds: `gaussian`, `directions`, `permute`, `vocabulary`, "
            "`spectrum`, or `all`; several may be given.",
            metavar="NAME",
        ),
    ] = None,
    null_draws: Annotated[
        int | None,
        typer.Option(help="Null clouds per prompt or trial, and null; default 19, for layers 3.", metavar="R"),
    ] = None,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="q takes a token that a prompt repeats for a point each time.")
    ] = False,
    layer: Annotated[
        str,
        typer.Option(
            help="`input` or `output` embeddings, `hidden:K` (0: what enters the first block), or `all` hidden layers.",
        ),
    ] = "input",
    as_seen: Annotated[
        bool, typer.Option("--as-seen", help="Input embeddings times what the model scales them by (Gemma: √d).")
    ] = False,
    revision: cli.RevisionOption = None,
    field: cli.FieldOption = None,
    data_root: cli.DataRootOption = None,
    limit: cli.LimitOption = None,
    device: cli.DeviceOption = None,
    seed: cli.SeedOption = 0,
    json: cli.JsonOption = None,
    figure: cli.FigureOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Measure Gromov's δ of token embeddings, relative to the diameter: 2δ/diameter, 0 for a tree.

    With --data: per prompt, base point the first token, mean ± standard deviation over the prompts. Without: over
    random subsets of the vocabulary. Noise in many dimensions has a low δ as well: --null all tells.

    Example: python -m embgeom.delta --model meta-llama/Meta-Llama-3-8B --data gsm8k --null all --json delta.json
    """
    asked: dict[str, Any] = {
        "models": model,
        "data": data,
        "method": method,
        "base": base,
        "metric": metric,
        "points": points,
        "trials": trials,
        "quadruples": quadruples,
        "null": null,
        "null_draws": null_draws,
        "repeats": repeats,
        "layer": layer,
        "as_seen": as_seen,
        "revision": revision,
        "texts": {"field": field, "limit": limit, "data_root": data_root},
        "device": device,
        "seed": seed,
        "progress": not quiet,
    }
    cli.check_writable(json, figure)
    if figure is not None:
        from embgeom.plots import check_figure_path

        check_figure_path(figure)
    from embgeom.commands.delta_measuring import check, measure

    check(asked)
    cli.quieten_libraries()
    asked["first_rank"] = cli.join_ranks() == 0
    if not asked["first_rank"]:
        json = figure = None
        asked["progress"] = False
    results: list[Cell] | list[LayerProfile] = []
    complete = False
    try:
        complete = measure(results, asked)
    finally:  # on Ctrl-C too: what is computed is kept
        complete &= not results or _report(results, json, figure)
    if not complete and asked["first_rank"]:  # torchrun ends all when one fails, and rank 0 may be at work still
        raise typer.Exit(1)


def _report(results: Any, json: Path | None, figure: Path | None) -> bool:
    """Write the files, then print; return whether all could be written."""
    from embgeom.commands.delta_tables import print_results

    complete = json is None or cli.attempt(cli.write_json, json, results) is not None
    if figure is not None:
        from embgeom.commands.delta_figure import draw
        from embgeom.plots import save_figure

        complete &= cli.attempt(save_figure, draw(results), figure) is not None
    try:
        print_results(results)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return complete


if __name__ == "__main__":
    cli.run(main)
