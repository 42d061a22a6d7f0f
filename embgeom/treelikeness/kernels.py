"""The compiled sums over quadruples: of q = (S1 − S2)/(S1 − S3), of S1 − S2, of S1 − S3, and of q by point.

The quadruples go through a buffer that stays in the first cache: the three sums of opposite distances first, then, by
vector instructions, the ratios, their sums and their bins.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.simd import larger, smaller
from embgeom.treelikeness.jit import kernel

__all__ = [
    "BINS",
    "GAP",
    "GAP_GAP",
    "GAP_RANGE",
    "LARGEST",
    "Q_Q",
    "RANGE",
    "RANGE_RANGE",
    "SUMS",
    "Q",
    "star_residual",
    "tally_drawn",
    "tally_range",
]

#: Equal bins of the histogram of q over [0, 1], the last one closed.
BINS = 100
#: Places in the array of sums: of q, q², gap = S1 − S2, range = S1 − S3, their products, and the largest gap.
Q, Q_Q, GAP, RANGE, GAP_GAP, GAP_RANGE, RANGE_RANGE, LARGEST, SUMS = 0, 1, 2, 3, 4, 5, 6, 7, 8

_BUFFER = 512
# Puts a value that lies on the edge of two bins into the upper one, whichever way the roundings went.
_EDGE = 1 + 2.0**-51


@kernel
def _fill(
    distances: NDArray[np.float64], a: int, b: int, c: int, gaps: NDArray[np.float64], ranges: NDArray[np.float64]
) -> None:
    """Fill in S1 − S2 and S1 − S3 of the quadruples a, b, c, d for all d > c."""
    to_a, to_b, to_c = distances[a, c + 1 :], distances[b, c + 1 :], distances[c, c + 1 :]
    ab, ac, bc = distances[a, b], distances[a, c], distances[b, c]
    for i in range(gaps.size):
        first, second, third = ab + to_c[i], ac + to_b[i], bc + to_a[i]
        high, low = larger(first, second), smaller(first, second)
        top = larger(high, third)
        gaps[i] = top - larger(low, smaller(high, third))
        ranges[i] = top - smaller(low, third)


@kernel(fastmath={"reassoc"})  # sums in the lanes of a vector; the order is fixed when the kernel is compiled
def _add(
    gaps: NDArray[np.float64],
    ranges: NDArray[np.float64],
    scale: float,
    least: float,
    ratios: NDArray[np.float64],
    bins: NDArray[np.int32],
    sums: NDArray[np.float64],
) -> None:
    """Add the quadruples of a buffer to the sums; fill in their q and its bin.

    A gap of at most ``least`` is rounding, and counts as 0: so does its q, where S1 = S3 too.
    """
    q_sum, qq, g_sum, r_sum, gg, gr, rr, largest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(gaps.size):
        gap = gaps[i] if gaps[i] > least else 0.0
        span = ranges[i]
        q = gap / larger(span, least)  # the range is at least the gap, so that this changes it only where q is 0
        ratios[i] = q
        bins[i] = np.int32(smaller(q * (BINS * _EDGE), BINS - 1.0))
        largest = larger(largest, gaps[i])
        g, r = gap * scale, span * scale
        q_sum += q
        qq += q * q
        g_sum += g
        r_sum += r
        gg += g * g
        gr += g * r
        rr += r * r
    sums[Q] += q_sum
    sums[Q_Q] += qq
    sums[GAP] += g_sum
    sums[RANGE] += r_sum
    sums[GAP_GAP] += gg
    sums[GAP_RANGE] += gr
    sums[RANGE_RANGE] += rr
    sums[LARGEST] = larger(sums[LARGEST], largest)


@kernel(fastmath={"reassoc"})
def _total(values: NDArray[np.float64]) -> float:
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@kernel
def tally_range(
    distances: NDArray[np.float64],
    a: int,
    start: int,
    stop: int,
    scale: float,
    least: float,
    sums: NDArray[np.float64],
    histogram: NDArray[np.int64],
    by_point: NDArray[np.float64],
) -> None:
    """Add all quadruples a < b < c < d with ``start`` ≤ b < ``stop``.

    Parameters
    ----------
    distances
        Shape (n, n), float64, symmetric.
    scale
        A power of two that brings the diameter into [½, 1), so that no square leaves the range of float64.
    least
        A gap S1 − S2 of at most this, in the unit of the distances, counts as 0. Positive.
    sums, histogram, by_point
        Shapes (SUMS,), (BINS,) and (n,): what is added to; the last one holds, for each point, the sum of q over the
        quadruples with it.
    """
    n = len(distances)
    size = max(_BUFFER, n)
    gaps, ranges, ratios, bins = np.empty(size), np.empty(size), np.empty(size), np.empty(size, np.int32)
    for b in range(start, stop):
        c, total = b + 1, 0.0
        while c < n - 1:
            first, used = c, 0
            while c < n - 1 and used + n - 1 - c <= size:
                width = n - 1 - c
                _fill(distances, a, b, c, gaps[used : used + width], ranges[used : used + width])
                used += width
                c += 1
            _add(gaps[:used], ranges[:used], scale, least, ratios, bins, sums)
            for i in range(used):
                histogram[np.uint32(bins[i])] += 1
            used = 0
            for middle in range(first, c):
                own, later = ratios[used : used + n - 1 - middle], by_point[middle + 1 :]
                part = _total(own)
                by_point[middle] += part
                total += part
                for i in range(own.size):
                    later[i] += own[i]
                used += own.size
        by_point[a] += total
        by_point[b] += total


@kernel
def tally_drawn(
    distances: NDArray[np.float64],
    quadruples: NDArray[np.int64],
    scale: float,
    least: float,
    sums: NDArray[np.float64],
    histogram: NDArray[np.int64],
    by_point: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Add the given quadruples, shape (m, 4); as :func:`tally_range`, and count how many hold each point."""
    gaps, ranges, ratios, bins = np.empty(_BUFFER), np.empty(_BUFFER), np.empty(_BUFFER), np.empty(_BUFFER, np.int32)
    for first in range(0, len(quadruples), _BUFFER):
        drawn = quadruples[first : first + _BUFFER]
        for i in range(len(drawn)):
            a, b, c, d = drawn[i, 0], drawn[i, 1], drawn[i, 2], drawn[i, 3]
            one = distances[a, b] + distances[c, d]
            two = distances[a, c] + distances[b, d]
            three = distances[a, d] + distances[b, c]
            high, low = larger(one, two), smaller(one, two)
            top = larger(high, three)
            gaps[i] = top - larger(low, smaller(high, three))
            ranges[i] = top - smaller(low, three)
        _add(gaps[: len(drawn)], ranges[: len(drawn)], scale, least, ratios, bins, sums)
        for i in range(len(drawn)):
            histogram[np.uint32(bins[i])] += 1
            for k in range(4):
                by_point[drawn[i, k]] += ratios[i]
                counts[drawn[i, k]] += 1


@kernel
def star_residual(distances: NDArray[np.float64], scale: float) -> tuple[float, float]:
    """Return the variance of the distances, times ``scale``², and the share of it that the best star leaves.

    The star d_ij ≈ h_i + h_j with the least squared error over the pairs i < j has h_i = (R_i − H)/(n − 2), where R_i
    is the sum of row i and H = Σ R / (2(n − 1)) = Σ h (the normal equations, solved).
    """
    n = len(distances)
    pairs = n * (n - 1) / 2
    rows = np.empty(n)
    for i in range(n):
        rows[i] = _total(distances[i]) * scale
    total = rows.sum()
    h, mean = (rows - total / (2 * (n - 1))) / (n - 2), total / (2 * pairs)
    variance, left = 0.0, 0.0
    for i in range(n):
        own = distances[i]
        for j in range(i):
            value = own[j] * scale
            variance += (value - mean) ** 2
            left += (value - h[i] - h[j]) ** 2
    return variance / pairs, (left / variance if variance > 0 else 0.0)
