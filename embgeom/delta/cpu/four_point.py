"""The four-point value itself, S1 − S2 = 2δ, in float64: the last word on every witness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.simd import larger

__all__ = ["best_apex", "two_delta", "two_delta_of"]


@kernel
def two_delta(distances: NDArray[np.float64], a: int, b: int, c: int, d: int) -> float:
    """Return S1 − S2 of one quadruple: the largest of the three sums of opposite distances less the middle one.

    Parameters
    ----------
    distances
        Shape (n, n), float64, symmetric.
    a, b, c, d
        Row indices.
    """
    first = distances[a, b] + distances[c, d]
    second = distances[a, c] + distances[b, d]
    third = distances[a, d] + distances[b, c]
    if first < second:
        first, second = second, first
    if third > first:
        return third - first
    return first - max(second, third)


def two_delta_of(distances: NDArray[np.float64], quads: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return S1 − S2 of each of many quadruples, in plain numpy.

    Parameters
    ----------
    distances
        Shape (n, n), float64, symmetric.
    quads
        Shape (..., 4), integers: row indices.

    Returns
    -------
    NDArray[np.float64]
        Shape (...), in the unit of the distances.
    """
    a, b, c, d = np.moveaxis(np.asarray(quads), -1, 0)
    sums = np.stack(
        [distances[a, b] + distances[c, d], distances[a, c] + distances[b, d], distances[a, d] + distances[b, c]]
    )
    sums.sort(axis=0)
    largest_less_middle: NDArray[np.float64] = sums[2] - sums[1]
    return largest_less_middle


@kernel
def best_apex(
    distances: NDArray[np.float64], p: int, x: int, y: int, start: int, stop: int, bar: float
) -> tuple[float, int]:
    """Return the largest D_xy + D_zp − max(D_xz + D_yp, D_yz + D_xp) over start ≤ z < stop and its z; −1 if not > bar.

    This is S1 − S2 of the quadruple p, x, y, z wherever xy|zp is its largest sum, and at most zero elsewhere, in the
    same float64 operations as :func:`two_delta`. p must not be among the z; x and y may.
    """
    to_x, to_y, to_p = distances[x, start:stop], distances[y, start:stop], distances[p, start:stop]
    xy, xp, yp = distances[x, y], distances[p, x], distances[p, y]
    best = -np.inf
    for z in range(to_p.size):
        best = larger(best, (xy + to_p[z]) - larger(to_x[z] + yp, to_y[z] + xp))
    if best > bar:
        for z in range(to_p.size):
            if (xy + to_p[z]) - larger(to_x[z] + yp, to_y[z] + xp) == best:
                return best, start + z
    return best, -1
