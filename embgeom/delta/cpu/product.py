"""Blocks of the symmetric (max,min) product C_xy = max_z min(G_xz, G_zy), and the largest C_xy − G_xy in them.

With G_xy = D_xp + D_yp − D_xy (twice Gromov's product at p), C_xy − G_xy is the largest S1 − S2 over z of the
quadruples p, x, y, z in which xy|zp is the largest sum. The maximum over x and y is 2δ_p; over all bases p as well, 2δ.

G is packed in panels of PANEL columns: panel q holds, row after row, G[:, q·PANEL : (q+1)·PANEL]. As G is symmetric, a
panel serves as columns and (read down) as rows. Padding columns are lowest of all and the diagonal highest, so neither
ever wins.

Three precisions, each for what the one before cannot decide. The product in int16, three times as fast as in float32,
tells that a block holds nothing above the best value so far: min and max pick one of their operands, so that rounding G
to steps of one moves C − G by at most one. A block that passes is done again in float32, from two panels packed for it
alone, and what may be above the best value then is evaluated in float64, on the distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import best_apex
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.simd import HUGE, PANEL, SHORT, TILE_ROWS, larger, pack_products
from embgeom.delta.cpu.tile import tile_update

__all__ = ["best_of_block", "pack_rows", "panel_count", "workspace"]

_DEPTH = 128  # rows of two panels that stay in the first-level cache together
_LOWEST = np.int16(-SHORT)
_ROUNDED = 1.0625  # by how much C − G can be off in int16: twice one half, and what float32 adds in rounding to int16
_PATIENCE = 16  # blocks that int16 may fail to tell more often than not, before it is given up


@kernel
def panel_count(n: int) -> int:
    """Return how many panels n columns take."""
    return (n + PANEL - 1) // PANEL


@kernel
def workspace(n: int) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Return what :func:`best_of_block` needs for n points: two blocks, two panels, and which panels they are."""
    state = np.full(3, -1)
    state[2] = 0
    size = PANEL * PANEL
    return np.empty(size, np.int16), np.empty(size, np.float32), np.empty(2 * n * PANEL, np.float32), state


@kernel
def _pack_corner(source: NDArray, base: int, n: int, x: int, q: int, factor: float, panels: NDArray, to: int) -> None:
    """Write row x of panel q where what would be read beyond n columns is no longer within the matrix."""
    start = q * PANEL
    ends = np.zeros((2, PANEL), source.dtype)
    ends[0, : n - start], ends[1, : n - start] = source[x, start:n], source[base, start:n]
    pack_products(panels, to, ends[0], ends[1], 0, n - start, source[base, x], factor)


