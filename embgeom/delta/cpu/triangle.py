"""Whether a matrix obeys the triangle inequality, and how far it is from it.

On points in many dimensions, every way round is longer by far. Then whole numbers tell that none is shorter: with
distances rounded to 1/8191 of a bound of the largest, d(x,y) − d(x,p) − d(p,y) is off by less than two steps. This is a
(max,+) product of −d with itself, ten times as fast as the differences in float64 that have to tell the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.gauge import as_kernel_input, power_of_two_scale
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.product import panel_count
from embgeom.delta.cpu.simd import PANEL, SHORT, TILE_ROWS, larger, pack_products
from embgeom.delta.cpu.tile import tile_sums
from embgeom.progress import OnProgress

__all__ = ["every_way_is_longer", "excess_of", "excess_through"]

_CHUNK_COST = 1e8  # matrix entries per chunk: some 50 ms
_SUMS_COST = 2e9  # sums in int16 per chunk: some 10 ms
_ALONE = 3e7  # sums that take a fraction of a millisecond, as much as handing work to other threads can cost
_DEPTH = 128  # rows of two panels that stay in the first-level cache together
_LOWEST, _LEAST = np.int16(-SHORT), np.int16(-2 * SHORT)


class _TooCloseError(Exception):
    """Some way round is no longer, or not by enough to tell."""


@kernel
def excess_of(distances: NDArray[np.float64], middle: int) -> float:
    """Return the largest d(x,y) − d(x,p) − d(p,y) over x, y for one p."""
    through = distances[middle]
    worst = -np.inf
    for x in range(len(distances)):
        row, own = distances[x], -np.inf
        for y in range(x):
            own = larger(own, row[y] - through[y])
        worst = max(worst, own - through[x])
    return worst


def excess_through(
    distances: NDArray[np.float64], middles: NDArray[np.int64], *, on_progress: OnProgress | None = None
) -> NDArray[np.float64]:
    """Return for each p of ``middles`` the largest d(x,y) − d(x,p) − d(p,y): positive where a way round is shorter.

    Parameters
    ----------
    distances
        Shape (n, n), float64, symmetric, finite.
    middles
        Shape (m,), indices.
    on_progress
        Called with the fraction of the work done; what it raises stops the work.

    Returns
    -------
    NDArray[np.float64]
        Shape (m,), in the unit of the distances.
    """
    distances = as_kernel_input(distances)
    per_chunk = max(1, int(2 * _CHUNK_COST / len(distances) ** 2))
    parts = [middles[start : start + per_chunk] for start in range(0, len(middles), per_chunk)]

    def measure(chunk: int) -> list[float]:
        return [excess_of(distances, int(middle)) for middle in parts[chunk]]

    return np.array([value for values in run_chunks(measure, len(parts), on_progress=on_progress) for value in values])


@kernel
def _pack_negated(distances: NDArray[np.float64], slope: float, padded: NDArray[np.float64], shorts: NDArray) -> None:
    """Write −d·``slope``, rounded, into panels; the diagonal and the padding are the lowest there is."""
    n = len(distances)
    zeros = np.zeros(PANEL)
    for x in range(n):
        padded[:n] = distances[x]
        for q in range(panel_count(n)):
            row = padded[q * PANEL : (q + 1) * PANEL]
            width = min(PANEL, n - q * PANEL)
            pack_products(shorts, (q * n + x) * PANEL, row, zeros, 0, width, 0.0, slope)
        shorts[(x // PANEL * n + x) * PANEL + x % PANEL] = _LOWEST


@kernel
def _none_shorter(shorts: NDArray[np.int16], n: int, j: int) -> bool:
    """Return whether all x < y, y in panel j, have every way round longer than d(x,y) by two steps at least."""
    block = np.empty(PANEL * PANEL, np.int16)
    for i in range(j + 1):
        rows = min(PANEL, n - i * PANEL)
        block[:] = _LEAST
        for z in range(0, n, _DEPTH):
            depth = min(_DEPTH, n - z)
            for r in range(0, rows, TILE_ROWS):
                tile_sums(shorts, (i * n + z) * PANEL + r, (j * n + z) * PANEL, block, r * PANEL, depth)
        if i == j:
            for r in range(rows):
                block[r * PANEL + r] = _LEAST
        first = (j * n + i * PANEL) * PANEL
        nearest = _LEAST
        direct, ways = shorts[first : first + rows * PANEL], block[: rows * PANEL]
        for t in range(rows * PANEL):
            nearest = larger(nearest, np.int16(ways[t] - direct[t]))
        if nearest > -2:
            return False
    return True


def every_way_is_longer(distances: NDArray[np.float64], largest: float) -> bool:
    """Return whether d(x,y) < d(x,p) + d(p,y) for all x, y and p; False also where this is too close to tell.

    Parameters
    ----------
    distances
        Shape (n, n), float64, symmetric, zero diagonal, non-negative, finite. Takes 2n² bytes beside it.
    largest
        The largest of them.
    """
    distances = as_kernel_input(distances)
    n = len(distances)
    panels = int(panel_count(n))
    shorts = np.empty(panels * n * PANEL, np.int16)
    _pack_negated(distances, power_of_two_scale(largest) * (SHORT // 2), np.zeros(panels * PANEL), shorts)
    cost = n * PANEL * PANEL  # of a block
    per_chunk = max(1, int(_SUMS_COST / (cost * panels)))
    parts = [range(start, min(start + per_chunk, panels)) for start in range(0, panels, per_chunk)]

    def certify(chunk: int) -> None:
        for j in parts[chunk]:
            if not _none_shorter(shorts, n, j):
                raise _TooCloseError

    try:
        run_chunks(certify, len(parts), threads=1 if cost * panels * (panels + 1) / 2 < _ALONE else None)
    except _TooCloseError:
        return False
    return True
