"""``python -m embgeom.report``: a sweep over models, corpora and layers; a table, figures and a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embgeom import cli

if TYPE_CHECKING:
    from embgeom.report.records import Sweep


def main(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the report; made if there is none.", metavar="DIR")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Hub id, local folder, or `demo` (default); several may be given."),
    ] = None,
    data: cli.DataOption = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            help="`input` (default) or `output` embeddings, `hidden:K`, or `all` hidden layers; several may be given.",
        ),
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(
            "--sweep",
            help="YAML file with any of the keys models, data, layers, null, null-draws, limit, field, data-root, "
            "seed; options given here win.",
            metavar="FILE",
        ),
    ] = None,
    null: Annotated[
        list[str] | None,
        typer.Option(
            help="Null clouds to set the statistics beside: `gaussian`, `directions`, `permute`, `vocabulary`, "
            "`spectrum`, `all` (default) or `none`; several may be given.",
            metavar="NAME",
        ),
    ] = None,
    null_draws: Annotated[
        int | None, typer.Option(help="Null clouds per prompt and null; default 19, for hidden layers 3.", metavar="R")
    ] = None,
    limit: cli.LimitOption = None,
    field: cli.FieldOption = None,
    data_root: cli.DataRootOption = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn at random; default 0.")] = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Measure every model on every data set at every layer, and write DIR/index.html, table.csv, table.json, figures/.

    Each cell is kept in DIR/cells as soon as it is measured: a sweep that was stopped goes on where it was. Several
    processes share the cells: `torchrun --nproc-per-node 8 -m embgeom.report …` or `accelerate launch --num_processes 8
    -m embgeom.report …` (on CPU with `--cpu`).

    Example: python -m embgeom.report --model demo org/model --data gsm8k boolq --output out
    """
    from embgeom.report.options import SweepOptions, read_sweep

    asked: dict[str, Any] = {} if sweep is None else read_sweep(sweep)
    given = {
        "models": model and tuple(model),
        "data": data and tuple(data),
        "layers": layer and tuple(layer),
        "null": null and tuple(null),
        "null_draws": null_draws,
        "limit": limit,
        "field": field,
        "data_root": None if data_root is None else str(data_root),
        "seed": seed,
    }
    asked |= {name: value for name, value in given.items() if value is not None}
    SweepOptions(**asked)  # before torch and its processes start
    cli.quieten_libraries()
    first = cli.join_ranks() == 0
    from embgeom.report.running import sweep as run_sweep

    result = run_sweep(output=output, progress=not quiet and first, **asked)
    if first:
        from embgeom.report.writing import write_report

        write_report(result, output, progress=not quiet)
        _print(result, output)
    if result.failures and first:  # torchrun ends all when one fails, and the first may be writing still
        raise typer.Exit(1)


def _print(result: Sweep, output: Path) -> None:
    """Print the table of what was measured, and say what was not."""
    from rich.markup import escape

    from embgeom.report.records import REPORTED
    from embgeom.report.table import rows_of
    from embgeom.report.words import NAMES

    rows = [row for row in rows_of(result) if row.error is None]
    if rows:
        table = cli.table("model", "data", "layer", ">prompts", *(f">{NAMES[name]}" for name in REPORTED))
        for row in rows:
            values = [f"{entry.mean:.4f} ± {entry.sd:.4f}" for entry in row.statistics]
            place = [escape(name) for name in (row.model, row.data, row.layer)]
            table.add_row(*place, str(row.statistics[0].prompts), *values)
        cli.print_table(table, title=f"Report in {output}", caption="mean ± population standard deviation over prompts")
    for names, reason in result.reasons():
        cli.complain(f"{names}: {reason}")


if __name__ == "__main__":
    cli.run(main)
