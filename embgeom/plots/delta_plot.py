"""The δ-plot of Holland, Huber, Dress and Moulton (2002): how q is distributed over the quadruples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embgeom.plots.common import COLOURS, legend_above, model_name, new_axes, plain, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.treelikeness.records import TreeLikeness, TreeLikenessDistribution

__all__ = ["q_histogram"]

_BINS = 50  # in the figure; the records hold a multiple


@styled
def q_histogram(
    results: Sequence[TreeLikeness | TreeLikenessDistribution],
    *,
    labels: Sequence[str] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Draw the density of q over the quadruples of one or several results, with their mean q as a dashed line.

    Mass on the left is what fits a tree. Independent sums (noise in many dimensions) make it nearly flat.

    Parameters
    ----------
    results : sequence of TreeLikeness or TreeLikenessDistribution
    labels : sequence of str, optional
        What to call each; by default its model and data, or its number of points.
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    import numpy as np

    if axes is None:
        axes = new_axes(height=2.1 + 0.13 * len(results))
    edges = np.linspace(0, 1, _BINS + 1).tolist()
    for number, result in enumerate(results):
        counts = np.asarray(result.histogram, dtype=np.float64)
        counts = counts.reshape(_BINS, -1).sum(axis=1)
        density = counts / max(counts.sum(), 1) * _BINS
        colour, mean = COLOURS[number % len(COLOURS)], _mean(result)
        label = f"{labels[number] if labels else _name(result)}: mean q {mean:.3f}"
        axes.stairs(density, edges, baseline=None, color=colour, linewidth=1.2, label=label)
        if len(results) == 1:
            axes.stairs(density, edges, color=colour, fill=True, alpha=0.25)
        axes.axvline(mean, color=colour, linewidth=0.8, linestyle="--")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("q = (S₁ − S₂) / (S₁ − S₃)   (0: fits a tree)")
    axes.set_ylabel("density over quadruples")
    legend_above(axes)
    return axes


def _mean(result: TreeLikeness | TreeLikenessDistribution) -> float:
    found: Any = result.mean_q
    return float(found.mean if hasattr(found, "mean") else found.value)


def _name(result: Any) -> str:
    if not hasattr(result, "level"):
        return f"{result.points} points"
    model = plain(shortened(model_name(result.model))) if result.model else "embeddings"
    return f"{model} · {plain(shortened(result.data or f'{result.points:g} tokens'))}"
