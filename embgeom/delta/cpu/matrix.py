"""One pass over a matrix that may be one of distances: what is wrong with it, and the symmetric one that is nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.gauge import as_kernel_input
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks

__all__ = ["symmetrise", "symmetrise_rows"]

_BLOCK = 16  # a block and its mirror image stay in the first cache
_MOST = np.finfo(np.float64).max
_CHUNK = 4_000_000  # entries per chunk: some 20 ms
_FAULTY = (np.nan, np.nan, np.nan, np.nan)


@kernel
def symmetrise_rows(
    matrix: NDArray[np.float64], symmetric: NDArray[np.float64], start: int, stop: int
) -> tuple[float, float, float, float]:
    """Do the pairs i ≤ j with ``start`` ≤ i < ``stop``; see :func:`symmetrise`. NaNs if an entry is not finite."""
    n = len(matrix)
    largest, least, apart, diagonal = 0.0, np.inf, 0.0, 0.0
    for top in range(start, stop, _BLOCK):
        for left in range(top, n, _BLOCK):
            for i in range(top, min(stop, top + _BLOCK)):
                for j in range(max(left, i + 1), min(n, left + _BLOCK)):
                    a, b = matrix[i, j], matrix[j, i]
                    if not (abs(a) <= _MOST and abs(b) <= _MOST):
                        return _FAULTY
                    largest, least, apart = max(largest, abs(a), abs(b)), min(least, a, b), max(apart, abs(a - b))
                    mean = max((a + b) / 2, 0.0)
                    symmetric[i, j] = mean
                    symmetric[j, i] = mean
    for i in range(start, stop):
        own = matrix[i, i]
        if not abs(own) <= _MOST:
            return _FAULTY
        diagonal, least = max(diagonal, abs(own)), min(least, own)
        symmetric[i, i] = 0
    return max(largest, diagonal), least, apart, diagonal


def symmetrise(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float, float, float]] | None:
    """Return (matrix + its transpose)/2 with no entry below zero and zero on the diagonal, and what that took.

    Parameters
    ----------
    matrix
        Shape (n, n), float64. Not changed.

    Returns
    -------
    symmetric : NDArray[np.float64]
        Shape (n, n).
    faults : tuple of four float
        The largest absolute value, the smallest value, the largest difference between two mirror images, and the
        largest absolute value on the diagonal, of ``matrix``.

    None if an entry is not finite.
    """
    matrix = as_kernel_input(matrix)
    n = len(matrix)
    symmetric = np.empty((n, n))
    rows = max(1, _CHUNK // n)

    def work(chunk: int) -> tuple[float, float, float, float]:
        found: tuple[float, float, float, float] = symmetrise_rows(
            matrix, symmetric, chunk * rows, min(n, (chunk + 1) * rows)
        )
        return found

    chunks = -(-n // rows)
    largest, least, apart, diagonal = zip(*run_chunks(work, chunks), strict=True)
    if any(np.isnan(largest)):
        return None
    return symmetric, (max(largest), min(least), max(apart), max(diagonal))
