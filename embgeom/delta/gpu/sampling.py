"""Random quadruples of points, drawn and evaluated on the device: the mean of δ with its error, and a lower bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.found import Found
from embgeom.delta.four_point import two_delta
from embgeom.delta.gpu.device import check_cloud, interpreted, on_device, require_memory, to_single
from embgeom.delta.gpu.search import OnProgress
from embgeom.errors import OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["Sampled", "combine", "draw_quadruples", "sample"]

# 0.1 to 0.3 s on an H200, so that the host regains control often enough for progress and Ctrl-C.
CHUNK_QUADRUPLES = 2_000_000_000
_BLOCK = 256
_WARPS = 4
# Enough blocks to fill 132 multiprocessors 12 times over and still leave each a long loop.
_PROGRAMS = 132 * 12 * 8


@dataclass(frozen=True)
class Sampled:
    """Sums over a sample of quadruples; samples of disjoint numbers add up (:func:`combine`).

    Attributes
    ----------
    count : int
        Quadruples drawn, independent and uniform, with repetition.
    total, squares : float
        Sums of δ and of δ², in the unit of the distances and its square. Distances are rounded to float32 before the
        six of a quadruple are added (relative error of δ about 1e-7 of the diameter), sums are kept in float64.
    histogram : ndarray of int64, shape (bins,)
        Counts of δ in equal bins of [0, diameter/2].
    diameter : float
        Largest distance.
    largest : Found
        The quadruple of the largest δ, ranked in float32 and evaluated in float64: a lower bound on the four-point δ.
    """

    count: int
    total: float
    squares: float
    histogram: NDArray[np.int64]
    diameter: float
    largest: Found

    @property
    def mean(self) -> float:
        """Mean of δ over the sample, an unbiased estimate of the mean over all quadruples."""
        return self.total / self.count

    @property
    def standard_error(self) -> float:
        """Standard error of :attr:`mean`; NaN for a single quadruple."""
        if self.count < 2:
            return float("nan")
        variance = max(0.0, self.squares - self.total * self.mean) / (self.count - 1)
        return float(np.sqrt(variance / self.count))


def combine(parts: Sequence[Sampled]) -> Sampled:
    """Return the sample made of disjoint samples of one cloud."""
    largest = max((part.largest for part in parts), key=lambda found: found.two_delta)
    count = sum(part.count for part in parts)
    return Sampled(
        count,
        sum(part.total for part in parts),
        sum(part.squares for part in parts),
        np.sum([part.histogram for part in parts], axis=0),
        parts[0].diameter,
        Found(largest.witness, largest.two_delta, largest.certificate, {"quadruples": count}),
    )


def draw_quadruples(n: int, count: int, *, seed: int, offset: int = 0, device: str | torch.device) -> torch.Tensor:
    """Return the quadruples number ``offset`` … ``offset + count − 1`` of the stream of (``seed``, ``n``).

    Each is four distinct points in random order; a point's probability deviates from uniform by at most n / 2³².

    Returns
    -------
    torch.Tensor, shape (count, 4), int64
    """
    import torch

    from embgeom.delta.gpu._sampling_kernels import draw

    points = torch.empty((count, 4), dtype=torch.int32, device=device)
    with on_device(points.device):
        draw[(-(-count // _BLOCK),)](points, _seed(seed), offset, count, n, BLOCK=_BLOCK, num_warps=_WARPS)
    return points.long()


def sample(
    distances: torch.Tensor,
    count: int,
    *,
    seed: int,
    offset: int = 0,
    bins: int = 64,
    chunk: int = CHUNK_QUADRUPLES,
    on_progress: OnProgress | None = None,
) -> Sampled:
    """Return sums, histogram and maximum of δ over ``count`` random quadruples.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
        Symmetric, finite, ≥ 0, on a CUDA device (on the CPU in Triton's interpreter).
    count : int
        Number of quadruples.
    seed : int
        Of the Philox stream, 64 bits. The quadruples depend on seed, number and n alone; the sums, by their order of
        addition, also on ``chunk``.
    offset : int
        Number of the first quadruple: disjoint ranges are independent samples.
    bins : int
        Of the histogram, a power of two.
    chunk : int
        Quadruples per launch.
    on_progress : callable, optional
        Called with the fraction done after every launch; whatever it raises stops the work.
    """
    check_cloud(distances)
    if count < 1 or offset < 0 or chunk < 1 or bins < 2 or bins & (bins - 1):
        raise OptionError(
            "expected count ≥ 1, offset ≥ 0, chunk ≥ 1 and bins a power of two ≥ 2, "
            f"got {count}, {offset}, {chunk} and {bins}"
        )
    n = len(distances)
    require_memory(4 * n * n + 2**28, distances.device)
    single, scale, _ = to_single(distances[None], n, n)
    parts = []
    for start in range(0, count, chunk):
        size = min(chunk, count - start)
        parts.append(_chunk(distances, single[0], float(scale), size, _seed(seed), offset + start, bins))
        if on_progress is not None:
            on_progress((start + size) / count)
    return combine(parts)


def _chunk(
    distances: torch.Tensor, single: torch.Tensor, scale: float, count: int, seed: int, offset: int, bins: int
) -> Sampled:
    """Return the sample of one launch."""
    import torch

    from embgeom.delta.gpu._sampling_kernels import accumulate

    n, device = len(single), single.device
    # The interpreter takes a program at a time: few of them, and wide.
    block, most = (4096, 4) if interpreted() else (_BLOCK, _PROGRAMS)
    programs = min(most, -(-count // block))
    rounds = -(-count // (programs * block))
    sums, squares = torch.empty((2, programs), dtype=torch.float64, device=device)
    peaks = torch.empty(programs, dtype=torch.float32, device=device)
    numbers = torch.empty(programs, dtype=torch.int64, device=device)
    histograms = torch.empty((programs, bins), dtype=torch.int32, device=device)
    width = float(single.max())
    with on_device(device):
        accumulate[(programs,)](
            single, seed, offset, count, n, bins / width if width else 0.0, rounds,
            sums, squares, peaks, numbers, histograms,
            BLOCK=block, BINS=bins, num_warps=_WARPS, enable_fp_fusion=False,
        )  # fmt: skip
    histogram = histograms.sum(0, dtype=torch.int64).cpu().numpy()
    histogram[0] -= programs * rounds * block - count
    # Programs take rising numbers, so the first of the largest has the smallest number: ties do not depend on the grid.
    number = int(numbers[int((peaks == peaks.max()).nonzero()[0, 0])])
    a, b, c, d = draw_quadruples(n, 1, seed=seed, offset=offset + number, device=device)[0].tolist()
    witness = (a, b, c, d)
    largest = Found(witness, two_delta(distances, witness), "lower bound: random quadruples", {"quadruples": count})
    # The kernel sums 2δ of scaled distances.
    unit = 2 * scale
    total, square = float(sums.sum()) / unit, float(squares.sum()) / unit / unit
    return Sampled(count, total, square, histogram, float(distances.max()), largest)


def _seed(seed: int) -> int:
    """Return the low 64 bits of ``seed`` as the signed number that Triton takes."""
    low = seed & (2**64 - 1)
    return low - 2**64 if low >= 2**63 else low
