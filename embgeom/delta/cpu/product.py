"""Blocks of the symmetric (max,min) product C_xy = max_z min(G_xz, G_zy), and the largest C_xy − G_xy in them.

With G_xy = D_xp + D_yp − D_xy (twice Gromov's product at p), C_xy − G_xy is the largest S1 − S2 over z of the
quadruples p, x, y, z in which xy|zp is the largest sum. The maximum over x and y is 2δ_p; over all bases p as well, 2δ.

G is packed in panels of PANEL columns: panel q holds, row after row, G[:, q·PANEL : (q+1)·PANEL]. As G is symmetric, a
panel serves as columns and (read down) as rows. Padding columns are −HUGE and the diagonal +HUGE, so neither ever wins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import best_apex
from embgeom.delta.cpu.gauge import HUGE
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.simd import PANEL, TILE_ROWS, larger, tile_update

__all__ = ["BLOCK", "best_of_block", "pack_row", "panel_count"]

#: Floats of a block's workspace.
BLOCK = PANEL * PANEL

_DEPTH = 128  # rows of two panels that stay in the first-level cache together


@kernel
def panel_count(n: int) -> int:
    """Return how many panels n columns take."""
    return (n + PANEL - 1) // PANEL


@kernel
def pack_row(to_x: NDArray, to_base: NDArray, x: int, factor: float, panels: NDArray[np.float32]) -> None:
    """Write row x of G = factor·(D_xp + D_yp − D_xy) into the panels.

    ``to_x`` and ``to_base`` are the rows of x and p, of one dtype, cut to the n columns that take part; ``factor`` is
    of that dtype as well.
    """
    n = to_x.size
    own = to_base[x]
    full = n // PANEL
    for q in range(full):  # a constant trip count, for the vectoriser
        target = panels[(q * n + x) * PANEL : (q * n + x + 1) * PANEL]
        source, base = to_x[q * PANEL : (q + 1) * PANEL], to_base[q * PANEL : (q + 1) * PANEL]
        for j in range(PANEL):
            target[j] = (own + base[j] - source[j]) * factor
    if full * PANEL < n:
        target = panels[(full * n + x) * PANEL : (full * n + x + 1) * PANEL]
        target[:] = -HUGE
        for j in range(n - full * PANEL):
            target[j] = (own + to_base[full * PANEL + j] - to_x[full * PANEL + j]) * factor
    panels[(x // PANEL * n + x) * PANEL + x % PANEL] = HUGE


@kernel
def _largest_gap(panels: NDArray[np.float32], n: int, i: int, j: int, block: NDArray[np.float32]) -> float:
    """Fill the block with C − G for rows of panel i and columns of panel j; return its largest entry."""
    rows = min(PANEL, n - i * PANEL)
    tiles = (rows + TILE_ROWS - 1) // TILE_ROWS * TILE_ROWS
    block[:] = -HUGE
    for z in range(0, n, _DEPTH):
        depth = min(_DEPTH, n - z)
        for r in range(0, tiles, TILE_ROWS):
            left, right = (i * n + z) * PANEL + r, (j * n + z) * PANEL
            tile_update(panels, left, right, block, r * PANEL, depth)
    largest = -HUGE
    first = (j * n + i * PANEL) * PANEL
    size = rows * PANEL
    products, gaps = panels[first : first + size], block[:size]
    for t in range(size):
        gaps[t] -= products[t]
        largest = larger(largest, gaps[t])
    return largest


@kernel
def best_of_block(
    distances: NDArray[np.float64],
    base: int,
    panels: NDArray[np.float32],
    n: int,
    i: int,
    j: int,
    block: NDArray[np.float32],
    scale: float,
    margin: float,
    best: float,
) -> tuple[float, int, int, int]:
    """Return the largest S1 − S2 above ``best`` with x in panel i, y in panel j, and its z, x, y; else ``best``, −1s.

    Parameters
    ----------
    distances
        Shape (N, N) with N ≥ n, float64: the last word. Points z, x, y are the indices below n other than ``base``.
    panels, n, scale, margin
        G of n points times ``scale``, and how far C − G can be from the float64 value times ``scale``.
    block
        Workspace, BLOCK floats.
    best
        Value to beat, ≥ 0, in float64.
    """
    z, x, y = -1, -1, -1
    largest = _largest_gap(panels, n, i, j, block)
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
