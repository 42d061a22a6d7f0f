"""Figures of token frequency against embedding norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embgeom.errors import OptionError
from embgeom.plots.common import COLOURS, PAGE, legend_above, model_name, new_axes, plain, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embgeom.norms.records import NormAnalysis

__all__ = ["mean_frequency_by_norm", "mean_norm_by_frequency", "norm_grid"]

_FEW = 10
_MOST_NUMBERED = 40
_FEW_COLOUR = "#BBBBBB"


@styled
def mean_frequency_by_norm(result: NormAnalysis, *, axes: Axes | None = None) -> Axes:
    """Draw the mean frequency of the token types in each bin of the norm, a dot for each.

    *Hyperbolic Fine-Tuning for Large Language Models* (arXiv 2410.04010) has it as bars, which need a zero that a
    logarithmic axis has not. A mean over fewer than ten types is grey; the number of types is written above every dot,
    whose line is as long as its bin is wide. The first and the last bin, which reach to the smallest and the largest
    norm, are drawn as wide as the others.

    Parameters
    ----------
    result : NormAnalysis
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    if axes is None:
        axes = new_axes(height=2.7)
    bins = result.norm_bins
    edges = _drawn_edges(result)
    for place, norm_bin in enumerate(bins):
        if norm_bin.mean_frequency is None:
            continue
        colour = _FEW_COLOUR if norm_bin.types < _FEW else COLOURS[0]
        middle, width = (edges[place] + edges[place + 1]) / 2, edges[place + 1] - edges[place]
        axes.errorbar(
            middle, norm_bin.mean_frequency, xerr=0.46 * width, fmt="o", markersize=3, capsize=0, color=colour
        )
        if len(bins) <= _MOST_NUMBERED:
            axes.annotate(
                f"{norm_bin.types}",
                (middle, norm_bin.mean_frequency),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7,
                rotation=90 if len(bins) > 10 else 0,
                color="#555555",
            )
    means = [norm_bin.mean_frequency for norm_bin in bins if norm_bin.mean_frequency is not None]
    axes.set_yscale("log")
    # From below 1, so that a dot of tokens that occur once is off the axis; above, room for the numbers.
    axes.set_ylim(0.5, max(10.0, max(means) * 3))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("embedding norm ‖e‖")
    axes.set_ylabel("mean frequency (occurrences)")
    numbered = "numbers: token types; " if len(bins) <= _MOST_NUMBERED else ""
    outer = f"\nthe outer lines reach to {bins[0].low:.3g} and {bins[-1].high:.3g}" if len(bins) > 2 else ""
    note = f"{numbered}grey: fewer than {_FEW}{outer}"
    axes.annotate(note, (0, 1), (0, 3), "axes fraction", "offset points", fontsize=7, color="#555555")
    return axes


@styled
def mean_norm_by_frequency(result: NormAnalysis, *, axes: Axes | None = None) -> Axes:
    """Draw the mean norm of the token types in each octave of the frequency.

    The dark band is the confidence interval of the mean, the light one holds the middle 80 % of the types; a mean over
    fewer than ten types is grey. The dashed line is the mean norm of the tokens that were never seen.

    Parameters
    ----------
    result : NormAnalysis
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    import numpy as np

    if axes is None:
        axes = new_axes(height=2.7)
    bins = [chosen for chosen in result.frequency_bins if chosen.mean_norm is not None]
    x = np.array([chosen.mean_frequency for chosen in bins])
    mean = np.array([chosen.mean_norm for chosen in bins])
    spread = np.array([chosen.spread for chosen in bins])
    sure = np.array([chosen.types >= _FEW for chosen in bins])
    colour = COLOURS[0]
    # A single bin has no width to be seen.
    label = "middle 80 % of types" if len(bins) > 1 else None
    axes.fill_between(x, *spread.T, color=colour, alpha=0.15, linewidth=0, label=label)
    interval = np.array([chosen.interval if chosen.types >= _FEW else (np.nan, np.nan) for chosen in bins])
    label = f"{100 * result.confidence:g} % interval of mean" if sure.any() else None
    axes.fill_between(x, *interval.T, color=colour, alpha=0.4, linewidth=0, label=label)
    axes.vlines(x, *interval.T, color=colour, alpha=0.4, linewidth=2)  # one between two grey ones has no band
    axes.plot(x, mean, color=colour, label="mean norm" if len(bins) > 1 else None)
    for chosen, face in ((sure, colour), (~sure, _FEW_COLOUR)):
        if chosen.any():
            label = f"fewer than {_FEW} types"
            if chosen is sure:  # which the line has named, if there is one
                label = "_" if len(bins) > 1 else "mean norm"
            axes.plot(x[chosen], mean[chosen], "o", color=face, label=label, zorder=3)
    if result.never_seen.mean_norm is not None:
        types = result.never_seen.types
        label = f"never seen: {types} type{'s' if types > 1 else ''}"
        axes.axhline(result.never_seen.mean_norm, color=COLOURS[1], linestyle="--", label=label)
    axes.set_xscale("log")
    axes.set_xlim(0.8, max(10.0, 1.4 * x.max()))
    axes.margins(y=0.1)
    axes.set_xlabel("frequency (occurrences)")
    axes.set_ylabel("mean embedding norm ‖e‖")
    legend_above(axes, columns=2)
    return axes


@styled
def norm_grid(results: Sequence[NormAnalysis]) -> Figure:
    """Draw :func:`mean_frequency_by_norm` and :func:`mean_norm_by_frequency` side by side, one result per row.

    Raises
    ------
    OptionError
        If there are no results.
    """
    from matplotlib.figure import Figure

    if not results:
        raise OptionError("there are no results to draw")
    figure = Figure(figsize=(PAGE, 2.9 * len(results)))
    rows: Any = figure.subfigures(len(results), 1, squeeze=False)[:, 0]
    for row, result in zip(rows, results, strict=True):
        row.suptitle(_title(result))
        left, right = row.subplots(1, 2)
        mean_frequency_by_norm(result, axes=left)
        mean_norm_by_frequency(result, axes=right)
    return figure


def _drawn_edges(result: NormAnalysis) -> list[float]:
    """Return where bins begin and end: the outer ones as wide as the others, and none without width."""
    bins = result.norm_bins
    edges = [*(norm_bin.low for norm_bin in bins), bins[-1].high]
    if len(bins) > 2:
        width = edges[2] - edges[1]
        edges[0], edges[-1] = edges[1] - width, edges[-2] + width
    if edges[0] == edges[-1]:
        return [edges[0] - 0.5, edges[-1] + 0.5]
    return edges


def _title(result: NormAnalysis) -> str:
    from embgeom.norms.verdict import correlation_text

    named = [model_name(result.model) if result.model else "embeddings", *([result.data] if result.data else [])]
    told = "ρ undefined" if result.correlation.rho is None else f"ρ = {correlation_text(result.correlation)}"
    return " · ".join(plain(shortened(name)) for name in named) + f":  Spearman {told}"
