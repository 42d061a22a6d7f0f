"""Trees and noise of the same size, with the figures that tell them apart and those that do not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from figures.drawing import Drawing

if TYPE_CHECKING:
    from embgeom.calibration import Calibration

__all__ = ["COLOUR", "CONTROLS", "cloud_of", "control", "draw_controls"]

POINTS, DIMENSION, CLOUDS, DRAWS = 40, 384, 20, 19
NULLS = ("directions", "permute", "spectrum")
CONTROLS = ("branching walk", "noisy walk", "Gaussian noise", "noise on a sphere")
"""Branching random walks, without and with noise of a step's size; normal points, and their directions alone."""
COLOUR = dict(zip(CONTROLS, (2, 5, 1, 4), strict=True))
"""Place of each in the palette."""


def cloud_of(name: str, seed: int) -> NDArray[np.float64]:
    """Return one cloud of a control: shape (40, 384)."""
    from embgeom.spaces import branching_walk_points

    if name in CONTROLS[:2]:
        return branching_walk_points(POINTS, seed, d=DIMENSION, noise=1.0 if name == "noisy walk" else 0.0)
    points = np.random.default_rng(seed).standard_normal((POINTS, DIMENSION))
    if name == "noise on a sphere":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points


@cache
def control(name: str, clouds: int = CLOUDS, draws: int = DRAWS) -> Calibration:
    """Set the statistics of the first clouds of a control beside null clouds."""
    from embgeom import calibrate_prompts

    points = np.concatenate([cloud_of(name, seed) for seed in range(clouds)])
    indices = [list(range(first, first + POINTS)) for first in range(0, len(points), POINTS)]
    return calibrate_prompts(points, indices, nulls=NULLS, draws=draws, level=1 / (1 + draws))


def draw_controls(clouds: int = CLOUDS, draws: int = DRAWS) -> Drawing:
    """Draw pooled q and relative δ of each control, mean ± standard deviation over clouds, beside its nulls."""
    from matplotlib.figure import Figure

    from embgeom.plots import style
    from embgeom.plots.common import DATA_COLOUR, LABELS, NULL_COLOURS, PAGE

    marks = dict(zip(NULLS, "sD^", strict=True))
    with style():
        figure = Figure(figsize=(PAGE, 2.1))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, statistic in zip(panels, ("relative_delta", "pooled_q"), strict=True):
            for row, name in enumerate(CONTROLS):
                entries = control(name, clouds, draws).statistics
                entry = next(entry for entry in entries if entry.statistic == statistic)
                label = "data" if row == 0 else None
                axes.errorbar(entry.mean, row, xerr=entry.sd, fmt="o", color=DATA_COLOUR, markersize=5, label=label)
                for place, null in enumerate(entry.nulls):
                    axes.errorbar(
                        null.mean,
                        row + 0.17 * (place + 1),
                        xerr=null.sd,
                        fmt=marks[null.null],
                        color=NULL_COLOURS[null.null],
                        markersize=3,
                        elinewidth=0.7,
                        capsize=1.5,
                        label=f"null: {null.null}" if row == 0 else None,
                    )
            axes.set_xlim(left=0)
            axes.set_xlabel(LABELS[statistic])
        panels[0].set_yticks(range(len(CONTROLS)), CONTROLS)
        panels[0].set_ylim(len(CONTROLS) - 0.3, -0.4)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    measured = {name: control(name, clouds, draws).observed for name in CONTROLS}
    told = "; ".join(f"{name} {of.relative_delta.mean:.3f} and {of.pooled_q.mean:.3f}" for name, of in measured.items())
    return Drawing(figure, f"2δ/diameter and pooled q of {clouds} clouds, {POINTS} points in R^{DIMENSION}: {told}.")
