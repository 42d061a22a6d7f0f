"""One public door to the tree-likeness of one point cloud or distance matrix."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.checks import check_seed, require_at_least
from embgeom.delta.space import open_space
from embgeom.errors import OptionError, choose
from embgeom.metric import METRICS, as_tensor
from embgeom.progress import OnProgress, part, progress_of
from embgeom.results import versions
from embgeom.treelikeness import kernels as k
from embgeom.treelikeness.prepare import prepare
from embgeom.treelikeness.records import Estimate, TreeLikeness
from embgeom.treelikeness.tally import Tally, tally_all, tally_sample

if TYPE_CHECKING:
    from embgeom.metric import Array

__all__ = ["EXACT_POINTS", "METHODS", "TOLERANCE", "check_tree_options", "estimates_of", "tree_likeness"]

METHODS = ("auto", "exact", "sample")

EXACT_POINTS = 200
"""``auto`` looks at all quadruples of up to so many points: 65 million, some 50 ms."""

TOLERANCE = 1e-12
"""Share of the diameter that a gap S1 − S2 must exceed to be more than the rounding of float64 distances."""

_NARROW_TOLERANCE = 1e-6  # of distances that come in float32 or less


def check_tree_options(*, method: str, metric: str, quadruples: int, seed: int, confidence: float = 0.95) -> None:
    """Raise :class:`OptionError` for a value that is none of its option's."""
    choose("method", method, METHODS)
    choose("metric", metric, METRICS)
    require_at_least("quadruples", quadruples, 2)
    check_seed(seed)
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, got {confidence}")


def tree_likeness(
    points: Array | None = None,
    *,
    distances: Array | None = None,
    metric: str = "euclidean",
    method: str = "auto",
    quadruples: int = 1_000_000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = False,
    on_progress: OnProgress | None = None,
) -> TreeLikeness:
    """Return how tree-like a finite metric space is, by statistics over its quadruples.

    Relative δ, which cannot tell a tree from noise in many dimensions, and beside it four statistics, two of them about
    q = (S1 − S2)/(S1 − S3), which is 0 where four points fit a tree: see :class:`TreeLikeness`, also for how to read
    it. q rewards any clustering (two clusters are a tree), and is no measure of curvature.

    Parameters
    ----------
    points : array, shape (n, d)
        A cloud; give this or ``distances``. Any real dtype; distances are computed in float64. Equal points stay.
    distances : array, shape (n, n)
        A distance matrix.
    metric : {"euclidean", "angular", "cosine"}
        For ``points``; see :func:`embgeom.metric.pairwise_distances`.
    method : {"auto", "exact", "sample"}
        ``exact``: all quadruples. ``sample``: drawn independently, with repetition; means come with confidence
        intervals, from the normal approximation (for ``pooled_q`` by the delta method). ``auto``: exact up to 200
        points.
    quadruples : int
        How many to draw with method ``sample``.
    confidence : float
        Level of the intervals.
    seed : int
        Of the quadruples drawn: those of :func:`embgeom.hyperbolicity` with method ``sample`` on a CPU.
    progress : bool
        Show a progress bar on standard error.
    on_progress : callable, optional
        Called with the fraction done instead; whatever it raises stops the work.

    Raises
    ------
    PointsError
        For fewer than four points, rows that are not finite, points that are all equal, or a matrix that is no distance
        matrix.
    OptionError
        For an unknown method or metric, or too little memory for the matrix of distances.

    References
    ----------
    Holland, Huber, Dress, Moulton, *δ plots: a tool for analyzing phylogenetic distance data*, Molecular Biology and
    Evolution 19(12), 2002.

    Examples
    --------
    Four points in a row fit a tree, the corners of a square do not:

    >>> tree_likeness([[0.0], [1.0], [2.0], [4.0]]).mean_q.value
    0.0
    >>> round(tree_likeness([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).mean_q.value, 6)
    1.0
    """
    check_tree_options(method=method, metric=metric, quadruples=quadruples, seed=seed, confidence=confidence)
    if (points is None) == (distances is None):
        raise OptionError("give either points or distances")
    import torch

    prepare(show=progress)
    with progress_of("q", show=progress and on_progress is None) as bar:
        advance = on_progress or bar
        space = open_space(
            points,
            distances,
            metric=metric,
            device=torch.device("cpu"),
            matrix="always",
            on_progress=part(advance, 0, 0.2),
        )
        matrix = space.matrix.numpy()
        tolerance = _tolerance_of(distances)
        exact = method == "exact" or (method == "auto" and space.n <= EXACT_POINTS)
        rest = part(advance, 0.2, 1)
        if exact:
            tally = tally_all(matrix, tolerance=tolerance, on_progress=rest)
        else:
            tally = tally_sample(matrix, quadruples, seed=seed, tolerance=tolerance, on_progress=rest)
    return TreeLikeness(
        **estimates_of(tally, matrix, space.diameter, tolerance, None if exact else confidence),
        points=space.n,
        method="exact" if exact else "sample",
        confidence=None if exact else confidence,
        tolerance=tolerance,
        metric=space.metric,
        seed=None if exact else seed,
        versions=versions(),
    )


