"""``--figure`` of the commands that can also draw a page whose points say what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["FigureOption", "check_figure", "is_page"]

_PAGE = ".html"

FigureOption = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        help="Draw the results to this .png, .svg or .pdf; to an .html, in which a point shows its token.",
        metavar="FILE",
    ),
]


def check_figure(path: Path | None) -> None:
    """Raise :class:`~embgeom.errors.OptionError` where nothing can be drawn, before the work that would fill it."""
    if path is not None:
        from embgeom.plots import check_figure_path

        check_figure_path(path, _PAGE)


def is_page(path: Path) -> bool:
    """Return whether the name asks for a page."""
    return path.suffix.lower() == _PAGE
