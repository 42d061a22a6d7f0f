"""What the kernels ask of the machine and of their input."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from embgeom.errors import OptionError, PointsError

if TYPE_CHECKING:
    import torch

__all__ = ["available", "check_cloud", "interpreted", "on_device", "require_memory", "to_single"]

# Bits that a scaled distance in [0, 1) may have for every sum in the screen to be exact: the sums stay below 4 in
# magnitude, and float32 holds multiples of 2⁻²² up to there.
_EXACT_BITS = 22
# Rounding of one screened value, in units of the scale. With u = 2⁻²⁵ (half a unit in the last place below 1): the
# operand d(b,i) − d(i,k) + d(b,k) errs by 3u for its inputs, 1u and 2u for its two sums; the pair's d(b,i) + d(b,j) by
# 2u and 2u; subtracting it (below 4) by 4u; adding d(i,j) by 1u and 4u. In all 19u; the 20th covers float64.
_SCREEN_ERROR = 20 * 2.0**-25
_BLOCK_ELEMENTS = 2**26


def interpreted() -> bool:
    """Return whether Triton runs in its interpreter, on CPU tensors."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in {"1", "true", "yes", "on", "y"}  # as Triton reads it


def available() -> bool:
    """Return whether the kernels can run: Triton is installed, and there is a CUDA device or Triton's interpreter."""
    if find_spec("triton") is None:
        return False
    import torch

    return interpreted() or torch.cuda.is_available()


def check_cloud(distances: torch.Tensor, *, dimensions: int = 2) -> None:
    """Raise unless ``distances`` is a float64 (batch of) square matrices of at least 4 points where kernels can run.

    A batch (``dimensions=3``) may have fewer points. Symmetry is the caller's to ensure: it would cost a pass.
    """
    import torch

    if not available() or not (interpreted() or distances.is_cuda):
        raise OptionError(
            f"Triton kernels cannot run on device {str(distances.device)!r} here: "
            "install triton and pass distances on a CUDA device, or use the CPU kernels"
        )
    shape = tuple(distances.shape)
    if distances.ndim != dimensions or shape[-1] != shape[-2]:
        raise PointsError(f"expected {'square' if dimensions == 2 else '(batch, n, n)'} distances, got shape {shape}")
    if distances.dtype != torch.float64:
        raise PointsError(f"expected float64 distances, got {distances.dtype}; convert them before the call")
    if dimensions == 2 and shape[0] < 4:
        raise PointsError(f"δ needs at least 4 points, got {shape[0]}")


def require_memory(needed: int, device: torch.device) -> None:
    """Raise before any work if the device cannot hold ``needed`` more bytes."""
    import torch

    if device.type != "cuda":
        return
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + cached
    if needed > free:
        raise PointsError(
            f"the search needs {needed / 1e9:.2f} GB on {device}, {free / 1e9:.2f} GB are free; use fewer points"
        )


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which launches go to ``device``: Triton launches on the current CUDA device."""
    import torch

    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def to_single(distances: torch.Tensor, height: int, pitch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Round each matrix to float32 after scaling it by the power of two that brings its maximum into [½, 1).

    Parameters
    ----------
    distances : torch.Tensor, shape (matrices, n, n), float64
    height, pitch : int
        Rows and columns of the result; zeros beyond n.

    Returns
    -------
    single : torch.Tensor, shape (matrices, height, pitch), float32
    scale : torch.Tensor, shape (matrices,), float64
        Factor from distances to ``single``.
    error : torch.Tensor, shape (matrices,), float64
        Bound on the rounding error of a value of the float32 screen, in scaled units; 0 where all of it is exact,
        as for integers.
    """
    import torch

    matrices, n, _ = distances.shape
    # −1022 keeps the factor finite for subnormal distances, which then only lose the benefit of the scaling.
    exponent = torch.frexp(distances.amax((1, 2))).exponent.clamp(min=-1022)
    scale = torch.ldexp(torch.ones_like(exponent, dtype=torch.float64), -exponent)
    single = torch.zeros((matrices, height, pitch), dtype=torch.float32, device=distances.device)
    exact = torch.ones(matrices, dtype=torch.bool, device=distances.device)
    sound = torch.ones((), dtype=torch.bool, device=distances.device)
    rows = max(1, _BLOCK_ELEMENTS // max(1, matrices * n))
    for start in range(0, n, rows):
        block = distances[:, start : start + rows] * scale[:, None, None]
        single[:, start : start + block.shape[1], :n] = block
        sound &= (block.isfinite() & (block >= 0)).all()
        block *= 2.0**_EXACT_BITS
        exact &= (block == block.round()).all(2).all(1)
    if not bool(sound):
        raise PointsError("expected finite distances ≥ 0, got NaN, infinity or a negative number")
    return single, scale, torch.where(exact, 0.0, torch.full_like(scale, _SCREEN_ERROR))
