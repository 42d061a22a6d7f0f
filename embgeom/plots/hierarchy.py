"""Figures of hierarchy: norms of groups of words, of numbers, and of general against specific words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from embgeom.hierarchy.trend import signed
from embgeom.plots.common import COLOURS, COLUMN, PAGE, model_name, new_axes, plain, shortened, styled
from embgeom.plots.trees import draw_poincare_disc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embgeom.hierarchy.records import DigitNorms, GroupStatistics, PairTest
    from embgeom.hierarchy.summary import Hierarchy
    from embgeom.results import Record

__all__ = ["general_against_specific", "group_norms", "hierarchy_grid", "norms_by_digits"]

_MOST_MARKS = 100  # more of them are an image in an SVG
_RANGES = {1: "0–9", 2: "10–99", 3: "100–999"}


@styled
def group_norms(result: GroupStatistics, *, axes: Axes | None = None) -> Axes:
    """Draw the norm of every word by its group: a point each, the mean as a line, the extremes by name.

    Parameters
    ----------
    result : GroupStatistics
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    axes = new_axes(width=max(COLUMN, 0.5 + 0.7 * len(result.groups)), height=2.7) if axes is None else axes
    if not any(row.words for row in result.groups):
        total = sum(len(row.left_out) for row in result.groups)
        return _only_text(axes, f"none of the {total} words\nof the groups\nis a single token")
    for place, row in enumerate(result.groups):
        words = sorted(row.words, key=lambda word: word.norm)
        norms = [word.norm for word in words]
        colour = COLOURS[place % len(COLOURS)]
        across = [place + offset for offset in _spread_out(len(norms), 0.24)]
        axes.scatter(across, norms, s=12, color=colour, alpha=0.75, linewidths=0)
        if row.norm is not None:
            axes.plot([place - 0.32, place + 0.32], [row.norm.mean] * 2, color=colour, linewidth=1.5)
            for word, at, side in ((words[-1], 3, "bottom"), (words[0], -3, "top"))[: len(words)]:
                axes.annotate(
                    plain(shortened(word.word, 14)),
                    (across[words.index(word)], word.norm),
                    xytext=(0, at),
                    textcoords="offset points",
                    ha="center",
                    va=side,
                    fontsize=7,
                )
    names = [f"{fill(plain(shortened(row.name)), 12)}\n{_found(row.words, row.left_out)}" for row in result.groups]
    axes.set_xticks(range(len(names)), names)
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


@styled
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
        size = 10 if len(row.norms) <= 100 else 3
        many = len(row.norms) > _MOST_MARKS
        axes.scatter(across, row.norms, s=size, color=colour, alpha=0.5, linewidths=0, rasterized=many)
        axes.plot([middle - 0.42 * width, middle + 0.42 * width], [row.norm.mean] * 2, color="black", linewidth=1.5)
        axes.plot([], [], "o", color=colour, label=row.form if row.digits == 1 else None)
    plural = {number: "" if found[number] == [1] else "s" for number in digits}
    names = [f"{_RANGES[number]}\n{' + '.join(map(str, found[number]))} token{plural[number]}" for number in digits]
    axes.set_xticks(digits, names)
    axes.set_xlim(digits[0] - 0.6, digits[-1] + 0.6)
    axes.set_ylabel("norm ‖e‖")
    if len(forms) > 1:
        axes.legend()
    _title(axes, "numbers that are one token" if result.multi_digit else "no number above 9 is one token")
    return axes


