"""Figures of hierarchy: norms of groups of words, of numbers, and of general against specific words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from embgeom.hierarchy.trend import signed
from embgeom.plots.common import COLOURS, model_name, new_axes, plain, shortened
from embgeom.plots.trees import draw_poincare_disc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.hierarchy.records import DigitNorms, GroupStatistics, PairTest
    from embgeom.hierarchy.summary import Hierarchy
    from embgeom.results import Record

__all__ = ["general_against_specific", "group_norms", "hierarchy_grid", "norms_by_digits"]

_RANGES = {1: "0–9", 2: "10–99", 3: "100–999"}


def group_norms(result: GroupStatistics, *, axes: Axes | None = None) -> Axes:
    """Draw the norm of every word by its group: a point each, the mean as a line, the extremes by name.

    Parameters
    ----------
    result : GroupStatistics
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    axes = new_axes(width=max(5.5, 1.1 + 1.2 * len(result.groups))) if axes is None else axes
    if not any(row.words for row in result.groups):
        total = sum(len(row.left_out) for row in result.groups)
        return _only_text(axes, f"none of the {total} words\nof the groups\nis a single token")
    for place, row in enumerate(result.groups):
        words = sorted(row.words, key=lambda word: word.norm)
        norms = [word.norm for word in words]
        colour = COLOURS[place % len(COLOURS)]
        across = [place + offset for offset in _spread_out(len(norms), 0.24)]
        axes.scatter(across, norms, s=22, color=colour, alpha=0.75, linewidths=0)
        if row.norm is not None:
            axes.plot([place - 0.32, place + 0.32], [row.norm.mean] * 2, color=colour, linewidth=2)
            for word, at, side in ((words[-1], 5, "bottom"), (words[0], -5, "top"))[: len(words)]:
                axes.annotate(
                    plain(shortened(word.word, 14)),
                    (across[words.index(word)], word.norm),
                    xytext=(0, at),
                    textcoords="offset points",
                    ha="center",
                    va=side,
                    fontsize="x-small",
                )
    names = [f"{fill(plain(shortened(row.name)), 12)}\n{_found(row.words, row.left_out)}" for row in result.groups]
    axes.set_xticks(range(len(names)), names, fontsize="small")
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.margins(y=0.14)
    axes.set_ylabel("norm ‖e‖")
    trend = result.norm_trend
    if trend is None:
        _title(axes, "no trend to test")
    else:
        told = "trend" if trend.direction else "no trend can be told"
        _title(axes, f"{told}: τ = {signed(trend.tau, 2)}, p = {trend.p_value:.2g}")
    return axes


def norms_by_digits(result: DigitNorms, *, axes: Axes | None = None) -> Axes:
    """Draw the norms of the numbers that are single tokens, by their digits: points, mean, and range.

    Parameters
    ----------
    result : DigitNorms
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    axes = new_axes() if axes is None else axes
    if not any(row.numbers for row in result.rows):
        return _only_text(axes, "no number from 0 to 999\nis a single token")
    forms = list(dict.fromkeys(row.form for row in result.rows))
    digits = sorted({row.digits for row in result.rows})
    width = 0.8 / len(forms)
    found = {number: [0] * len(forms) for number in digits}
    for row in result.rows:
        index = forms.index(row.form)
        found[row.digits][index] = len(row.numbers)
        if row.norm is None:
            continue
        colour = COLOURS[index]
        middle = row.digits + (index - (len(forms) - 1) / 2) * width
        across = [middle + offset for offset in _spread_out(len(row.norms), 0.35 * width)]
        size = 22 if len(row.norms) <= 100 else 5
        axes.scatter(across, row.norms, s=size, color=colour, alpha=0.5, linewidths=0)
        axes.plot([middle - 0.42 * width, middle + 0.42 * width], [row.norm.mean] * 2, color="black", linewidth=2)
        axes.plot([], [], "o", color=colour, markersize=4, label=row.form if row.digits == 1 else None)
    plural = {number: "" if found[number] == [1] else "s" for number in digits}
    names = [f"{_RANGES[number]}\n{' + '.join(map(str, found[number]))} token{plural[number]}" for number in digits]
    axes.set_xticks(digits, names, fontsize="small")
    axes.set_xlim(digits[0] - 0.6, digits[-1] + 0.6)
    axes.set_ylabel("norm ‖e‖")
    if len(forms) > 1:
        axes.legend(frameon=False, fontsize="small")
    _title(axes, "numbers that are one token" if result.multi_digit else "no number of two digits or more is one token")
    return axes


def general_against_specific(result: PairTest, *, axes: Axes | None = None) -> Axes:
    """Draw ‖general‖ against ‖specific‖, a point per pair; below the diagonal the general word is the shorter one.

    Parameters
    ----------
    result : PairTest
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    axes = new_axes(width=4.2, height=4.2) if axes is None else axes
    if not result.pairs:
        return _only_text(axes, f"none of the {len(result.left_out)} pairs\nhas two single tokens")
    axes.set_xlabel("norm ‖e‖ of the specific word")
    axes.set_ylabel("norm ‖e‖ of the general word")
    general = [pair.general_norm for pair in result.pairs]
    specific = [pair.specific_norm for pair in result.pairs]
    colours = [COLOURS[1] if y < x else COLOURS[0] for x, y in zip(specific, general, strict=True)]
    axes.scatter(specific, general, s=14, c=colours, alpha=0.6, linewidths=0)
    low, high = min(general + specific), max(general + specific)
    room = 0.05 * (high - low) or 0.05 * high or 1.0
    limits = (low - room, high + room)
    axes.plot(limits, limits, color="black", linewidth=1, linestyle="--")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    shorter, n = result.by_pair.smaller, result.by_pair.n
    axes.text(0.97, 0.03, f"general shorter: {shorter}", transform=axes.transAxes, ha="right", color=COLOURS[1])
    axes.text(0.03, 0.97, f"longer: {n - shorter}", transform=axes.transAxes, va="top", color=COLOURS[0])
    if result.by_pair.share is not None:
        _title(axes, f"{len(result.pairs)} pairs: general shorter in {result.by_pair.share:.0%}")
    return axes


