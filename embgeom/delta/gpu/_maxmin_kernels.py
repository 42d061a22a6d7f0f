"""Triton kernels of the exact search: a float32 screen of every tile, and a float64 settlement of those that matter.

A *job* is a base point b together with the points before it. For a pair i < j < b the screen computes
max_k min((i|k)_b, (k|j)_b) − (i|j)_b over k < b, the (max,min) product of the Gromov products, doubled throughout so
that nothing is halved. Nothing of size n × n is written: each program reduces its tile to one number.

Imported only by :mod:`embgeom.delta.gpu.search`, at call time, so that the package does not need Triton.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# Triton reads the annotations of a kernel itself.

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["screen", "settle"]

# Below every doubled Gromov product of distances scaled to [0, 1) (these are ≥ −1); finite, so no NaN can arise.
_BELOW = tl.constexpr(-8.0)


# Counts are not specialised: a kernel for each kind of number would cost a second of compilation and gain nothing.
@triton.jit(do_not_specialize=["first_job", "first_tile", "n_tiles"])
def screen(distances, jobs, tiles, peaks, first_job, first_tile, n_tiles, pitch, stride,
           ROWS: tl.constexpr, COLS: tl.constexpr, UNROLL: tl.constexpr):  # fmt: skip
    """Write, for each (job, tile), the largest doubled gap of its pairs in float32; −8 or less where it has none.

    ``distances``: float32 (matrices, padded rows, ``pitch``), scaled to [0, 1). ``jobs``: int32 (…, 2), matrix and
    base. ``tiles``: int32 (…, 2), row tile and column tile. ``peaks``: float32, one per program.
    """
    pid = tl.program_id(0)
    job = first_job + pid // n_tiles
    tile = first_tile + pid % n_tiles
    base = tl.load(jobs + 2 * job + 1)
    cloud = distances + tl.load(jobs + 2 * job).to(tl.int64) * stride
    to_base = cloud + base.to(tl.int64) * pitch
    row0 = tl.load(tiles + 2 * tile) * ROWS
    col0 = tl.load(tiles + 2 * tile + 1) * COLS
    rows = row0 + tl.arange(0, ROWS)
    cols = col0 + tl.arange(0, COLS)
    base_rows = tl.load(to_base + rows)
    base_cols = tl.load(to_base + cols)
    # A tile outside the job runs no iteration; the grid is the same for all jobs of a launch.
    stop = tl.where((row0 < base) & (col0 < base), base, 0)
    # One warp: each lane holds four columns of every row, row operands are broadcast; see Tiling.
    best = tl.full((ROWS, COLS), _BELOW, tl.float32)
    at_rows = cloud + rows
    at_cols = cloud + cols
    for k in range(0, stop, UNROLL):
        for step in tl.static_range(UNROLL):
            # Products are recomputed from the distances: two additions per operand run beside the minima on another
            # pipe, and one matrix serves every base from the L2 cache.
            base_k = tl.load(to_base + k + step)
            base_k = tl.where(k + step < base, base_k, _BELOW)
            row_products = base_rows - tl.load(at_rows + step * pitch) + base_k
            col_products = base_cols - tl.load(at_cols + step * pitch) + base_k
            best = tl.maximum(best, tl.minimum(row_products[:, None], col_products[None, :]))
        at_rows += UNROLL * pitch
        at_cols += UNROLL * pitch
    inside = rows[:, None] < base
    pair = tl.load(cloud + rows.to(tl.int64)[:, None] * pitch + cols[None, :], mask=inside, other=0.0)
    gap = best - (base_rows[:, None] + base_cols[None, :]) + pair
    gap = tl.where((rows[:, None] < cols[None, :]) & (cols[None, :] < base), gap, _BELOW)
    tl.store(peaks + pid, tl.max(tl.max(gap, axis=1), axis=0))


@triton.jit(do_not_specialize=["n", "stride"])
def settle(distances, jobs, tiles, picks, values, codes, n, stride,
           ROWS: tl.constexpr, COLS: tl.constexpr):  # fmt: skip
    """Write, for each picked (job, tile), its largest S1 − S2 in float64 and the pair i·n + j that attains it.

    For a pair (i, j) and a third point k the sum d(b,k) + d(i,j) is set against the larger of the other two. Where it
    is the largest sum this is S1 − S2 itself, to the last bit; elsewhere it is negative, and the quadruple appears
    with its right pair in another tile. k = i and k = j give at most 0. ``distances``: float64 (matrices, n, n).
    """
    pid = tl.program_id(0)
    job = tl.load(picks + 2 * pid)
    tile = tl.load(picks + 2 * pid + 1)
    base = tl.load(jobs + 2 * job + 1)
    cloud = distances + tl.load(jobs + 2 * job).to(tl.int64) * stride
    to_base = cloud + base.to(tl.int64) * n
    rows = tl.load(tiles + 2 * tile) * ROWS + tl.arange(0, ROWS)
    cols = tl.load(tiles + 2 * tile + 1) * COLS + tl.arange(0, COLS)
    live = (rows[:, None] < cols[None, :]) & (cols[None, :] < base)
    code = rows.to(tl.int64)[:, None] * n + cols[None, :]
    base_rows = tl.load(to_base + rows, mask=rows < base, other=0.0)
    base_cols = tl.load(to_base + cols, mask=cols < base, other=0.0)
    pair = tl.load(cloud + code, mask=live, other=0.0)
    best = tl.full((ROWS, COLS), float("-inf"), tl.float64)
    row_k = cloud
    for k in range(0, base):
        k_rows = tl.load(row_k + rows, mask=rows < base, other=0.0)
        k_cols = tl.load(row_k + cols, mask=cols < base, other=0.0)
        others = tl.maximum(base_rows[:, None] + k_cols[None, :], base_cols[None, :] + k_rows[:, None])
        best = tl.maximum(best, (tl.load(to_base + k) + pair) - others)
        row_k += n
    best = tl.where(live, best, float("-inf"))
    value = tl.max(tl.max(best, axis=1), axis=0)
    first = tl.where(live & (best == value), code, 9223372036854775807)
    tl.store(values + pid, value)
    tl.store(codes + pid, tl.min(tl.min(first, axis=1), axis=0))