@styled
def general_against_specific(result: PairTest, *, axes: Axes | None = None) -> Axes:
    """Draw ‖general‖ against ‖specific‖, a point per pair; below the diagonal the general word is the shorter one.

    Parameters
    ----------
    result : PairTest
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    axes = new_axes(height=3.3) if axes is None else axes
    if not result.pairs:
        return _only_text(axes, f"none of the {len(result.left_out)} pairs\nhas two single tokens")
    axes.set_xlabel("norm ‖e‖ of the specific word")
    axes.set_ylabel("norm ‖e‖ of the general word")
    general = [pair.general_norm for pair in result.pairs]
    specific = [pair.specific_norm for pair in result.pairs]
    colours = [COLOURS[1] if y < x else COLOURS[0] for x, y in zip(specific, general, strict=True)]
    many = len(general) > _MOST_MARKS
    axes.scatter(specific, general, s=8, c=colours, alpha=0.6, linewidths=0, rasterized=many)
    low, high = min(general + specific), max(general + specific)
    room = 0.05 * (high - low) or 0.05 * high or 1.0
    limits = (low - room, high + room)
    axes.plot(limits, limits, color="black", linewidth=0.8, linestyle="--")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    shorter, n = result.by_pair.smaller, result.by_pair.n
    axes.text(
        0.97, 0.03, f"general shorter: {shorter}", transform=axes.transAxes, ha="right", color=COLOURS[1], fontsize=7
    )
    axes.text(
        0.03, 0.97, f"general longer: {n - shorter}", transform=axes.transAxes, va="top", color=COLOURS[0], fontsize=7
    )
    if result.by_pair.share is not None:
        _title(axes, f"{len(result.pairs)} pairs: general shorter in {100 * result.by_pair.share:.0f} %")
    return axes


@styled
def hierarchy_grid(results: Sequence[Hierarchy]) -> Figure:
    """Return a figure with all parts of each result: groups beside numbers, pairs beside the tree.

    Parameters
    ----------
    results : sequence of Hierarchy
        A part that is None leaves its place empty; one that is None everywhere has no place.
    """
    from matplotlib.figure import Figure

    most = max((len(result.groups.groups) for result in results if result.groups), default=4)
    # Of the trees, the nearest to the distances.
    trees = [min(result.trees, key=lambda fit: fit.mean_additive_distortion, default=None) for result in results]
    parts: list[tuple[float, Callable[..., Axes], list[Record | None]]] = [
        (max(1.3, 0.36 * most), group_norms, [result.groups for result in results]),
        (1.0, norms_by_digits, [result.digits for result in results]),
        (1.0, general_against_specific, [result.pairs for result in results]),
        (1.2, draw_poincare_disc, list(trees)),
    ]
    parts = [part for part in parts if any(part[2])]
    lines = [parts[start : start + 2] for start in range(0, len(parts), 2)]
    width = PAGE if len(parts) > 1 else COLUMN
    figure = Figure(figsize=(width, 3.1 * len(lines) * len(results)))
    rows = figure.add_gridspec(len(lines) * len(results), 1)
    for number, result in enumerate(results):
        first = True
        for place, line in enumerate(lines):
            row = rows[number * len(lines) + place].subgridspec(1, len(line), width_ratios=[part[0] for part in line])
            for column, (_, draw, drawn) in enumerate(line):
                axes = figure.add_subplot(row[column])
                if drawn[number] is None:
                    axes.set_axis_off()
                else:
                    draw(drawn[number], axes=axes)
                if first:
                    _name_above(axes, plain(shortened(model_name(result.model))))
                elif draw is draw_poincare_disc:  # the model's name is there already
                    axes.set_title(axes.get_title(loc="left").rpartition(" · ")[2])
                first = False
    return figure


def _name_above(axes: Axes, name: str) -> None:
    told = axes.get_title(loc="left")
    axes.set_title(f"{name}\n{told}" if told else name)


def _found(words: Sequence[object], left_out: Sequence[object]) -> str:
    return f"n = {len(words)}" + (f" of {len(words) + len(left_out)}" if left_out else "")


def _spread_out(count: int, width: float) -> list[float]:
    """Return ``count`` places between −width and width, evenly but in no order, so that points do not hide others."""
    golden = 0.6180339887498949
    return [0.0] if count == 1 else [width * (2 * ((number + 0.5) * golden % 1) - 1) for number in range(count)]


def _only_text(axes: Axes, text: str) -> Axes:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")
    return axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text)
