"""Several statistics against depth, in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embgeom.plots.layers import statistics_by_depth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from embgeom.layers.records import LayerProfile

__all__ = ["layer_grid"]

_SHOWN = ("pooled_q", "relative_delta", "star_residual")


def layer_grid(profiles: Sequence[LayerProfile]) -> Figure:
    """Return a figure with a row for each profile: pooled q, relative δ and the star's residual against the layer.

    Parameters
    ----------
    profiles : sequence of LayerProfile
        One or more.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 4.4 * len(profiles)), layout="constrained")
    panels = figure.subplots(len(profiles), len(_SHOWN), squeeze=False)
    for profile, row in zip(profiles, panels, strict=True):
        for axes, statistic in zip(row, _SHOWN, strict=True):
            axes.spines[["top", "right"]].set_visible(False)
            statistics_by_depth(profile, statistic=statistic, axes=axes)
    for axes in panels[:, 1:].flat:  # one legend a row
        axes.get_legend().remove()
    return figure
