"""Exact fixed-base δ of many small clouds at once: the tokens of each prompt, base point the first token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embgeom.delta.gpu.device import check_cloud
from embgeom.delta.gpu.search import OnProgress, Tiling, maximise
from embgeom.errors import PointsError

if TYPE_CHECKING:
    import torch

__all__ = ["fixed_base_batch"]

# Elements of the reordered copy of a block of prompts: 0.5 GB, enough prompts to fill any machine.
_BLOCK_ELEMENTS = 2**26


def fixed_base_batch(
    distances: torch.Tensor,
    lengths: torch.Tensor | None = None,
    *,
    tiling: Tiling | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return twice δ_p with base point 0, exactly, for each cloud of a batch.

    Parameters
    ----------
    distances : torch.Tensor, shape (batch, n, n), float64
        Symmetric, finite, ≥ 0 within the lengths, on a CUDA device (on the CPU in Triton's interpreter). Batch prompts
        of about one length: the work is that of the lengths, the memory that of the padding.
    lengths : torch.Tensor of integers, shape (batch,), optional
        Points of each cloud; what lies beyond is ignored. Without it all n count (and copies of the base point change
        nothing).
    tiling : Tiling, optional
    on_progress : callable, optional
        Called with the fraction done after every block of prompts; whatever it raises stops the work.

    Returns
    -------
    two_delta : torch.Tensor, shape (batch,), float64
        0 for clouds of fewer than four points.
    witness : torch.Tensor, shape (batch, 4), int64
        Indices (0, k, i, j): d(0,k) + d(i,j) is the largest sum. Indices repeat where there are fewer than four points.
    """
    import torch

    check_cloud(distances, dimensions=3)
    batch, n, _ = distances.shape
    lengths = torch.full((batch,), n) if lengths is None else lengths.cpu()
    if lengths.shape != (batch,) or (batch and not 1 <= int(lengths.min()) <= int(lengths.max()) <= n):
        raise PointsError(f"expected {batch} lengths from 1 to {n}, got {lengths.tolist()[:8]}")
    two_delta = torch.zeros(batch, dtype=torch.float64, device=distances.device)
    witness = torch.zeros((batch, 4), dtype=torch.int64, device=distances.device)
    size = max(1, _BLOCK_ELEMENTS // max(1, n * n))
    for start in range(0, batch, size):
        part = slice(start, start + size)
        two_delta[part], witness[part] = _block(distances[part], lengths[part], tiling)
        if on_progress is not None:
            on_progress(min(1.0, (start + size) / batch))
    return two_delta, witness


def _block(distances: torch.Tensor, lengths: torch.Tensor, tiling: Tiling | None) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    longest = int(lengths.max())
    # The search takes the points before its base, so the first point of each prompt changes places with its last.
    order = torch.arange(longest).repeat(len(lengths), 1)
    order.scatter_(1, lengths[:, None].long() - 1, 0)
    order[:, 0] = lengths - 1
    order = order.to(distances.device)
    cloud = torch.arange(len(lengths), device=distances.device)
    reordered = distances[cloud[:, None, None], order[:, :, None], order[:, None, :]]
    inside = torch.arange(longest, device=order.device) < lengths.to(order.device)[:, None]
    # Padding must not decide the scale of its prompt.
    reordered = torch.where(inside[:, :, None] & inside[:, None, :], reordered, 0.0)
    jobs = np.stack([np.arange(len(lengths)), lengths.numpy() - 1], axis=1)
    best = maximise(reordered, jobs, tiling=tiling)
    return best.two_delta, order.gather(1, best.witness)
