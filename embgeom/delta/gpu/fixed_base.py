"""Exact fixed-base δ_p on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embgeom.delta.found import Found
from embgeom.delta.gpu.device import check_cloud, require_memory
from embgeom.delta.gpu.search import CHUNK_STEPS, OnProgress, Tiling, maximise

if TYPE_CHECKING:
    import torch

__all__ = ["fixed_base"]


def fixed_base(
    distances: torch.Tensor,
    base: int,
    *,
    tiling: Tiling | None = None,
    chunk_steps: float = CHUNK_STEPS,
    on_progress: OnProgress | None = None,
) -> Found:
    """Return δ_p exactly, with the witness (p, k, i, j): d(p,k) + d(i,j) is its largest sum.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
        Symmetric, finite, ≥ 0, on a CUDA device (on the CPU in Triton's interpreter).
    base : int
        Index of the base point p.
    tiling : Tiling, optional
    chunk_steps : float
        (pair, third point) steps per launch.
    on_progress : callable, optional
        Called with the fraction done after every launch; whatever it raises stops the work.
    """
    import torch

    check_cloud(distances)
    n = len(distances)
    base = range(n)[base]
    # The search takes the points before its base, so p changes places with the last point.
    order = torch.arange(n, device=distances.device)
    if base != n - 1:
        order[base], order[n - 1] = n - 1, base
        require_memory(distances.nbytes, distances.device)
        distances = distances[order[:, None], order]
    jobs = np.array([[0, n - 1]])
    best = maximise(distances[None], jobs, tiling=tiling, chunk_steps=chunk_steps, on_progress=on_progress)
    p, k, i, j = order[best.witness[0]].tolist()
    work = {
        "quadruples": (n - 1) * (n - 2) * (n - 3) // 6,
        "screened tiles": best.screened,
        "settled tiles": best.settled,
    }
    certificate = "fixed base, all triples: float32 screen, float64 maximum"
    return Found((p, k, i, j), float(best.two_delta[0]), certificate, work)
