"""Exact four-point δ on a GPU, by brute force over all quadruples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embgeom.delta.found import Found
from embgeom.delta.gpu.device import check_cloud
from embgeom.delta.gpu.search import CHUNK_STEPS, OnProgress, Tiling, maximise

if TYPE_CHECKING:
    import torch

__all__ = ["four_point"]


def four_point(
    distances: torch.Tensor,
    *,
    rank: int = 0,
    world_size: int = 1,
    tiling: Tiling | None = None,
    chunk_steps: float = CHUNK_STEPS,
    on_progress: OnProgress | None = None,
) -> Found:
    """Return the four-point δ exactly, by the (max,min) product from every base over the points before it.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
        Symmetric, finite, ≥ 0, on a CUDA device (on the CPU in Triton's interpreter).
    rank, world_size : int
        Take only the bases b with b % world_size == rank, interleaved because their work grows as b³; the maximum of
        the ranks' results is δ (:func:`embgeom.delta.gpu.sharded.four_point`).
    tiling : Tiling, optional
    chunk_steps : float
        (pair, third point) steps per launch.
    on_progress : callable, optional
        Called with the fraction done after every launch; whatever it raises stops the work.
    """
    check_cloud(distances)
    bases = np.arange(3, len(distances))
    bases = bases[bases % world_size == rank]
    jobs = np.stack([np.zeros_like(bases), bases], axis=1)
    best = maximise(distances[None], jobs, tiling=tiling, chunk_steps=chunk_steps, on_progress=on_progress)
    a, b, c, d = best.witness[0].tolist()
    quadruples = sum(base * (base - 1) * (base - 2) // 6 for base in bases.tolist())
    work = {"quadruples": quadruples, "screened tiles": best.screened, "settled tiles": best.settled}
    share = "" if world_size == 1 else f" of share {rank} of {world_size}"
    certificate = f"all quadruples{share}: float32 screen, float64 maximum"
    return Found((a, b, c, d), float(best.two_delta[0]), certificate, work)
