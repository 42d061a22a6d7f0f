"""The figure of a sweep: two statistics of every model and corpus, beside their nulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embgeom.plots.common import COLOURS, COLUMN, LABELS, PAGE, plain, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embgeom.report.table import Row

__all__ = ["sweep_overview"]

_PANELS = ("relative_delta", "pooled_q")
_MARKS = "os^Dv<>pPX"
_SHORT = 20  # of names in a column


@styled
def sweep_overview(rows: Sequence[Row], *, narrow: bool = False) -> Figure:
    """Return a figure of relative δ, which cannot tell a tree from noise, and of pooled q, which can.

    A line per model, corpus and layer: mean and ± one standard deviation over the prompts, in the colour of the model;
    the grey ticks are the means of the nulls, and the grey bar their range.

    Parameters
    ----------
    rows : sequence of Row
        Of :func:`embgeom.report.rows_of`; those that failed are left out. One row or more must be left.
    narrow : bool
        Whether the panels stand below each other, in a figure as wide as a column.
    """
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.error is None]
    models = list(dict.fromkeys(row.model for row in shown))
    if narrow:
        figure = Figure(figsize=(COLUMN, 1.3 + 0.15 * len(models) + 0.38 * len(shown) + 0.3))
        panels = figure.subplots(2, 1, sharey=True)
    else:
        figure = Figure(figsize=(PAGE, 1.0 + 0.19 * len(shown)))
        panels = figure.subplots(1, 2, sharey=True)
    for axes, statistic in zip(panels, _PANELS, strict=True):
        _draw(axes, shown, models, statistic)
        axes.set_xlabel(LABELS[statistic])
    several = len({row.layer for row in shown}) > 1
    names = [" · ".join([row.data, *([row.layer] if several else [])]) for row in shown]
    panels[0].set_yticks(range(len(shown)), [plain(shortened(name, *([_SHORT] if narrow else []))) for name in names])
    panels[0].set_ylim(len(shown) - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=1 if narrow else 3)
    return figure


def _draw(axes: Axes, rows: Sequence[Row], models: Sequence[str], statistic: str) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="both")
    named: set[str] = set()
    for place, row in enumerate(rows):
        entry = row.of(statistic)
        if entry is None:
            continue
        if entry.nulls:
            means = [null.mean for null in entry.nulls]
            label = "range of the nulls" if "nulls" not in named else None
            axes.plot([min(means), max(means)], [place] * 2, color="0.75", linewidth=5, alpha=0.6, label=label)
            axes.plot(means, [place] * len(means), "|", color="0.35", markersize=5)
            named.add("nulls")
        number = models.index(row.model)
        axes.errorbar(
            entry.mean,
            place,
            xerr=entry.sd,
            fmt=_MARKS[number % len(_MARKS)],
            color=COLOURS[number % len(COLOURS)],
            label=plain(shortened(row.model)) if row.model not in named else None,
            zorder=3,
        )
        named.add(row.model)
    axes.set_xlim(left=0)
