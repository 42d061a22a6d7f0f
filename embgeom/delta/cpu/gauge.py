"""The distances as the kernels like them: gauged, scaled by a power of two, in float32, with a rigorous margin.

S1 − S2 does not change under D_ij → E_ij = D_ij − h_i − h_j, because each of the three sums holds every vertex once.
With h the half-centred row means, E has zero row means: norms and hubs are gone, its magnitudes are small, and bounds
bite. Scaling by a power of two is exact, so that float32 serves distances of any magnitude.

The margin. Let u = 2⁻²⁴ and m = max |E|. Rounding an entry to float32 costs u·m, and every operation u times the size
of its result. The difference of two Gromov products of three entries each is off by at most 22u·m (8u·m per product,
6u·m for the difference). In the pruned scan E_cd + s_d − |w_c − w_d| is off by 16u·m, and what it is compared with,
L − E_ab − s_c, by 18u·m; the bounds before it take 7u·m more. 64u·m covers all of them; the float64 rounding of E and
of the four-point values themselves is covered by 2⁻⁴⁸ of the largest number in them, and 2⁻¹²⁰ covers underflow even
where another library has told the processor to flush subnormal numbers to zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks, thread_count
from embgeom.delta.cpu.simd import HUGE, larger

__all__ = ["Gauged", "as_kernel_input", "gauge", "margin_of", "power_of_two_scale"]

_UNIT = 2.0**-24
_GRID = 2.0**18  # entries that are multiples of 2⁻¹⁸ of the largest make every float32 sum exact
_ROWS_PER_PASS = 2_000_000  # matrix entries per chunk of a pass over the matrix


@dataclass(frozen=True)
class Gauged:
    """A gauged, scaled float32 copy of the distances.

    Attributes
    ----------
    values
        Shape (n, n), float32, symmetric: (D_ij − h_i − h_j)·scale; the diagonal is HUGE.
    scale
        The power of two by which the distances were multiplied.
    margin
        How far a float32 value computed from ``values`` can lie from the float64 one, in units of ``values``; 0 where
        all of float32's sums are exact, as for small integers.
    largest
        The largest absolute value off the diagonal.
    """

    values: NDArray[np.float32]
    scale: float
    margin: float
    largest: float


def as_kernel_input(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix as the compiled kernels take it: float64, C-contiguous, writeable (else copied)."""
    # A read-only array is another type to numba: each kernel would be compiled once more.
    matrix: NDArray[np.float64] = np.require(distances, np.float64, ["C", "W"])
    return matrix


def power_of_two_scale(largest: float) -> float:
    """Return the power of two that brings ``largest`` into [½, 1); 1 for zero."""
    if largest == 0:
        return 1.0
    return math.ldexp(1.0, min(1000, max(-1020, -math.frexp(largest)[1])))


def margin_of(largest_narrow: float, largest_wide: float = 0.0) -> float:
    """Return the rounding margin of float32 values up to ``largest_narrow`` made of float64 up to ``largest_wide``."""
    return 64 * _UNIT * largest_narrow + 2.0**-48 * largest_wide + 2.0**-120


@kernel
def _narrow_rows(
    distances: NDArray[np.float64],
    shift: NDArray[np.float64],
    scale: float,
    narrow: NDArray[np.float32],
    start: int,
    stop: int,
) -> float:
    """Fill rows of the gauged copy; return the largest absolute value off the diagonal."""
    largest = np.float32(0)
    for i in range(start, stop):
        source, target, own = distances[i], narrow[i], shift[i]
        for j in range(target.size):
            target[j] = source[j] * scale - (own + shift[j])  # symmetric to the last bit
        target[i] = 0
        for j in range(target.size):
            largest = larger(largest, abs(target[j]))
        target[i] = HUGE
    return largest


def gauge(distances: NDArray[np.float64], *, centre: bool = True) -> Gauged:
    """Return the float32 copy of a distance matrix in the gauge of its row means, or (``centre=False``) as it is.

    Parameters
    ----------
    distances
        Shape (n, n), float64, C-contiguous, symmetric, finite, zero diagonal; values up to 2¹⁰²⁰.
    centre
        Whether to subtract the half-centred row means.
    """
    n = len(distances)
    largest = float(np.abs(distances[0]).max()) if n < 2 else float(distances.max())
    scale = power_of_two_scale(largest)
    if _all_equal(distances, largest):  # else every quadruple would lie within the margin of the maximum, 0
        return Gauged(np.where(np.eye(n, dtype=bool), HUGE, np.float32(0)), scale, 0.0, 0.0)
    exact = _on_grid(distances, scale)
    shift = np.zeros(n)
    if centre:
        means = distances.mean(axis=1) * scale
        shift = means - means.mean() / 2
        if exact:  # stay on the grid, where float32 is exact
            shift = np.rint(shift * _GRID) / _GRID
    narrow = np.empty((n, n), np.float32)
    rows = max(1, _ROWS_PER_PASS // n)
    chunks = -(-n // rows)

    def fill(chunk: int) -> float:
        start = chunk * rows
        return float(_narrow_rows(distances, shift, scale, narrow, start, min(n, start + rows)))

    largest_narrow = max(run_chunks(fill, chunks, threads=1 if chunks < 2 else thread_count()))
    margin = 0.0 if exact else margin_of(largest_narrow, 1 + 2 * float(np.abs(shift).max()))
    return Gauged(narrow, scale, margin, largest_narrow)


def _all_equal(distances: NDArray[np.float64], largest: float) -> bool:
    """Return whether all distances off the diagonal are the same."""
    n = len(distances)
    if (distances[0, 1:] != largest).any():
        return False
    return int(np.count_nonzero(distances == largest)) >= n * (n - 1)


def _on_grid(distances: NDArray[np.float64], scale: float) -> bool:
    """Return whether every scaled distance is a multiple of the grid, so that no float32 sum rounds."""
    factor = scale * _GRID
    for start in range(0, len(distances), 64):  # stops at the first rows for anything but small integers
        grid = distances[start : start + 64] * factor
        if (grid != np.rint(grid)).any():
            return False
    return True
