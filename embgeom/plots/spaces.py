"""The ruler: relative δ and q of reference spaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embgeom.plots.common import COLOURS, LABELS, legend_above, new_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.spaces.ruler import SpaceMeasure

__all__ = ["space_ruler"]


@styled
def space_ruler(results: Sequence[SpaceMeasure], *, axes: Axes | None = None) -> Axes:
    """Draw relative δ and mean q of each space on one scale from 0 to 1: every draw, and their mean.

    Parameters
    ----------
    results : sequence of SpaceMeasure
        Drawn from top to bottom.
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    import numpy as np

    if axes is None:
        axes = new_axes(height=0.7 + 0.18 * len(results))
    rows = np.arange(len(results))
    marks = (
        (LABELS["relative_delta"], "relative_delta", "o", COLOURS[1], -0.13),
        ("mean q", "mean_q", "D", COLOURS[0], 0.13),
    )
    for label, name, marker, colour, shift in marks:
        spreads = [getattr(result, name) for result in results]
        for row, spread in zip(rows + shift, spreads, strict=True):
            axes.plot(
                spread.values,
                np.full(len(spread.values), row),
                "o",
                color=colour,
                alpha=0.25,
                markersize=2,
                markeredgewidth=0,
            )
        means = [spread.mean for spread in spreads]
        axes.plot(means, rows + shift, marker, color=colour, label=label)
    axes.set_yticks(rows, [result.space for result in results])
    axes.invert_yaxis()
    axes.set_xlim(-0.025, 1.025)
    axes.grid(axis="both")
    axes.tick_params(axis="y", length=0)
    draws, points = results[0].draws, results[0].points
    axes.set_xlabel("ratio (0: a tree)")
    legend_above(axes, title=f"{points} points; means of {draws} draws")
    return axes
