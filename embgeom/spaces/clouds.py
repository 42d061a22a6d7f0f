"""Points in spaces of constant curvature, and trees in Euclidean space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.checks import check_seed, require_at_least
from embgeom.errors import OptionError

__all__ = ["branching_walk", "branching_walk_points", "gaussian", "poincare_disc", "sphere"]

Distances = NDArray[np.float64]


def sphere(n: int, seed: int = 0, *, d: int = 2) -> Distances:
    """Return the angles in radians between n uniform points of the unit sphere S^d in R^(d + 1): shape (n, n).

    Four points that quarter a great circle have S1 = 2π and S2 = S3 = π: 2δ/diameter = π/π = 1, the largest that a
    metric can have, and it tends to that as points fill the sphere. This is the "sphere, 0.99 ± 0.00" of *Hyperbolic
    Fine-Tuning for Large Language Models*: geodesic distances on S² (0.951 ± 0.005, 0.992 ± 0.002, 0.996 ± 0.001 for
    n = 100, 500, 1500), all base points or very many points: with the first point as base, as that paper's code has it,
    S² gives 0.978 ± 0.006 at n = 1500 and the circle S¹ 0.993 ± 0.004 at n = 500. Along chords the same four have
    2δ/diameter = 2 − √2 = 0.586. In high dimension neither is reached, because all angles are near π/2 (S⁹⁹, n = 1500:
    0.49).
    """
    require_at_least("n", n, 1)
    require_at_least("d", d, 1)
    check_seed(seed)
    points = np.random.default_rng(seed).standard_normal((n, d + 1))
    return _measured(points, "angular")


def gaussian(n: int, seed: int = 0, *, d: int = 384) -> Distances:
    """Return Euclidean distances of n points with iid normal coordinates in R^d: shape (n, n).

    Noise. As d → ∞ all distances are alike and 2δ/diameter → 0 as 1/√d: for n = 40 it is 0.46 in 2, 0.16 in 384 and
    0.05 in 4096 dimensions. Mean q tends to ½ instead (0.49 from d = 384 on): the three sums become independent normal
    ones, and concentration shrinks S1 − S2 and S1 − S3 alike. But in few dimensions noise has a low q as well, 0.31 in
    2 and 0 in 1, where points lie on a line and a line is a tree.
    """
    require_at_least("n", n, 1)
    require_at_least("d", d, 1)
    check_seed(seed)
    return _measured(np.random.default_rng(seed).standard_normal((n, d)), "euclidean")


def branching_walk_points(n: int, seed: int = 0, *, d: int = 384, noise: float = 0.0) -> NDArray[np.float64]:
    """Return a branching random walk: n points of R^d, each a normal step away from a random earlier one: (n, d).

    Parameters
    ----------
    noise : float
        Standard deviation of what is added to every coordinate at the end, in units of that of a step: twigs of that
        length, which make the tree more of a star.
    """
    require_at_least("n", n, 1)
    require_at_least("d", d, 1)
    check_seed(seed)
    if not 0 <= noise < np.inf:
        raise OptionError(f"noise must be a number of at least 0, got {noise}")
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, d))
    points[0] = 0
    for point in range(1, n):
        points[point] += points[rng.integers(point)]
    return points + noise * rng.standard_normal((n, d)) if noise else points


def branching_walk(n: int, seed: int = 0, *, d: int = 384, noise: float = 0.0) -> Distances:
    """Return the Euclidean distances of a branching random walk, :func:`branching_walk_points`: shape (n, n).

    A tree in Euclidean space, the control that a statistic must pass. As d → ∞, distance²/d tends to the number of
    steps between two points: the metric is the square root of a tree's, and not quite one itself (δ > 0, mean q ≈ 0.2
    for n = 40), as branches leave at right angles. Its 2δ/diameter, 0.16 for n = 40 and d = 384, is that of noise.
    """
    return _measured(branching_walk_points(n, seed, d=d, noise=noise), "euclidean")


def poincare_disc(n: int, seed: int = 0, *, radius: float = 6.0) -> Distances:
    """Return hyperbolic distances (curvature −1) of n points uniform over the area of a disc: shape (n, n).

    The plane has δ = ln 2 (Nica, Špakula 2016), so that 2δ/diameter ≤ 2 ln 2/diameter, about ln 2/radius = 0.69/radius;
    it is nearly attained, as most points lie near the rim. As the radius → 0 the disc is flat. Mean q does not go to 0
    as the radius grows, but to 0.26 (pooled 0.145): seen from the centre, four points near the rim are a star, whose
    inner edge is no longer than δ.

    Parameters
    ----------
    radius : float
        Hyperbolic radius of the disc.
    """
    require_at_least("n", n, 1)
    check_seed(seed)
    if not 0 < radius <= 300:
        raise OptionError(f"radius must be positive and at most 300 (cosh beyond leaves float64), got {radius}")
    rng = np.random.default_rng(seed)
    # The area within r is 2π (cosh r − 1) = 4π sinh²(r/2).
    half = np.arcsinh(np.sinh(radius / 2) * np.sqrt(rng.random(n)))
    angle = rng.uniform(0, 2 * np.pi, n)
    # sinh²(d/2) = sinh²((r − s)/2) + sinh r sinh s sin²(θ/2): the law of cosines, without cancellation.
    apart = np.sinh(half[:, None] - half) ** 2
    along = np.sinh(2 * half[:, None]) * np.sinh(2 * half) * np.sin((angle[:, None] - angle) / 2) ** 2
    distances: Distances = 2 * np.arcsinh(np.sqrt(apart + along))
    np.fill_diagonal(distances, 0)
    return distances


def _measured(points: NDArray[np.float64], metric: str) -> Distances:
    from embgeom.metric import pairwise_distances

    result: Any = pairwise_distances(points, metric=metric).numpy()
    distances: Distances = result
    return distances
