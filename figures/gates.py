"""The gate of HypLoRA against the norm of a token."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from figures.drawing import Drawing

__all__ = ["CURVATURES", "draw_gate", "gate_of_norm"]

CURVATURES = (0.5, 1.0, 2.0)
STRETCH = 0.1
_NORMS = np.linspace(0.02, 6, 300)


@cache
def gate_of_norm(K: float, stretch: float, norms: tuple[float, ...]) -> NDArray[np.float64]:
    """Return g for tokens of these norms whose low-rank product is so much longer: ‖BAx‖ = stretch · ‖x‖; c = 1."""
    import torch

    from hyplora.gate import gate

    x = torch.tensor(norms, dtype=torch.float64)[:, None]
    one = torch.ones(1, 1, dtype=torch.float64)
    found: NDArray[np.float64] = gate(x, one, stretch * one, K).numpy().reshape(-1)
    return found


def draw_gate() -> Drawing:
    """Draw g against ‖x‖ for several K, for a short BAx, and for one as long as x, where all maps cancel."""
    from embgeom.plots import style
    from embgeom.plots.common import COLOURS, new_axes

    norms = tuple(_NORMS.tolist())
    axes = new_axes(height=2.5)
    with style():
        for number, K in enumerate(CURVATURES):
            axes.plot(norms, gate_of_norm(K, STRETCH, norms), color=COLOURS[number], label=f"K = {K:g}")
        # Under each other: the maps cancel whatever K is.
        for number, (K, dash) in enumerate(zip(CURVATURES, ((0, (6, 0)), (0, (4, 4)), (4, (4, 4))), strict=True)):
            axes.plot(norms, gate_of_norm(K, 1.0, norms), color=COLOURS[number], linestyle=dash)
        axes.annotate("‖BAx‖ = ‖x‖: the maps cancel, g = 1", (6, 1), (0, -9), textcoords="offset points", ha="right")
        top = gate_of_norm(CURVATURES[0], STRETCH, norms)[-1]
        axes.set_xlim(0, 6)
        axes.set_ylim(0, 1.12 * top)
        axes.set_xlabel("norm ‖x‖ of the token (norm_scale 1)")
        axes.set_ylabel("gate g = ‖ΔHypLoRA‖ / ‖ΔLoRA‖")
        axes.legend(loc="upper left", title=f"‖BAx‖ = {STRETCH:g} ‖x‖", alignment="left")
    at = {K: gate_of_norm(K, STRETCH, (1.0, 5.0)) for K in CURVATURES}
    told = "; ".join(f"K = {K:g}: {near:.2f} and {far:.2f}" for K, (near, far) in at.items())
    return Drawing(axes, f"The gate at ‖x‖ = 1 and 5 where ‖BAx‖ = {STRETCH:g} ‖x‖: {told}. Where ‖BAx‖ = ‖x‖: 1.")