def hierarchy_grid(results: Sequence[Hierarchy]) -> Axes:
    """Draw all figures of each result in a row of its own; return the first axes of the new figure.

    Parameters
    ----------
    results : sequence of Hierarchy
        A part that is None leaves its place empty; one that is None everywhere has no place.
    """
    from matplotlib.figure import Figure

    most = max((len(result.groups.groups) for result in results if result.groups), default=4)
    # Of the trees, the nearest to the distances.
    trees = [min(result.trees, key=lambda fit: fit.mean_additive_distortion, default=None) for result in results]
    columns: list[tuple[float, Callable[..., Axes], list[Record | None]]] = [
        (max(1.7, 0.42 * most), group_norms, [result.groups for result in results]),
        (1.3, norms_by_digits, [result.digits for result in results]),
        (1.25, general_against_specific, [result.pairs for result in results]),
        (1.5, draw_poincare_disc, list(trees)),
    ]
    columns = [column for column in columns if any(column[2])]
    widths = [width for width, _, _ in columns]
    figure = Figure(figsize=(2.9 * sum(widths), 4.2 * len(results)), layout="constrained")
    grid = figure.add_gridspec(len(results), len(widths), width_ratios=widths)
    for number, (result, tree) in enumerate(zip(results, trees, strict=True)):
        row = [figure.add_subplot(grid[number, column]) for column in range(len(widths))]
        for axes, (_, draw, parts) in zip(row, columns, strict=True):
            axes.spines[["top", "right"]].set_visible(False)
            if parts[number] is None:
                axes.set_axis_off()
            else:
                draw(parts[number], axes=axes)
        name = plain(shortened(model_name(result.model)))
        told = row[0].get_title()
        # Where both are long, one above the other: beside it is the title of the next axes.
        between = " · " if len(name) + len(told) <= 34 else "\n"
        row[0].set_title(f"{name}{between}{told}" if told else name, fontsize="small", fontweight="bold")
        if tree is not None:  # short enough for its place, and the model's name is there already
            title = row[-1].get_title().rpartition(" · ")[2].replace(": ", "\n", 1)
            row[-1].set_title(title, fontsize="small")
    first: Axes = figure.axes[0]
    return first


def _found(words: Sequence[object], left_out: Sequence[object]) -> str:
    return f"n = {len(words)}" + (f" of {len(words) + len(left_out)}" if left_out else "")


def _spread_out(count: int, width: float) -> list[float]:
    """Return ``count`` places between −width and width, evenly but in no order, so that points do not hide others."""
    golden = 0.6180339887498949
    return [0.0] if count == 1 else [width * (2 * ((number + 0.5) * golden % 1) - 1) for number in range(count)]


def _only_text(axes: Axes, text: str) -> Axes:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize="small")
    return axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize="small")
