"""δ over random quadruples: its sum, sum of squares, histogram and maximum, some hundred million quadruples a second.

Quadruple number q is a function of (seed, q, n) alone, so that neither threads nor chunks change what is drawn, and the
largest need only be remembered by its number. The work goes in batches that stay in the first cache: the random numbers
and the places of the six distances are made by vector instructions, and so is what follows the six loads. Beyond some
hundred points the loads decide the speed; the distances are therefore packed without their mirror images, which halves
what the caches must hold and, unlike float32, changes no value.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta_of
from embgeom.delta.cpu.gauge import as_kernel_input, power_of_two_scale
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.mixing import mixed
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.simd import larger, smaller
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["Sampled", "draw_quadruples", "sample", "tally_chunk"]

_BATCH = 256  # quadruples whose places, gaps and bins (16 KB) stay in the first cache
_CHUNKS = 64  # at least, where there are enough quadruples: work for many threads
_SMALLEST_CHUNK, _LARGEST_CHUNK = 2**14, 2**21  # from under a millisecond to 0.2 s where every load misses the caches
# Puts a value that lies on the edge of two bins into the upper one, whichever way the three roundings went.
_EDGE = 1 + 2.0**-51


@dataclass(frozen=True)
class Sampled:
    """Sums over a sample of quadruples.

    Attributes
    ----------
    count : int
        Quadruples drawn, independent and uniform, with repetition.
    total, squares : float
        Sums of 2δ · ``scale`` and of its square, in float64: partial sums of 256, added up to 2²¹, then exactly.
    scale : float
        A power of two that brings the diameter into [½, 1), so that no square leaves the range of float64.
    histogram : ndarray of int64, shape (bins,)
        Counts of δ in equal bins of [0, diameter/2], the last one closed; larger values, which no metric has, count
        there.
    largest : Found
        The quadruple with the largest δ of those drawn, the first one of equals.
    """

    count: int
    total: float
    squares: float
    scale: float
    histogram: NDArray[np.int64]
    largest: Found

    @property
    def mean(self) -> float:
        """Mean of δ over the sample, in the unit of the distances: an unbiased estimate of that over all quadruples."""
        return self.total / self.count / 2 / self.scale

    @property
    def standard_deviation(self) -> float:
        """Population standard deviation of δ over the sample, in the unit of the distances."""
        scaled = self.total / self.count
        return math.sqrt(max(0.0, self.squares / self.count - scaled * scaled)) / 2 / self.scale


@kernel
def _sorted_three(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Return three indices in rising order, without a branch."""
    low, high = min(a, b), max(a, b)
    return min(low, c), max(low, min(high, c)), max(high, c)


@kernel
def _quadruple(seed: np.uint64, number: int, n: int) -> tuple[int, int, int, int]:
    """Return four distinct indices below n, uniform over ordered quadruples up to a bias of n / 2³².

    The upper word of a product with m maps 32 random bits to [0, m). Each index is drawn among those that are left,
    and moves past every earlier one that it meets in rising order, so that nothing is rejected and nothing branches.
    """
    golden, word, low = np.uint64(0x9E3779B97F4A7C15), np.uint64(32), np.uint64(0xFFFFFFFF)
    # Mixed, so that the streams of neighbouring seeds are not one stream, shifted.
    state = mixed(seed + golden) + np.uint64(number) * (np.uint64(2) * golden)
    one, two, size = mixed(state), mixed(state + golden), np.uint64(n)
    a = np.int64(((one >> word) * size) >> word)
    b = np.int64(((one & low) * (size - np.uint64(1))) >> word)
    c = np.int64(((two >> word) * (size - np.uint64(2))) >> word)
    d = np.int64(((two & low) * (size - np.uint64(3))) >> word)
    b += np.int64(b >= a)
    c += np.int64(c >= min(a, b))
    c += np.int64(c >= max(a, b))
    first, second, third = _sorted_three(a, b, c)
    d += np.int64(d >= first)
    d += np.int64(d >= second)
    d += np.int64(d >= third)
    return a, b, c, d


@kernel
def _locate(seed: np.uint64, start: int, n: int, places: NDArray[np.int64]) -> None:
    """Fill ``places`` with where the packed distances of the quadruples from ``start`` on are, opposite ones paired."""
    pq, rs, pr, qs, ps, qr = places[0], places[1], places[2], places[3], places[4], places[5]
    for i in range(pq.size):
        a, b, c, d = _quadruple(seed, start + i, n)
        first, second, third = _sorted_three(a, b, c)
        p, s = min(first, d), max(third, d)
        q, r = max(first, min(second, d)), min(third, max(second, d))
        row_q, row_r, row_s = (q * (q - 1)) >> 1, (r * (r - 1)) >> 1, (s * (s - 1)) >> 1
        pq[i], rs[i] = row_q + p, row_s + r
        pr[i], qs[i] = row_r + p, row_s + q
        ps[i], qr[i] = row_s + p, row_r + q


@kernel
def _gather(packed: NDArray[np.float64], places: NDArray[np.int64], gaps: NDArray[np.float64]) -> None:
    """Fill ``gaps`` with the largest less the middle one of the three sums of opposite distances."""
    pq, rs, pr, qs, ps, qr = places[0], places[1], places[2], places[3], places[4], places[5]
    for i in range(gaps.size):
        # Unsigned: else each index would be tested for counting from the end.
        first = packed[np.uint64(pq[i])] + packed[np.uint64(rs[i])]
        second = packed[np.uint64(pr[i])] + packed[np.uint64(qs[i])]
        third = packed[np.uint64(ps[i])] + packed[np.uint64(qr[i])]
        high, low = larger(first, second), smaller(first, second)
        gaps[i] = larger(high, third) - larger(low, smaller(high, third))