def _tolerance_of(distances: Any) -> float:
    """Return the share of the diameter that is rounding: more where distances were given in less than float64."""
    if distances is None:
        return TOLERANCE
    dtype = as_tensor(distances).dtype
    return _NARROW_TOLERANCE if dtype.is_floating_point and dtype.itemsize < 8 else TOLERANCE


def estimates_of(
    tally: Tally, distances: NDArray[np.float64], diameter: float, tolerance: float, confidence: float | None
) -> dict[str, Any]:
    """Turn sums into the fields of :class:`TreeLikeness` that follow from them; no ``confidence``, no intervals."""
    m, s = tally.quadruples, tally.sums
    variance, residual = k.star_residual(distances, tally.scale)
    sd = math.sqrt(variance)
    if sd <= tolerance * diameter * tally.scale:  # all distances are equal: a star, to the last bit
        sd, residual = 0.0, 0.0
    pooled = s[k.GAP] / s[k.RANGE] if s[k.GAP] > 0 else 0.0
    over_sd = 1 / sd if sd > 0 else 0.0

    def estimate(value: float, squares: float) -> Estimate:
        """``squares``: sum over the sample of the squared deviations of what is averaged."""
        if confidence is None:
            return Estimate(float(value), None)
        margin = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(max(0.0, squares)) / m
        return Estimate(float(value), (float(value - margin), float(value + margin)))

    # The delta method: the ratio of two means has the error of the mean of (gap − ratio · range)/(mean range).
    deviations = s[k.GAP_GAP] - 2 * pooled * s[k.GAP_RANGE] + pooled**2 * s[k.RANGE_RANGE]
    relative_squares = deviations / (s[k.RANGE] / m) ** 2 if s[k.RANGE] > 0 else 0.0
    held = tally.counts > 0
    means = np.divide(tally.by_point, tally.counts, where=held, out=np.zeros(len(held)))
    return {
        "mean_q": estimate(s[k.Q] / m, s[k.Q_Q] - s[k.Q] ** 2 / m),
        "pooled_q": estimate(pooled, relative_squares),
        "delta_over_sd": estimate(s[k.GAP] / m * over_sd, (s[k.GAP_GAP] - s[k.GAP] ** 2 / m) * over_sd**2),
        "star_residual": Estimate(float(residual), None),
        "relative_delta": Estimate(float(s[k.LARGEST] / diameter), None),
        "histogram": tuple(tally.histogram.tolist()),
        "point_q": tuple(value if known else None for value, known in zip(means.tolist(), held, strict=True)),
        "point_quadruples": tuple(tally.counts.tolist()),
        "quadruples": m,
        "diameter": diameter,
        "distance_sd": sd / tally.scale,
    }
