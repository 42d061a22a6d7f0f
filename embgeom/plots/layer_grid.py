"""Several statistics against depth, in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embgeom.plots.common import COLUMN, PAGE, styled
from embgeom.plots.layers import profile_name, statistics_by_depth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from embgeom.layers.records import LayerProfile

__all__ = ["layer_grid"]

_SHOWN = ("pooled_q", "relative_delta", "star_residual")


@styled
def layer_grid(profiles: Sequence[LayerProfile], *, narrow: bool = False) -> Figure:
    """Return a figure with a row for each profile: pooled q, relative δ and the star's residual against the layer.

    Parameters
    ----------
    profiles : sequence of LayerProfile
        One or more.
    narrow : bool
        Whether the panels of a profile stand below each other, in a figure as wide as a column.
    """
    from matplotlib.figure import Figure

    if narrow:
        figure = Figure(figsize=(COLUMN, 0.6 + 1.9 * len(profiles) * len(_SHOWN)))
        panels = figure.subplots(len(profiles) * len(_SHOWN), 1).reshape(-1, len(_SHOWN))
    else:
        figure = Figure(figsize=(PAGE, 0.4 + 2.4 * len(profiles)))
        panels = figure.subplots(len(profiles), len(_SHOWN), squeeze=False)
    for profile, row in zip(profiles, panels, strict=True):
        for axes, statistic in zip(row, _SHOWN, strict=True):
            statistics_by_depth(profile, statistic=statistic, axes=axes)
            axes.get_legend().remove()
            axes.set_xlabel("layer")
        row[0].set_title(profile_name(profile))
    names = {handle.get_label(): handle for axes in panels[:, 0] for handle in axes.get_legend_handles_labels()[0]}
    figure.legend(list(names.values()), list(names), loc="outside upper left", ncols=2 if narrow else len(names))
    return figure
