"""Which code does the work: compiled CPU kernels, GPU kernels, or plain torch where neither can run.

The kernels return the exact maximum of the float64 four-point values. Plain torch does but for rounding: of quadruples
that differ in their last digits alone, it may take one for another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from embgeom.delta import torch_blocks
from embgeom.delta.climbs import climb_matrix
from embgeom.delta.found import Found
from embgeom.metric import batched_distances, power_of_two
from embgeom.progress import OnProgress, progress_bar

if TYPE_CHECKING:
    import torch

__all__ = [
    "Backend",
    "Prompts",
    "backend_of",
    "climb",
    "fixed_base",
    "four_point",
    "obeys_triangles",
    "prepare",
    "prompts",
    "symmetrised",
    "triangle_excess",
]

Backend = Literal["numba", "triton", "torch"]

# Elements of the largest batch of distance matrices or of rows that torch works on: 64 MB in float64.
_BATCH = 8 * 2**20
# Up to here looking at every quadruple is as fast as looking for what need not be looked at.
_BRUTE_POINTS = 200
# Points up to which every triangle of a cloud is seen to in a second.
_TRIANGLE_POINTS = 5000
# Bits that a coordinate may be away from 1, with sums of squares far from the ends of float64.
_SQUARES_FIT = 300


@dataclass(frozen=True)
class Prompts:
    """Twice δ, the diameter and the witness (positions) of each of P prompts: shapes (P,), (P,) and (P, 4)."""

    two_delta: NDArray[np.float64]
    diameter: NDArray[np.float64]
    witness: NDArray[np.int64]


def backend_of(device: torch.device) -> Backend:
    """Return what computes on ``device``: ``numba`` on a CPU, ``triton`` on a GPU, if installed, else ``torch``."""
    if device.type == "cpu" and find_spec("numba") is not None:
        return "numba"
    if device.type == "cuda":
        from embgeom.delta import gpu

        if gpu.available():
            return "triton"
    return "torch"


@cache
def prepare(device: torch.device, *, show: bool) -> None:
    """Compile the CPU kernels, if they serve ``device`` and that has not been done since they were installed.

    The compiled code stays on disk beside the package (or in numba's cache folder), so that this happens once.
    """
    if backend_of(device) != "numba":
        return
    from embgeom.delta.cpu.compile import compile_kernel
    from embgeom.delta.cpu.warmth import Kernel, is_compiled

    cold = [kernel for kernel in get_args(Kernel) if not is_compiled(kernel)]
    if not cold:
        return
    with progress_bar(len(cold), "compiling the kernels, once per installation", show=show) as bar:
        for kernel in cold:
            compile_kernel(kernel)
            bar.update()


def four_point(distances: torch.Tensor, *, seed: int = 0, on_progress: OnProgress | None = None) -> Found:
    """Return the four-point δ of a distance matrix (n, n) exactly.

    Under ``torchrun`` the GPUs share the work by base points. The pruned scan of the CPU is not shared: each rank does
    all of it, which is faster than sharing a brute force.
    """
    backend = backend_of(distances.device)
    if backend == "numba":
        from embgeom.delta.cpu.brute import brute_force
        from embgeom.delta.cpu.pruned import pruned_scan

        if len(distances) <= _BRUTE_POINTS:
            return brute_force(distances.numpy(), on_progress=on_progress)
        return pruned_scan(distances.numpy(), seed=seed, on_progress=on_progress)
    from embgeom.delta.gpu import sharded

    search = None if backend == "triton" else torch_blocks.four_point
    return sharded.four_point(distances, search=search, on_progress=on_progress)


def fixed_base(distances: torch.Tensor, base: int, *, on_progress: OnProgress | None = None) -> Found:
    """Return δ_p of a distance matrix (n, n) exactly; the witness is (p, z, x, y)."""
    backend = backend_of(distances.device)
    if backend == "numba":
        from embgeom.delta.cpu import minmax

        return minmax.fixed_base(distances.numpy(), base, on_progress=on_progress)
    if backend == "triton":
        from embgeom.delta.gpu import fixed_base as kernel

        return kernel.fixed_base(distances, base, on_progress=on_progress)
    return torch_blocks.fixed_base(distances, base, on_progress=on_progress)


def climb(distances: torch.Tensor, climbs: int, *, seed: int, on_progress: OnProgress | None = None) -> Found:
    """Return the best quadruple that random climbs reach: a lower bound of δ."""
    if backend_of(distances.device) == "numba":
        from embgeom.delta.cpu import climbs as kernel

        return kernel.climb(distances.numpy(), climbs, seed, on_progress=on_progress)
    return climb_matrix(distances, climbs, seed=seed, on_progress=on_progress)


def symmetrised(matrix: torch.Tensor) -> tuple[torch.Tensor, tuple[float, float, float, float]] | None:
    """Return (matrix + its transpose)/2 without negative entries and with a zero diagonal, and what was wrong before.

    That is the largest absolute value of ``matrix`` (n, n, float64), its smallest value, the largest difference between
    mirror images and the largest absolute value on the diagonal. None if an entry is not finite.
    """
    if backend_of(matrix.device) == "numba":
        import torch

        from embgeom.delta.cpu import matrix as kernel

        found = kernel.symmetrise(matrix.numpy())
        return None if found is None else (torch.from_numpy(found[0]), found[1])
    if not bool(matrix.isfinite().all()):
        return None
    faults = (matrix.abs().max(), matrix.min(), (matrix - matrix.T).abs().max(), matrix.diagonal().abs().max())
    largest, least, apart, diagonal = (float(each) for each in faults)
    return ((matrix + matrix.T) / 2).clamp_(min=0).fill_diagonal_(0), (largest, least, apart, diagonal)


def obeys_triangles(distances: torch.Tensor, largest: float) -> bool:
    """Return whether it is seen at once that no d(x,y) exceeds any way round; what is too close to tell is not.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
    largest : float
        The largest of them.
    """
    if backend_of(distances.device) != "numba" or len(distances) > _TRIANGLE_POINTS:
        return False
    from embgeom.delta.cpu import triangle

    return triangle.every_way_is_longer(distances.numpy(), largest)


def triangle_excess(
    distances: torch.Tensor, middles: NDArray[np.int64], *, on_progress: OnProgress | None = None
) -> NDArray[np.float64]:
    """Return for each p of ``middles`` the largest d(x,y) − d(x,p) − d(p,y) of a matrix (n, n)."""
    if backend_of(distances.device) == "numba":
        from embgeom.delta.cpu import triangle

        return triangle.excess_through(distances.numpy(), middles, on_progress=on_progress)
    excess = np.empty(len(middles))
    for number, middle in enumerate(middles):
        through = distances[int(middle)]
        excess[number] = float((distances - through - through[:, None]).max())
        if on_progress is not None:
            on_progress((number + 1) / len(middles))
    return excess


def prompts(
    rows: torch.Tensor, clouds: Sequence[NDArray[np.int64]], *, metric: str, exact: bool, on_progress: OnProgress
) -> Prompts:
    """Return δ of every prompt, four-point (``exact``) or with the first token as base, in one call.

    Parameters
    ----------
    rows : torch.Tensor, shape (V, d), float64
        The vectors of the distinct tokens.
    clouds : sequence of int64 arrays
        Indices into ``rows``, one array per prompt.
    """
    if metric == "euclidean" and backend_of(rows.device) == "numba":
        from embgeom.delta.cpu import prompts as kernel

        solve = kernel.four_point_batch if exact else kernel.fixed_base_batch
        offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in clouds])])
        scale = power_of_two(rows)  # the kernels square differences
        if abs(math.log2(scale)) < _SQUARES_FIT:
            scale = 1.0
        scaled = rows if scale == 1 else rows / scale
        found = solve(scaled.numpy(), np.concatenate(clouds), offsets, on_progress=on_progress)
        return Prompts(found.two_delta * scale, found.diameter * scale, found.witnesses)
    return _prompts_by_torch(rows, clouds, metric, exact, on_progress)


def _prompts_by_torch(
    rows: torch.Tensor, clouds: Sequence[NDArray[np.int64]], metric: str, exact: bool, on_progress: OnProgress
) -> Prompts:
    """Work through batches of prompts of similar length."""
    import torch

    count = len(clouds)
    result = Prompts(np.zeros(count), np.zeros(count), np.zeros((count, 4), dtype=np.int64))
    lengths = np.array([len(ids) for ids in clouds])
    total, done = float((lengths**3.0).sum()), 0.0
    for batch in _batches(lengths, rows.shape[1]):
        width = int(lengths[batch].max())
        # Padding with the base point changes neither δ nor the diameter: it only repeats a point.
        padded = np.stack([np.pad(clouds[k], (0, width - lengths[k]), constant_values=clouds[k][0]) for k in batch])
        distances = batched_distances(rows[torch.from_numpy(padded).to(rows.device)], metric=metric)
        result.diameter[batch] = distances.flatten(1).amax(1).cpu().numpy()
        for field, values in zip(
            (result.two_delta, result.witness), _solve_batch(distances, lengths[batch], exact), strict=True
        ):
            field[batch] = values
        done += float((lengths[batch] ** 3.0).sum())
        on_progress(done / total)
    return result


def _solve_batch(distances: torch.Tensor, lengths: NDArray[np.int64], exact: bool) -> tuple[Any, Any]:
    import torch

    if exact:
        found = [four_point(cloud[:size, :size].contiguous()) for cloud, size in zip(distances, lengths, strict=True)]
        return [each.two_delta for each in found], [each.witness for each in found]
    if backend_of(distances.device) == "triton":
        from embgeom.delta.gpu import prompts as kernel

        pair = kernel.fixed_base_batch(distances, torch.from_numpy(lengths).to(distances.device))
    else:
        pair = torch_blocks.fixed_base_batch(distances)
    return pair[0].cpu().numpy(), pair[1].cpu().numpy()


def _batches(lengths: NDArray[np.int64], dimension: int) -> Iterator[NDArray[np.int64]]:
    """Yield groups of prompt numbers, longest first, such that neither distances nor rows exceed the batch size."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = int(lengths[order[start]])
        size = max(1, _BATCH // (width * max(width, dimension)))
        yield order[start : start + size]
        start += size
