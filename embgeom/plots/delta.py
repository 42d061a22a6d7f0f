"""Figures of δ-hyperbolicity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embgeom.plots.common import COLOURS, LABELS, legend_above, model_name, new_axes, plain, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.delta.records import HyperbolicityDistribution

__all__ = ["relative_delta_histogram"]


@styled
def relative_delta_histogram(results: Sequence[HyperbolicityDistribution], *, axes: Axes | None = None) -> Axes:
    """Draw the distribution of relative δ over prompts or trials, one histogram per result, the mean as a line.

    Parameters
    ----------
    results : sequence of HyperbolicityDistribution
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    if axes is None:
        axes = new_axes(height=2.1 + 0.13 * len(results))
    values = [np.asarray(result.relative_deltas) for result in results]
    # Common bins, as many as the smallest of the results can fill.
    bins = int(np.clip(2 * np.sqrt(min(map(len, values))), 5, 50))
    edges = np.histogram_bin_edges(np.concatenate(values), bins)
    for number, (result, relative) in enumerate(zip(results, values, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        axes.hist(relative, list(edges), color=colour, alpha=0.5, label=_label(result))
        axes.axvline(result.relative_delta, color=colour, linewidth=1.2)
    level = {result.level for result in results}
    axes.set_xlabel(LABELS["relative_delta"])
    axes.set_ylabel(
        "prompts per bin"
        if level == {"prompts"}
        else "trials per bin"
        if level == {"vocabulary"}
        else "prompts or trials per bin"
    )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes)
    return axes


def _label(result: HyperbolicityDistribution) -> str:
    model = plain(shortened(model_name(result.model))) if result.model else "embeddings"
    what = plain(shortened(result.data or "")) or f"{result.points:g} tokens"
    return f"{model} · {what}: {result.relative_delta:.3f} ± {result.relative_delta_sd:.3f}"
