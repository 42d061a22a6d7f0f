"""The files of a report: table, figures, page."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from embgeom.errors import InputError
from embgeom.report.records import Sweep
from embgeom.report.table import csv_of, json_of, rows_of
from embgeom.results import write_bytes, write_text

__all__ = ["write_report"]


def write_report(sweep: Sweep, output: str | PathLike[str], *, progress: bool = False) -> None:
    """Write ``table.csv``, ``table.json``, ``figures/*.svg`` and ``index.html``, each file whole or not at all.

    The same sweep gives the same bytes. Nothing is deleted: figures of cells that are no longer part of it stay.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    from embgeom.report.figures import figures_of
    from embgeom.report.page import page_of
    from embgeom.report.ruler import ruler

    folder = Path(output)
    rows = rows_of(sweep)
    write_text(folder / "table.csv", csv_of(rows))
    write_text(folder / "table.json", json_of(rows))
    spaces = ruler(folder / "cells", seed=sweep.seed, progress=progress)
    figures = tuple(figures_of(sweep, spaces))
    try:
        (folder / "figures").mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder / 'figures'}: {error.strerror or error}") from None
    for figure in figures:
        write_bytes(folder / "figures" / f"{figure.name}.svg", figure.svg)
    write_text(folder / "index.html", page_of(sweep, rows, spaces, figures))