@kernel(fastmath={"reassoc"})  # sums in the lanes of a vector; the order is fixed when the kernel is compiled
def _sums(
    gaps: NDArray[np.float64], scale: float, per_unit: float, last: float, places: NDArray[np.int32]
) -> tuple[float, float, float]:
    """Return sum and sum of squares of the scaled gaps and the largest unscaled one; fill in their bins."""
    total, squares, highest = 0.0, 0.0, -1.0
    for i in range(gaps.size):
        highest = larger(highest, gaps[i])
        scaled = gaps[i] * scale
        total += scaled
        squares += scaled * scaled
        places[i] = np.int32(smaller(scaled * per_unit, last))
    return total, squares, highest


@kernel
def tally_chunk(
    packed: NDArray[np.float64],
    n: int,
    seed: np.uint64,
    start: int,
    stop: int,
    scale: float,
    per_unit: float,
    histogram: NDArray[np.int64],
) -> tuple[float, float, float, int, int, int, int]:
    """Count the quadruples numbered ``start`` to ``stop`` into ``histogram``.

    Return sum and sum of squares of 2δ · ``scale``, the largest 2δ and the first quadruple that attains it.
    ``per_unit``: bins per unit of 2δ · ``scale``.
    """
    places, gaps, bins = np.empty((6, _BATCH), np.int64), np.empty(_BATCH), np.empty(_BATCH, np.int32)
    last = float(histogram.size - 1)
    total, squares, best, number = 0.0, 0.0, -1.0, start
    for first in range(start, stop, _BATCH):
        _locate(seed, first, n, places)
        _gather(packed, places, gaps)
        drawn = gaps[: min(_BATCH, stop - first)]
        added, squared, highest = _sums(drawn, scale, per_unit, last, bins)
        total += added
        squares += squared
        if highest > best:
            best, number = highest, first
            while gaps[number - first] != highest:
                number += 1
        for i in range(drawn.size):
            histogram[np.uint32(bins[i])] += 1
    a, b, c, d = _quadruple(seed, number, n)
    return total, squares, best, a, b, c, d


@kernel
def _draw(seed: np.uint64, start: int, n: int, points: NDArray[np.int64]) -> None:
    """Fill the rows of ``points`` with the quadruples from number ``start`` on."""
    for i in range(len(points)):
        points[i, 0], points[i, 1], points[i, 2], points[i, 3] = _quadruple(seed, start + i, n)


def draw_quadruples(n: int, count: int, *, seed: int, offset: int = 0) -> NDArray[np.int64]:
    """Return the quadruples number ``offset`` … ``offset + count − 1`` that :func:`sample` draws, as (count, 4)."""
    points = np.empty((count, 4), np.int64)
    _draw(np.uint64(seed % 2**64), offset, n, points)
    return points


def sample(
    distances: NDArray[np.float64], count: int, *, seed: int, bins: int, on_progress: OnProgress | None = None
) -> Sampled:
    """Return sums, histogram and maximum of δ over ``count`` random quadruples of distinct points.

    Parameters
    ----------
    distances
        Shape (n, n), n ≥ 4, float64, symmetric, zero diagonal, finite, below 2¹⁰²⁰. Not checked. A copy of half its
        size is made.
    count
        Number of quadruples, at least 1.
    seed
        Any integer; the same seed gives the same result, to the last bit, on any number of threads.
    bins
        Of the histogram.
    on_progress
        Called with the fraction of the quadruples done; what it raises stops the work.
    """
    distances = as_kernel_input(distances)
    n, diameter = len(distances), float(distances.max())
    scale = power_of_two_scale(diameter)
    per_unit = bins / (diameter * scale) * _EDGE if diameter > 0 else 0.0
    packed = _packed(distances)
    per_chunk = min(_LARGEST_CHUNK, max(_SMALLEST_CHUNK, -(-count // (_CHUNKS * _BATCH)) * _BATCH))
    word, histogram, lock = np.uint64(seed % 2**64), np.zeros(bins, np.int64), threading.Lock()

    def tally(chunk: int) -> tuple[float, float, float, int, int, int, int]:
        counts = np.zeros(bins, np.int64)
        start = chunk * per_chunk
        part: tuple[float, float, float, int, int, int, int] = tally_chunk(
            packed, n, word, start, min(count, start + per_chunk), scale, per_unit, counts
        )
        with lock:
            np.add(histogram, counts, out=histogram)
        return part

    parts = run_chunks(tally, -(-count // per_chunk), on_progress=on_progress)
    _, _, _, a, b, c, d = max(parts, key=lambda part: part[2])
    value = float(two_delta_of(distances, np.array([a, b, c, d])))
    largest = Found((a, b, c, d), value, "largest of the quadruples drawn", {"quadruples": count})
    total, squares = math.fsum(part[0] for part in parts), math.fsum(part[1] for part in parts)
    return Sampled(count, total, squares, scale, histogram, largest)


def _packed(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances below the diagonal, row after row: that of i > j at i (i − 1) / 2 + j."""
    n = len(distances)
    packed = np.empty(n * (n - 1) // 2)
    for i in range(1, n):
        packed[i * (i - 1) // 2 : i * (i + 1) // 2] = distances[i, :i]
    return packed
