"""The figures of a report, drawn one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embgeom.report.records import Cell, Sweep
from embgeom.report.table import rows_of

if TYPE_CHECKING:
    from embgeom.spaces.ruler import SpaceMeasure

__all__ = ["Figure", "figures_of"]


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Attributes
    ----------
    name : str
        Of the file in ``figures/``, without ``.svg``.
    kind : {"ruler", "overview", "nulls", "layers"}
    title : str
        What it shows, in words.
    svg : bytes
    narrow : bytes, optional
        The same for a narrow page, where ``svg`` is too wide for one.
    """

    name: str
    kind: str
    title: str
    svg: bytes
    narrow: bytes | None = None


def figures_of(sweep: Sweep, spaces: Sequence[SpaceMeasure]) -> Iterator[Figure]:
    """Draw the ruler, the overview, the δ-plot of every cell with its nulls, and statistics against depth."""
    from embgeom.plots import delta_plot_with_nulls, layer_grid, space_ruler, sweep_overview
    from embgeom.plots.common import figure_svg

    yield Figure("ruler", "ruler", "Relative δ and mean q of reference spaces", figure_svg(space_ruler(spaces)))
    rows = [row for row in rows_of(sweep) if row.error is None and row.asked != "all"]
    if rows:
        beside = any(entry.nulls for row in rows for entry in row.statistics)
        title = "Relative δ and pooled q of every model and data set" + (", beside their nulls" if beside else "")
        wide, narrow = (figure_svg(sweep_overview(rows, narrow=narrow)) for narrow in (False, True))
        yield Figure("overview", "overview", title, wide, narrow)
    taken: set[str] = set()
    for cell in sweep.cells:
        if cell.result is None:
            continue
        title = f"{cell.model} · {cell.data} · {cell.layer}"
        if cell.result.calibration is not None:
            drawn = delta_plot_with_nulls(cell.result.calibration)
            yield Figure(_name(cell, taken), "nulls", f"δ-plot: {title}", figure_svg(drawn))
        elif cell.layer == "all" and cell.result.profile is not None:
            wide, narrow = (figure_svg(layer_grid([cell.result.profile], narrow=narrow)) for narrow in (False, True))
            yield Figure(_name(cell, taken), "layers", f"Statistics against depth: {title}", wide, narrow)


def _name(cell: Cell, taken: set[str]) -> str:
    """Return a name for a file that no other figure has."""
    base = re.sub(r"[^A-Za-z0-9.]+", "-", f"{cell.model[-40:]}-{cell.data[-40:]}-{cell.layer}").strip("-.") or "cell"
    name, number = base, 1
    while name.lower() in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name.lower())
    return name
