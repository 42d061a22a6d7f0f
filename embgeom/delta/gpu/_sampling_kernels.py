"""Triton kernels that draw quadruples of points and accumulate their δ, one Philox counter per quadruple.

Quadruple number q is a function of (seed, q, n) alone: neither the grid nor the number of devices changes it, and its
points can be drawn again from its number.

Imported only by :mod:`embgeom.delta.gpu.sampling`, at call time, so that the package does not need Triton.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# Triton reads the annotations of a kernel itself.

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["accumulate", "draw"]


@triton.jit
def _quadruple(seed, number, n):
    """Return four distinct points of [0, n) per lane, uniform over ordered quadruples up to a bias of n / 2³²."""
    low = number.to(tl.uint32)
    high = (number >> 32).to(tl.uint32)
    zero = low * 0
    x0, x1, x2, x3 = tl.philox(seed, low, high, zero, zero)
    # The high word of the product with m maps 32 random bits to [0, m) without a division. Every later point is drawn
    # among the points that are left, counted upwards: it moves past each earlier one that it meets in rising order.
    size = zero + n
    a = tl.umulhi(x0.to(tl.uint32), size).to(tl.int32)
    b = tl.umulhi(x1.to(tl.uint32), size - 1).to(tl.int32)
    b += (b >= a).to(tl.int32)
    first = tl.minimum(a, b)
    last = tl.maximum(a, b)
    c = tl.umulhi(x2.to(tl.uint32), size - 2).to(tl.int32)
    c += (c >= first).to(tl.int32)
    c += (c >= last).to(tl.int32)
    middle = tl.maximum(first, tl.minimum(last, c))
    first = tl.minimum(first, c)
    last = tl.maximum(last, c)
    d = tl.umulhi(x3.to(tl.uint32), size - 3).to(tl.int32)
    d += (d >= first).to(tl.int32)
    d += (d >= middle).to(tl.int32)
    d += (d >= last).to(tl.int32)
    return a, b, c, d


# Not specialised: a kernel for each kind of number would cost a second of compilation and gain nothing.
@triton.jit(do_not_specialize=["seed", "offset", "count", "n"])
def draw(points, seed, offset, count, n, BLOCK: tl.constexpr):
    """Write the points of the quadruples offset … offset + count − 1. ``points``: int32 (count, 4)."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    a, b, c, d = _quadruple(seed, offset + lane, n)
    inside = lane < count
    tl.store(points + 4 * lane, a, mask=inside)
    tl.store(points + 4 * lane + 1, b, mask=inside)
    tl.store(points + 4 * lane + 2, c, mask=inside)
    tl.store(points + 4 * lane + 3, d, mask=inside)


@triton.jit(do_not_specialize=["seed", "offset", "count", "n", "rounds"])
def accumulate(distances, seed, offset, count, n, per_unit, rounds, sums, squares, peaks, numbers, histograms,
               BLOCK: tl.constexpr, BINS: tl.constexpr):  # fmt: skip
    """Write each program's partial sums of 2δ and (2δ)², its largest 2δ with its number, and its histogram.

    ``distances``: float32 (n, n), scaled to [0, 1). A program takes ``rounds`` blocks of BLOCK quadruples in a row;
    lanes beyond ``count`` add nothing to the sums and one each to bin 0, which the host takes off again.
    ``per_unit``: bins per unit of 2δ. ``sums``, ``squares``: float64; ``peaks``: float32; ``numbers``: int64, relative
    to ``offset``; ``histograms``: int32 (programs, BINS).
    """
    pid = tl.program_id(0)
    lane = tl.program_id(0).to(tl.int64) * rounds * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float64)
    square = tl.zeros((BLOCK,), tl.float64)
    peak = tl.full((BLOCK,), -1.0, tl.float32)
    number = lane
    histogram = tl.zeros((BINS,), tl.int32)
    for _ in range(0, rounds):
        inside = lane < count
        a, b, c, d = _quadruple(seed, offset + lane, n)
        # 64-bit row addresses: n² passes 2³¹ at n = 46341.
        row_a = distances + a.to(tl.int64) * n
        row_b = distances + b.to(tl.int64) * n
        row_c = distances + c.to(tl.int64) * n
        one = tl.load(row_a + b) + tl.load(row_c + d)
        two = tl.load(row_a + c) + tl.load(row_b + d)
        three = tl.load(row_a + d) + tl.load(row_b + c)
        high = tl.maximum(one, two)
        low = tl.minimum(one, two)
        gap = tl.maximum(high, three) - tl.maximum(low, tl.minimum(high, three))
        gap = tl.where(inside, gap, 0.0)
        wide = gap.to(tl.float64)
        total += wide
        square += wide * wide
        better = inside & (gap > peak)
        peak = tl.where(better, gap, peak)
        number = tl.where(better, lane, number)
        histogram += tl.histogram(tl.minimum((gap * per_unit).to(tl.int32), BINS - 1), BINS)
        lane += BLOCK
    top = tl.max(peak, axis=0)
    tl.store(sums + pid, tl.sum(total, axis=0))
    tl.store(squares + pid, tl.sum(square, axis=0))
    tl.store(peaks + pid, top)
    tl.store(numbers + pid, tl.min(tl.where(peak == top, number, 9223372036854775807), axis=0))
    tl.store(histograms + pid * BINS + tl.arange(0, BINS), histogram)
