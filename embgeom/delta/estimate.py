"""One public door to δ of one point cloud or distance matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from embgeom.delta import torch_blocks
from embgeom.delta.checks import as_distances, base_index, require_at_least, require_four
from embgeom.delta.found import Found
from embgeom.delta.records import Hyperbolicity, QuadrupleSample
from embgeom.delta.sampled import sample_matrix, sample_points
from embgeom.device import pick_device, require_memory
from embgeom.errors import OptionError, PointsError, choose
from embgeom.metric import METRICS, as_points, diameter, pairwise_distances
from embgeom.progress import OnProgress, progress_of
from embgeom.results import versions

if TYPE_CHECKING:
    import torch

    from embgeom.metric import Array

__all__ = ["METHODS", "Method", "hyperbolicity"]

Method = Literal["exact", "base", "sample"]
METHODS: tuple[str, ...] = get_args(Method)

# Distance matrices larger than this are not made for sampling, which can do without.
_SAMPLED_MATRIX_BYTES = 2 * 2**30


def hyperbolicity(
    points: Array | None = None,
    *,
    distances: Array | None = None,
    method: str = "exact",
    metric: str = "euclidean",
    base: int | str = "first",
    quadruples: int = 1_000_000,
    confidence: float = 0.95,
    seed: int = 0,
    device: str | None = None,
    progress: bool = False,
) -> Hyperbolicity:
    """Return Gromov's four-point δ of a finite metric space, or an estimate of it that says which.

    Parameters
    ----------
    points : array, shape (n, d)
        A cloud; give this or ``distances``. Any real dtype; distances are computed in float64.
    distances : array, shape (n, n)
        A distance matrix.
    method : {"exact", "base", "sample"}
        ``exact``: the maximum over all quadruples. ``base``: δ_p, the maximum over all triples with one base point p,
        for which δ_p ≤ δ ≤ 2 δ_p. ``sample``: quadruples drawn at random; their maximum is a lower bound, the mean of δ
        over quadruples comes with a confidence interval.
    metric : {"euclidean", "angular", "cosine"}
        For ``points``; see :func:`embgeom.metric.pairwise_distances`.
    base : {"first", "medoid", "all"} or int
        The base point of method ``base``. With ``all`` the maximum over every base is taken, which is δ itself.
    quadruples : int
        How many to draw with method ``sample``.
    confidence : float
        Level of the interval of the mean, with method ``sample``.
    seed : int
        Of the draw.
    device : str, optional
        A torch device; by default the first GPU if there is one, else the CPU.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    PointsError
        For fewer than four points, rows that are not finite, points that are all equal, or a matrix that is no distance
        matrix.
    OptionError
        For an unknown method, metric, base or device, or too little memory.

    References
    ----------
    Gromov, *Hyperbolic groups* (1987); Fournier, Ismail, Vigneron, *Computing the Gromov hyperbolicity of a discrete
    metric space* (2015) for the (max,min) product and δ_p ≤ δ ≤ 2 δ_p.

    Examples
    --------
    A square with unit sides has S1 = 2√2 and S2 = 2, so that δ = √2 − 1:

    >>> round(hyperbolicity([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).delta, 6)
    0.414214
    """
    choose("method", method, METHODS)
    choose("metric", metric, METRICS)
    if (points is None) == (distances is None):
        raise OptionError("give either points or distances")
    require_at_least("quadruples", quadruples, 2)
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, got {confidence}")
    where = pick_device(device)
    space = _Space(points, distances, metric, where, needs_matrix=method != "sample")
    with progress_of(f"δ of {space.n} points", show=progress) as advance:
        index, sample = None, None
        if method == "sample":
            found, sample = space.sample(quadruples, seed, confidence, advance)
        elif method == "exact" or (index := base_index(base, space.matrix)) is None:
            found = torch_blocks.four_point(space.matrix, on_progress=advance)
        else:
            found = torch_blocks.fixed_base(space.matrix, index, on_progress=advance)
    return _record(space, method, index, found, sample, seed=None if sample is None else seed)


class _Space:
    """A checked metric space: its distance matrix, or its points where the matrix would be too large to sample from."""

    def __init__(
        self,
        points: Array | None,
        distances: Array | None,
        metric: str,
        device: torch.device,
        *,
        needs_matrix: bool,
    ) -> None:
        self.device = device
        self.metric = None if points is None else metric
        self.points: torch.Tensor | None = None
        if points is None:
            self.matrix = as_distances(distances, device=device)
            self.n = len(self.matrix)
            require_four(self.n)
            self.diameter = float(self.matrix.max())
        else:
            cloud = as_points(points)
            self.n = len(cloud)
            require_four(self.n)
            size = 8 * self.n**2
            if needs_matrix or size <= _SAMPLED_MATRIX_BYTES:
                # The matrix, its Gromov products, and a block.
                require_memory(3 * size, device=device, purpose=f"the distance matrix of {self.n} points")
                self.matrix = pairwise_distances(cloud.to(device), metric=metric)
                self.diameter = float(self.matrix.max())
            else:
                self.points = cloud.to(device)
                self.diameter = diameter(self.points, metric=metric)
        if self.diameter == 0:
            raise PointsError(f"all {self.n} points are equal: the diameter is 0 and 2δ/diameter is not defined")

    def sample(
        self, quadruples: int, seed: int, confidence: float, on_progress: OnProgress
    ) -> tuple[Found, QuadrupleSample]:
        if self.points is None:
            return sample_matrix(
                self.matrix, quadruples=quadruples, seed=seed, confidence=confidence, on_progress=on_progress
            )
        return sample_points(
            self.points,
            metric=str(self.metric),
            diameter=self.diameter,
            quadruples=quadruples,
            seed=seed,
            confidence=confidence,
            on_progress=on_progress,
        )


def _record(
    space: _Space, method: str, base: int | None, found: Found, sample: QuadrupleSample | None, *, seed: int | None
) -> Hyperbolicity:
    delta = found.two_delta / 2
    exact = method == "exact" or (method == "base" and base is None)
    if space.metric == "cosine":
        upper = delta if exact else None  # the bounds rest on the triangle inequality
    else:
        upper = delta if exact else min(space.diameter / 2, 2 * delta if method == "base" else space.diameter / 2)
    triples = (space.n - 1) * (space.n - 2) * (space.n - 3) // 6
    counts = {"exact": triples * space.n // 4, "base": triples if base is not None else triples * space.n // 4}
    return Hyperbolicity(
        delta=delta,
        diameter=space.diameter,
        relative_delta=2 * delta / space.diameter,
        method=method,
        exact=exact,
        upper_bound=upper,
        certificate=found.certificate,
        witness=found.witness,
        points=space.n,
        quadruples=found.work["quadruples"] if sample is not None else counts[method],
        metric=space.metric,
        base=base,
        seed=seed,
        sample=sample,
        device=str(space.device),
        versions=versions(),
    )
