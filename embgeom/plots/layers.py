"""Figures of statistics against depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embgeom.errors import choose
from embgeom.plots.common import (
    DATA_COLOUR,
    LABELS,
    NULL_COLOURS,
    legend_above,
    model_name,
    new_axes,
    plain,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.layers.records import LayerProfile

__all__ = ["profile_name", "statistics_by_depth"]

_INTERVAL = 1.96


@styled
def statistics_by_depth(profile: LayerProfile, *, statistic: str = "mean_q", axes: Axes | None = None) -> Axes:
    """Draw a statistic against the layer, beside its nulls.

    Lines are means over the prompts. Of the data, the dark band is the 95 % interval of the mean (normal
    approximation) and the light one, as those of the nulls, ± one standard deviation over the prompts. An open marker
    at the last layer says that it comes after the final norm, and does not compare with the others.

    Parameters
    ----------
    profile : LayerProfile
    statistic : str
        One of :data:`embgeom.layers.LAYER_STATISTICS`.
    axes : matplotlib Axes, optional
        By default those of a new figure.

    Raises
    ------
    OptionError
        For an unknown statistic.
    """
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    choose("statistic", statistic, LABELS)
    if axes is None:
        axes = new_axes(height=2.9)
    layers = sorted(profile.layers)
    found = [profile.at(layer, statistic) for layer in layers]
    x = np.array(layers)
    mean = np.array([entry.spread.mean for entry in found])
    sd = np.array([entry.spread.sd for entry in found])
    error = _INTERVAL * sd / np.sqrt([len(entry.spread.values) for entry in found])
    colour = DATA_COLOUR
    axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
    axes.fill_between(x, mean - error, mean + error, color=colour, alpha=0.35, linewidth=0)
    axes.plot(x, mean, "o-", color=colour, label="prompts", zorder=3)
    if profile.last_is_normed and layers[-1] == profile.depth:
        axes.plot(x[-1:], mean[-1:], "o", color=colour, markerfacecolor="white", zorder=4)
        axes.plot([], [], "o", color=colour, markerfacecolor="white", label="after the final norm")
    for number, null in enumerate(profile.nulls):
        own = NULL_COLOURS[null]
        bands = [entry.nulls[number] for entry in found]
        null_mean, null_sd = np.array([band.mean for band in bands]), np.array([band.sd for band in bands])
        axes.fill_between(x, null_mean - null_sd, null_mean + null_sd, color=own, alpha=0.15, linewidth=0)
        axes.plot(x, null_mean, "--", marker="s", markersize=2.5, linewidth=1.0, color=own, label=f"null: {null}")
    axes.set_xlabel("layer (0: what enters the first block)")
    axes.set_ylabel(LABELS[statistic])
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]) if statistic in ("relative_delta", "fixed_base") else None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(layers) == 1:  # where bands have no width
        axes.vlines(x, mean - sd, mean + sd, color=colour, alpha=0.3, linewidth=4)
        axes.set_xlim(layers[0] - 1, layers[0] + 1)
    legend_above(axes, columns=2, title=profile_name(profile))
    return axes


def profile_name(profile: LayerProfile) -> str:
    """Return what was measured: model, data, number of prompts."""
    named = plain(shortened(model_name(profile.model))), plain(shortened(profile.data or "texts"))
    return f"{' · '.join(named)} · {profile.n} prompts"
