"""How far a matrix is from obeying the triangle inequality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.gauge import as_kernel_input
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.simd import larger
from embgeom.progress import OnProgress

__all__ = ["excess_through"]

_CHUNK_COST = 1e8  # matrix entries per chunk: some 50 ms


@kernel
def _excess(distances: NDArray[np.float64], middle: int) -> float:
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
        return [_excess(distances, int(middle)) for middle in parts[chunk]]

    return np.array([value for values in run_chunks(measure, len(parts), on_progress=on_progress) for value in values])
