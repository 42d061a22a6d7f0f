"""The picture at the top of the README: why 2δ/diameter is no evidence of a tree, and what is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from figures.controls import COLOUR, CONTROLS, control
from figures.drawing import Drawing
from figures.models import gsm8k_calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_story"]

_BINS = 50


def draw_story() -> Drawing:
    """Draw relative δ of trees and of noise, their δ-plots, and those of GSM8K in MiniLM and of its nulls."""
    from matplotlib.figure import Figure

    from embgeom.plots import style
    from embgeom.plots.common import PAGE

    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        left, middle, right = figure.subplots(1, 3)
        _draw_deltas(left)
        _draw_plots(middle)
        _draw_prompts(right)
        for axes in (middle, right):
            axes.set_xlim(0, 1)
            axes.set_ylim(bottom=0)
            axes.set_xlabel("q = (S₁ − S₂) / (S₁ − S₃)")
            axes.set_ylabel("density over quadruples")
            axes.legend(loc="upper right")
    measured = {name: control(name).observed for name in CONTROLS}
    told = "; ".join(f"{name} {of.relative_delta.mean:.3f} and {of.mean_q.mean:.3f}" for name, of in measured.items())
    found = gsm8k_calibration()
    return Drawing(figure, f"2δ/diameter and mean q: {told}. {found.verdict.sentence}")


def _draw_deltas(axes: Axes) -> None:
    from embgeom.plots.common import COLOURS, LABELS

    for row, name in enumerate(CONTROLS):
        spread, colour = control(name).observed.relative_delta, COLOURS[COLOUR[name]]
        axes.plot(spread.values, np.full(len(spread.values), row), "|", color=colour, alpha=0.4, markersize=7)
        axes.errorbar(spread.mean, row, xerr=spread.sd, fmt="o", color=colour, markersize=4.5)
        axes.text(0.002, row, name, color=colour, va="center")
    axes.set_title("2δ/diameter: tree or noise?")
    axes.set_xlim(0, 0.22)
    axes.set_ylim(len(CONTROLS) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{LABELS['relative_delta']}\n(ticks: clouds; dot ± bar: mean ± sd)")


def _draw_plots(axes: Axes) -> None:
    from embgeom.plots.common import COLOURS

    for name in CONTROLS:
        # The two kinds of noise have the same δ-plot: one dashed, so that both are seen.
        dashed = (0, (3, 3)) if name == CONTROLS[-1] else "-"
        options = {"color": COLOURS[COLOUR[name]], "label": name, "linewidth": 1.2, "linestyle": dashed}
        _stairs(axes, control(name).observed.histogram, **options)
    axes.set_title("The δ-plot tells them apart")


def _draw_prompts(axes: Axes) -> None:
    from embgeom.plots.common import COLOURS

    found = gsm8k_calibration()
    _stairs(axes, found.observed.histogram, color=COLOURS[0], fill=True, alpha=0.3)
    _stairs(axes, found.observed.histogram, color=COLOURS[0], label=f"{found.observed.n} GSM8K prompts", linewidth=1.4)
    for number, histogram in enumerate(found.histograms):
        label = f"{len(found.nulls)} matched nulls" if number == 0 else None
        _stairs(axes, histogram, color="0.5", label=label, linewidth=0.8)
    axes.set_title("Prompts in MiniLM, and nulls")


def _stairs(axes: Axes, histogram: tuple[int, ...], **options: object) -> None:
    """Draw the density of q, in as many bins as a small panel has room for."""
    counts = np.asarray(histogram, dtype=np.float64).reshape(_BINS, -1).sum(axis=1)
    options.setdefault("baseline", 0 if options.get("fill") else None)
    axes.stairs(counts / counts.sum() * _BINS, np.linspace(0, 1, _BINS + 1).tolist(), **options)  # type: ignore[arg-type]