@kernel
def pack_rows(
    source: NDArray, base: int, n: int, start: int, stop: int, slope: float, shorts: NDArray[np.int16]
) -> None:
    """Write rows ``start`` to ``stop`` of G·``slope``, rounded, into the panels.

    ``source`` holds the distances of N ≥ n points in any gauge and unit; ``slope``, of its dtype, keeps G in range. The
    n points are the first ones; where the base is among them its row and its column are the lowest there are.
    """
    to_base, full = source[base], n // PANEL
    end = full * PANEL
    for x in range(start, stop):
        to_x, own = source[x], source[base, x]
        for q in range(full):
            pack_products(shorts, (q * n + x) * PANEL, to_x, to_base, q * PANEL, PANEL, own, slope)
        if end < n:
            if max(x, base) * len(source) + end + PANEL <= source.size:
                pack_products(shorts, (full * n + x) * PANEL, to_x, to_base, end, n - end, own, slope)
            else:
                _pack_corner(source, base, n, x, full, slope, shorts, (full * n + x) * PANEL)
        shorts[(x // PANEL * n + x) * PANEL + x % PANEL] = SHORT
        if base < n:
            shorts[(base // PANEL * n + x) * PANEL + base % PANEL] = -SHORT
    if start <= base < min(n, stop):
        for q in range(panel_count(n)):
            shorts[(q * n + base) * PANEL : (q * n + base + 1) * PANEL] = -SHORT


@kernel
def _pack_panel(
    source: NDArray, base: int, n: int, q: int, factor: float, panels: NDArray[np.float32], first: int
) -> None:
    """Write panel q of G·``factor`` in float32 from ``panels[first]`` on; otherwise as :func:`pack_rows`."""
    to_base, start = source[base], q * PANEL
    width = min(PANEL, n - start)
    for x in range(n):
        if max(x, base) * len(source) + start + PANEL <= source.size:
            pack_products(panels, first + x * PANEL, source[x], to_base, start, width, to_base[x], factor)
        else:
            _pack_corner(source, base, n, x, q, factor, panels, first + x * PANEL)
    for x in range(q * PANEL, min(n, (q + 1) * PANEL)):
        panels[first + x * PANEL + x % PANEL] = HUGE
    if base < n:
        panels[first + base * PANEL : first + (base + 1) * PANEL] = -HUGE
        if base // PANEL == q:
            for x in range(n):
                panels[first + x * PANEL + base % PANEL] = -HUGE


@kernel
def _largest_gap(panels: NDArray, n: int, left: int, right: int, i: int, lowest: float, block: NDArray) -> float:
    """Fill the block with C − G; return its largest entry.

    Its rows are the columns of the panel i, which starts at ``left``; its columns are those of the one at ``right``.
    """
    rows = min(PANEL, n - i * PANEL)
    tiles = (rows + TILE_ROWS - 1) // TILE_ROWS * TILE_ROWS
    block[:] = lowest
    for z in range(0, n, _DEPTH):
        depth = min(_DEPTH, n - z)
        for r in range(0, tiles, TILE_ROWS):
            tile_update(panels, left + z * PANEL + r, right + z * PANEL, block, r * PANEL, depth)
    largest = lowest
    first = right + i * PANEL * PANEL
    size = rows * PANEL
    products, gaps = panels[first : first + size], block[:size]
    for t in range(size):
        gaps[t] -= products[t]
        largest = larger(largest, gaps[t])
    return largest


@kernel
def best_of_block(
    distances: NDArray[np.float64],
    source: NDArray,
    factor: float,
    base: int,
    n: int,
    i: int,
    j: int,
    shorts: NDArray[np.int16],
    slope: float,
    work: tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]],
    scale: float,
    margin: float,
    best: float,
) -> tuple[float, int, int, int]:
    """Return the largest S1 − S2 above ``best`` with x in panel i, y in panel j, and its z, x, y; else ``best``, −1s.

    Parameters
    ----------
    distances
        Shape (N, N) with N ≥ n, float64: the last word. Points z, x, y are the indices below n other than ``base``.
    source, factor, scale, margin
        C − G of ``source`` times ``factor`` is the float64 value times ``scale``, but for ``margin``.
    shorts, slope
        The panels of G in int16, and how many of their steps make a unit of ``source`` times ``factor``.
    work
        A :func:`workspace`; its last entry has −1 in its first two places for a new base.
    best
        Value to beat, ≥ 0, in float64.
    """
    z, x, y = -1, -1, -1
    short_block, block, pair, state = work
    if state[2] < _PATIENCE:
        highest = _largest_gap(shorts, n, i * n * PANEL, j * n * PANEL, i, _LOWEST, short_block)
        if highest <= (best * scale - margin) * slope - _ROUNDED:
            state[2] = max(0, state[2] - 1)
            return best, z, x, y
        state[2] += 1
    size = n * PANEL
    for slot, q in ((0, i), (1, j)):
        if state[slot] != q:
            _pack_panel(source, base, n, q, factor, pair, slot * size)
            state[slot] = q
    largest = _largest_gap(pair, n, 0, size, i, -HUGE, block)
    if largest <= best * scale - margin:
        return best, z, x, y
    rows, columns = min(PANEL, n - i * PANEL), min(PANEL, n - j * PANEL)
    for everything in (False, True):  # the block's float32 maximum first: it raises the bar for all the others
        for r in range(rows):
            for c in range(columns):
                row, column, value = i * PANEL + r, j * PANEL + c, block[r * PANEL + c]
                if value <= best * scale - margin or not (everything or value == largest):
                    continue
                if (i == j and row >= column) or row == base or column == base:
                    continue
                for start, stop in ((0, min(base, n)), (base + 1, n)):
                    found, apex = best_apex(distances, base, row, column, start, stop, best)
                    if apex >= 0:
                        best, z, x, y = found, apex, row, column
    return best, z, x, y
