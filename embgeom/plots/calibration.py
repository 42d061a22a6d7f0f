"""Data and nulls in one plot: the δ-plot of both, and every statistic beside its nulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embgeom.plots.common import (
    DATA_COLOUR,
    LABELS,
    NULL_COLOURS,
    PAGE,
    legend_above,
    model_name,
    new_axes,
    plain,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embgeom.calibration.records import Calibration

__all__ = ["calibration_grid", "delta_plot_with_nulls", "statistic_with_nulls"]

_BINS = 50  # in the figure; the records hold a multiple
_MOST_MARKS = 100  # more of them are an image in an SVG


@styled
def delta_plot_with_nulls(calibration: Calibration, *, axes: Axes | None = None) -> Axes:
    """Draw the density of q over the quadruples of the data, filled, and of each null, as lines.

    Parameters
    ----------
    calibration : Calibration
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    import numpy as np

    if axes is None:
        axes = new_axes(height=2.7)
    edges = np.linspace(0, 1, _BINS + 1).tolist()
    labelled = zip(("data", *calibration.nulls), (calibration.observed.histogram, *calibration.histograms), strict=True)
    for number, (name, histogram) in enumerate(labelled):
        counts = np.asarray(histogram, dtype=np.float64).reshape(_BINS, -1).sum(axis=1)
        density = counts / max(counts.sum(), 1) * _BINS
        if name == "data":
            axes.stairs(density, edges, color=DATA_COLOUR, fill=True, alpha=0.3)
        width = 1.6 if name == "data" else 1.0
        # Every other one dashed: nulls may have the same δ-plot, and both are to be seen.
        dashes = (0, (4, 3)) if number % 2 else "-"
        axes.stairs(density, edges, baseline=None, color=_colour(name), linewidth=width, linestyle=dashes, label=name)
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("q = (S₁ − S₂) / (S₁ − S₃)   (0: fits a tree)")
    axes.set_ylabel("density over quadruples")
    legend_above(axes, columns=3)
    return axes


@styled
def statistic_with_nulls(calibration: Calibration, *, statistic: str = "pooled_q", axes: Axes | None = None) -> Axes:
    """Draw one statistic of the data and of each null: mean, and a bar of ± one standard deviation over the clouds.

    The value of every cloud of the data is a faint mark.

    Parameters
    ----------
    calibration : Calibration
    statistic : str
        One of ``embgeom.treelikeness.STATISTICS``.
    axes : matplotlib Axes, optional
        By default those of a new figure.

    Raises
    ------
    OptionError
        For an unknown statistic.
    """
    from embgeom.errors import choose

    choose("statistic", statistic, [name for name in LABELS if name != "fixed_base"])
    if axes is None:
        axes = new_axes()
    entry = next(entry for entry in calibration.statistics if entry.statistic == statistic)
    values = getattr(calibration.observed, statistic).values
    faint = max(0.03, min(0.5, 10 / len(values)))
    marks = axes.plot(values, [0] * len(values), "|", color=DATA_COLOUR, markersize=5, alpha=faint, zorder=1)
    marks[0].set_rasterized(len(values) > _MOST_MARKS)
    rows = [("data", entry.mean, entry.sd), *((null.null, null.mean, null.sd) for null in entry.nulls)]
    for number, (name, mean, sd) in enumerate(rows):
        axes.errorbar(
            mean,
            number,
            xerr=sd,
            fmt="o",
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            color=_colour(name),
            zorder=3,
        )
    axes.axvline(entry.mean, color=DATA_COLOUR, linewidth=0.6, linestyle="--", zorder=0)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(LABELS[statistic])
    return axes


@styled
def calibration_grid(calibrations: Sequence[Calibration]) -> Figure:
    """Return a figure with a row for each calibration: δ-plot, pooled q, which can tell, and relative δ, which cannot.

    Parameters
    ----------
    calibrations : sequence of Calibration
        One or more.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE, 0.3 + 2.2 * len(calibrations)))
    panels = figure.subplots(len(calibrations), 3, squeeze=False, width_ratios=[1.15, 1, 1])
    for calibration, (left, middle, right) in zip(calibrations, panels, strict=True):
        delta_plot_with_nulls(calibration, axes=left)
        statistic_with_nulls(calibration, statistic="pooled_q", axes=middle)
        statistic_with_nulls(calibration, statistic="relative_delta", axes=right)
        right.tick_params(labelleft=False)  # they are in the middle
        left.set_title(_name(calibration))
        left.get_legend().remove()
    names = {handle.get_label(): handle for axes in panels[:, 0] for handle in axes.get_legend_handles_labels()[0]}
    figure.legend(list(names.values()), list(names), loc="outside upper left", ncols=len(names))
    return figure


def _colour(name: str) -> str:
    return DATA_COLOUR if name == "data" else NULL_COLOURS[name]


def _name(calibration: Calibration) -> str:
    observed = calibration.observed
    model = plain(shortened(model_name(observed.model))) if observed.model else "embeddings"
    unit = f"{observed.n} prompts" if observed.level == "prompts" else f"{observed.n} × {observed.points:.0f} tokens"
    return " · ".join(filter(None, [model, plain(shortened(observed.data or "")), unit]))
