"""The compiled part of :mod:`embgeom.treelikeness.batch`: one thread, one cloud after the other."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.prompt_kernel import distances_of
from embgeom.treelikeness.jit import kernel
from embgeom.treelikeness.kernels import LARGEST, star_residual, tally_range

__all__ = ["ANGULAR", "COSINE", "EUCLIDEAN", "from_chords", "tally_clouds"]

#: The metrics, by number.
EUCLIDEAN, ANGULAR, COSINE = 0, 1, 2


@kernel
def from_chords(points: NDArray[np.float64], metric: int, distances: NDArray[np.float64]) -> None:
    """Turn the distances of unit vectors into 1 − cos (``metric`` COSINE) or angles (ANGULAR), in place."""
    for i in range(len(points)):
        for j in range(i):
            chord = distances[i, j]
            if metric == COSINE:
                value = chord * chord / 2
            else:  # the chord to the antipode gives the angle its digits near π
                total = 0.0
                for x in range(points.shape[1]):
                    total += (points[i, x] + points[j, x]) ** 2
                value = 2 * np.arctan2(chord, np.sqrt(total))
            distances[i, j] = value
            distances[j, i] = value


@kernel
def tally_clouds(
    vectors: NDArray[np.float64],
    rows: NDArray[np.int64],
    offsets: NDArray[np.int64],
    clouds: NDArray[np.int64],
    metric: int,
    tolerance: float,
    sums: NDArray[np.float64],
    histograms: NDArray[np.int64],
    by_point: NDArray[np.float64],
    diameters: NDArray[np.float64],
    variances: NDArray[np.float64],
    residuals: NDArray[np.float64],
) -> None:
    """Go through all quadruples of many clouds of points, one after the other.

    Cloud k is ``vectors[rows[offsets[k]:offsets[k + 1]]]``, four points or more; ``clouds`` says which k to do.
    ``metric`` is EUCLIDEAN, ANGULAR or COSINE; for the last two the vectors have norm 1. Written are the rows k of
    ``sums`` (in units of the diameter), ``histograms``, ``diameters``, ``variances`` (in units of the squared diameter)
    and ``residuals``, and ``by_point[offsets[k]:offsets[k + 1]]``.
    """
    for cloud in clouds:
        own = rows[offsets[cloud] : offsets[cloud + 1]]
        n = own.size
        points, distances = np.empty((n, vectors.shape[1])), np.empty((n, n))
        for i in range(n):
            points[i] = vectors[own[i]]
        distances_of(points, distances, 0, n)
        if metric != EUCLIDEAN:
            from_chords(points, metric, distances)
        largest = distances.max()
        diameters[cloud] = largest
        if largest == 0:
            continue
        part = by_point[offsets[cloud] : offsets[cloud + 1]]
        for a in range(n - 3):
            tally_range(
                distances, a, a + 1, n - 2, 1 / largest, tolerance * largest, sums[cloud], histograms[cloud], part
            )
        sums[cloud, LARGEST] /= largest
        variances[cloud], residuals[cloud] = star_residual(distances, 1 / largest)
