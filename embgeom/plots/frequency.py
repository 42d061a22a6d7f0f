"""Figures of token frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.errors import OptionError
from embgeom.plots.common import COLOURS, COLUMN, PAGE, model_name, new_axes, plain, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embgeom.frequency.records import PowerLawFit

__all__ = ["frequency_distribution", "frequency_grid"]

_TAIL, _LINE, _MEAN, _BELOW = COLOURS[5], COLOURS[1], COLOURS[6], "#BBBBBB"
_X, _Y = "frequency k (occurrences)", "token types per frequency"
_MOST_COLUMNS = 3
_LONGEST_TITLE = 30


@styled
def frequency_distribution(result: PowerLawFit, *, axes: Axes | None = None) -> Axes:
    """Draw the number of token types at each frequency k, with the fitted power law from k_min to the largest k.

    This is the figure of *Hyperbolic Fine-Tuning for Large Language Models* (arXiv 2410.04010), both axes
    logarithmic: a dot for each frequency that occurs, grey below k_min. The line is the number of types that the fit
    expects, n k^(−γ) / ζ(γ, k_min) with n the types of the tail. Where it is below one, most frequencies have no type,
    which dots on a logarithmic axis cannot show; the circles do: means over all frequencies from k to 2k, those
    without a type included, which lie about the line if the law holds.

    Parameters
    ----------
    result : PowerLawFit
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    from scipy.special import zeta

    if axes is None:
        axes = new_axes(height=2.7)
    frequencies, types = np.asarray(result.frequency_values), np.asarray(result.frequency_types)
    fitted = frequencies >= result.k_min
    for chosen, colour, told in ((~fitted, _BELOW, "<"), (fitted, _TAIL, "≥")):
        label = f"each k {told} {result.k_min}" if chosen.any() else None
        axes.scatter(frequencies[chosen], types[chosen], s=5, linewidths=0, color=colour, label=label)
    k = np.geomspace(result.k_min, frequencies[-1], 200)
    expected = result.tail_size * k**-result.gamma / zeta(result.gamma, result.k_min)
    label = f"γ = {result.gamma:.3f} ± {result.standard_error:.3f},  k ≥ {result.k_min}"
    axes.plot(k, expected, color=_LINE, linewidth=1.2, label=label)
    centres, means = _octaves(frequencies[fitted], types[fitted], result.k_min)
    axes.scatter(
        centres, means, s=14, facecolors="none", edgecolors=_MEAN, linewidths=0.7, zorder=3, label="mean from k to 2k"
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.8, max(10, 1.6 * frequencies[-1]))
    axes.set_ylim(0.4 * min(expected[-1], means.min()), max(10, 30 * types.max()))
    axes.set_xlabel(_X)
    axes.set_ylabel(_Y)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: labels[place].startswith("each"))  # the fit comes first
    axes.legend([handles[place] for place in order], [labels[place] for place in order], loc="upper right")
    return axes


def _octaves(
    frequencies: NDArray[np.int64], types: NDArray[np.int64], k_min: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre of each [k, 2k) that has a type, and its number of types per frequency, occurring or not."""
    edges = k_min * 2 ** np.arange(math.frexp(frequencies[-1] / k_min)[1] + 1)
    held = np.histogram(frequencies, edges, weights=types)[0]
    centres = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
    filled = held > 0
    return centres[filled], (held / np.diff(edges))[filled]


@styled
def frequency_grid(results: Sequence[PowerLawFit]) -> Figure:
    """Draw :func:`frequency_distribution` of every result in one figure, all on the same scales.

    Several data sets with several tokenizers stand in rows and columns; otherwise the panels follow in order. Each has
    a title that names its data and, where there are several, its tokenizer.

    Raises
    ------
    OptionError
        If there are no results.
    """
    from matplotlib.figure import Figure

    if not results:
        raise OptionError("there are no results to draw")
    several = len({result.tokenizer for result in results}) > 1
    places, rows, columns = _places(results)
    figure = Figure(figsize=(COLUMN if columns == 1 else max(PAGE, 2.3 * columns), 0.5 + 2.1 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat:
        panel.set_visible(False)
    limits = []
    for result, place in zip(results, places, strict=True):
        panel = panels[place]
        panel.set_visible(True)
        frequency_distribution(result, axes=panel)
        limits.append((*panel.get_xlim(), *panel.get_ylim()))
        panel.set_title(_title(result, several=several))
        panel.set(xlabel="", ylabel="")
        panel.tick_params(labelbottom=True, labelleft=True)  # its neighbour may be an empty place
    left, right, low, high = zip(*limits, strict=True)
    panels[0, 0].set_xlim(min(left), max(right))
    panels[0, 0].set_ylim(min(low), max(high))
    figure.supxlabel(_X)
    figure.supylabel(_Y)
    return figure


def _places(results: Sequence[PowerLawFit]) -> tuple[list[tuple[int, int]], int, int]:
    """Return the row and column of every result, and how many rows and columns there are."""
    data = list(dict.fromkeys(result.data for result in results))
    tokenizers = list(dict.fromkeys(result.tokenizer for result in results))
    crossed = [(tokenizers.index(result.tokenizer), data.index(result.data)) for result in results]
    if min(len(data), len(tokenizers)) > 1 and len(set(crossed)) == len(results):
        if len(data) <= _MOST_COLUMNS:
            return crossed, len(tokenizers), len(data)
        return [(column, row) for row, column in crossed], len(data), len(tokenizers)
    # As near to a square as leaves the last row full, or nearly.
    columns = min(_MOST_COLUMNS, math.ceil(math.sqrt(len(results))))
    return [divmod(number, columns) for number in range(len(results))], math.ceil(len(results) / columns), columns


def _title(result: PowerLawFit, *, several: bool) -> str:
    data = plain(shortened(result.data or "texts"))
    if not (several and result.tokenizer):
        return data
    name = plain(shortened(model_name(result.tokenizer)))
    return f"{data} · {name}" if len(data) + len(name) <= _LONGEST_TITLE else f"{data}\n{name}"
