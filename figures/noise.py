"""Relative δ of noise against its dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from figures.drawing import Drawing

__all__ = ["BAND", "DIMENSIONS", "Noise", "draw_noise", "gaussian_noise"]

DIMENSIONS = (2, 8, 32, 128, 384, 1024, 4096)
POINTS, DRAWS = 40, 20
BAND = (0.06, 0.12)
"""Relative δ of the LLMs (3072 to 4096 dimensions) in *Hyperbolic Fine-Tuning for Large Language Models*, Table 2."""
_WIDTHS = (3072, 4096)


@dataclass(frozen=True)
class Noise:
    """2δ/diameter of iid normal points in d dimensions: mean and standard deviation over the draws.

    Attributes
    ----------
    d : int
    mean, sd : float
        With the four-point δ.
    base_mean, base_sd : float
        With the fixed-base δ_p, p the first point.
    """

    d: int
    mean: float
    sd: float
    base_mean: float
    base_sd: float


@cache
def gaussian_noise(d: int) -> Noise:
    """Measure 20 clouds of 40 iid normal points in d dimensions, drawn with seed 0."""
    from embgeom import hyperbolicity

    clouds = np.random.default_rng(0).normal(size=(DRAWS, POINTS, d))
    exact = [hyperbolicity(cloud, method="exact").relative_delta for cloud in clouds]
    base = [hyperbolicity(cloud, method="base", base=0).relative_delta for cloud in clouds]
    return Noise(d, float(np.mean(exact)), float(np.std(exact)), float(np.mean(base)), float(np.std(base)))


def draw_noise(dimensions: Sequence[int] = DIMENSIONS) -> Drawing:
    """Draw relative δ of Gaussian noise, four-point and with a fixed base, against the dimension."""
    from embgeom.plots import style
    from embgeom.plots.common import COLOURS, LABELS, new_axes

    measured = [gaussian_noise(d) for d in dimensions]
    axes = new_axes(height=2.5)
    with style():
        axes.axhspan(*BAND, color="0.88", linewidth=0, zorder=0)
        axes.fill_between(_WIDTHS, *BAND, color="0.65", linewidth=0, zorder=0.5)
        axes.annotate(
            "LLMs in the paper (d = 3072–4096)", (1.6, BAND[0]), (0, 2), textcoords="offset points", fontsize=7
        )
        x = [noise.d for noise in measured]
        axes.errorbar(
            x,
            [noise.mean for noise in measured],
            yerr=[noise.sd for noise in measured],
            fmt="o-",
            color=COLOURS[1],
            label="noise, four-point δ",
        )
        axes.errorbar(
            x,
            [noise.base_mean for noise in measured],
            yerr=[noise.base_sd for noise in measured],
            fmt="s--",
            color=COLOURS[0],
            label="noise, δₚ as in the paper",
        )
        axes.set_xscale("log")
        axes.set_xlim(1.4, 6000)
        axes.set_ylim(0, 0.55)
        axes.set_xticks(x, [str(d) for d in x])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(f"dimension d (iid Gaussian, {POINTS} points)")
        axes.set_ylabel(LABELS["relative_delta"])
        axes.legend(loc="upper right")
    told = ", ".join(f"{noise.mean:.3f} (δ_p {noise.base_mean:.3f}) for d = {noise.d}" for noise in measured)
    return Drawing(axes, f"2δ/diameter of {POINTS} points of iid Gaussian noise, mean over {DRAWS} draws: {told}.")
