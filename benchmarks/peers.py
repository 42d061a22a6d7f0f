"""What others do: the formula of the paper's authors, a plain numpy sampler, and the package hypdelta."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

__all__ = ["authors_delta", "authors_prompts", "hypdelta_at_first_base", "hypdelta_four_point", "numpy_sample"]

Matrix = NDArray[np.float64]
Delta = Callable[[Matrix], float]


def authors_delta(distances: Matrix) -> float:
    """Return δ_p with the first point as base, by the usual numpy formula; it takes 8 n³ bytes.

    G_xy = ½(d(x,p) + d(y,p) − d(x,y)), and δ_p is the largest entry of (max_z min(G_xz, G_zy)) − G_xy.
    """
    products = (distances[:1, :] + distances[:, :1] - distances) / 2
    through = np.minimum(products[:, :, None], products[None]).max(axis=1)
    return float((through - products).max())


def authors_prompts(
    matrix: NDArray[np.floating], token_ids: Sequence[NDArray[np.int64]], *, faster_distances: bool = False
) -> list[float]:
    """Return 2 δ_p / diameter of every prompt, in a Python loop over the prompts, as the authors' script does it.

    It takes the distances from ``scipy.spatial.distance_matrix`` (``utils/delta_hyperbolicity.py`` of
    marlin-codes/HypLoRA at 4e91948), which is slow; with ``faster_distances`` they come from ``cdist``, the same.
    """
    from scipy.spatial import distance_matrix
    from scipy.spatial.distance import cdist

    distances_between = cdist if faster_distances else distance_matrix
    relative = []
    for ids in token_ids:
        points = matrix[ids]
        distances = distances_between(points, points)
        relative.append(2 * authors_delta(distances) / distances.max())
    return relative


def numpy_sample(distances: Matrix, quadruples: int, seed: int) -> tuple[float, float]:
    """Return the mean and the largest δ of quadruples drawn at random, as a few lines of numpy do it.

    Quadruples in which a point repeats are thrown away, so that a few less than asked for are looked at.
    """
    a, b, c, d = np.random.default_rng(seed).integers(len(distances), size=(4, quadruples))
    distinct = (a != b) & (a != c) & (a != d) & (b != c) & (b != d) & (c != d)
    a, b, c, d = a[distinct], b[distinct], c[distinct], d[distinct]
    first = distances[a, b] + distances[c, d]
    second = distances[a, c] + distances[b, d]
    third = distances[a, d] + distances[b, c]
    high, low = np.maximum(first, second), np.minimum(first, second)
    delta = (np.maximum(high, third) - np.maximum(low, np.minimum(high, third))) / 2
    return float(delta.mean()), float(delta.max())


def hypdelta_four_point(*, slow_to_compile: bool = True) -> dict[str, Delta]:
    """Return what hypdelta has for the four-point δ, by name; nothing where it is not installed.

    Its functions return 2 δ / diameter, which is turned back into δ here. ``naive`` is exact. ``condensed``, as
    ``hypdelta(..., strategy="condensed")`` calls it by default, is a heuristic around the first point. ``CCL`` looks at
    the farthest pairs alone, a share l of them (0.05 by default), and is exact for l = 2, which is all of them.

    ``slow_to_compile=False`` leaves out ``condensed``, which numba compiles for some ten seconds in every process.
    """
    if find_spec("hypdelta") is None:
        return {}
    from hypdelta.condensed import delta_condensed
    from hypdelta.fast import delta_CCL_cpu
    from hypdelta.naive import delta_naive_cpu

    relative: dict[str, Delta] = {"hypdelta naive": delta_naive_cpu}
    if slow_to_compile:
        relative["hypdelta condensed"] = lambda distances: float(delta_condensed(distances, tries=25, heuristic=True))
    relative["hypdelta CCL (l = 0.05)"] = lambda distances: float(delta_CCL_cpu(distances, 0.05))
    relative["hypdelta CCL (all pairs)"] = lambda distances: float(delta_CCL_cpu(distances, 2.0))
    return {name: _times_half_diameter(work) for name, work in relative.items()}


def hypdelta_at_first_base() -> dict[str, Delta]:
    """Return what hypdelta has for δ_p with the first point as base, by name; nothing where it is not installed.

    That is the numba kernel behind ``condensed``, called by itself with what it expects, the condensed distances; it
    returns δ_p. Through the public function (``heuristic=False``) hypdelta 0.1.47 hands it the square matrix and, for
    the number of points, the number of tries, which numba refuses to compile.
    """
    if find_spec("hypdelta") is None:
        return {}
    from hypdelta.condensed import calculate_delta_condensed
    from scipy.spatial.distance import squareform

    def work(distances: Matrix) -> float:
        return float(calculate_delta_condensed(squareform(distances, checks=False), len(distances)))

    return {"hypdelta condensed kernel": work}


def _times_half_diameter(relative: Delta) -> Delta:
    return lambda distances: float(relative(distances)) * float(distances.max()) / 2
