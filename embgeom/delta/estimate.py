"""One public door to δ of one point cloud or distance matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embgeom.delta import engine
from embgeom.delta.bounds import Bracket, bracket
from embgeom.delta.checks import base_index, check_options, require_at_least
from embgeom.delta.found import Found
from embgeom.delta.records import Hyperbolicity, QuadrupleSample
from embgeom.delta.sampled import sample_quadruples
from embgeom.delta.space import MatrixUse, Space, open_space
from embgeom.device import pick_device
from embgeom.errors import OptionError
from embgeom.progress import OnProgress, part, progress_of
from embgeom.results import versions

if TYPE_CHECKING:
    from embgeom.metric import Array

__all__ = ["hyperbolicity"]

_MATRIX_USE: dict[str, MatrixUse] = {"sample": "if small", "bounds": "if it fits", "auto": "if it fits"}
# Points up to which the exact value takes seconds, by what computes it.
_SECONDS = {"numba": 2000, "triton": 4000, "torch": 250}


def hyperbolicity(
    points: Array | None = None,
    *,
    distances: Array | None = None,
    method: str = "auto",
    metric: str = "euclidean",
    base: int | str = "first",
    quadruples: int = 1_000_000,
    confidence: float = 0.95,
    seed: int = 0,
    device: str | None = None,
    progress: bool = False,
    on_progress: OnProgress | None = None,
) -> Hyperbolicity:
    """Return Gromov's four-point δ of a finite metric space, or an estimate of it that says which.

    Parameters
    ----------
    points : array, shape (n, d)
        A cloud; give this or ``distances``. Any real dtype; distances are computed in float64.
    distances : array, shape (n, n)
        A distance matrix.
    method : {"auto", "exact", "bounds", "base", "sample"}
        ``exact``: the maximum over all quadruples. ``bounds``: the best of many climbs, in practice the maximum or
        nearly so, and a number that δ is at most. ``auto``: ``exact`` where that takes seconds, else ``bounds``.
        ``base``: δ_p, the maximum over all triples with one base point p, for which δ_p ≤ δ ≤ 2 δ_p. ``sample``:
        quadruples drawn at random; their maximum is a lower bound, the mean of δ over quadruples comes with a
        confidence interval.
    metric : {"euclidean", "angular", "cosine"}
        For ``points``; see :func:`embgeom.metric.pairwise_distances`.
    base : {"first", "medoid", "all"} or int
        The base point of method ``base``. With ``all`` the maximum over every base is taken, which is δ itself.
    quadruples : int
        How many to draw with method ``sample``.
    confidence : float
        Level of the interval of the mean, with method ``sample``.
    seed : int
        Of what is drawn: quadruples, the starts of climbs.
    device : str, optional
        A torch device; by default the first GPU if there is one, else the CPU.
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
    check_options(method=method, metric=metric, base=base, seed=seed)
    if (points is None) == (distances is None):
        raise OptionError("give either points or distances")
    require_at_least("quadruples", quadruples, 2)
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, got {confidence}")
    where = pick_device(device)
    engine.prepare(where, show=progress)
    with progress_of("δ", show=progress and on_progress is None) as bar:
        advance = on_progress or bar
        use = _MATRIX_USE.get(method, "always")
        space = open_space(
            points,
            distances,
            metric=metric,
            device=where,
            matrix=use,
            on_progress=part(advance, 0, 0.2),
        )
        return _measure(space, method, base, quadruples, confidence, seed, part(advance, 0.2, 1))


def _measure(
    space: Space, method: str, base: int | str, quadruples: int, confidence: float, seed: int, on_progress: OnProgress
) -> Hyperbolicity:
    if method == "auto":
        small = space.points is None and space.n <= _SECONDS[engine.backend_of(space.device)]
        method = "exact" if small else "bounds"
    if method == "sample":
        found, sample = sample_quadruples(
            space, quadruples=quadruples, seed=seed, confidence=confidence, on_progress=on_progress
        )
        return _record(space, "sample", found, sample=sample, seed=seed)
    if method == "bounds":
        bounds = bracket(space, seed=seed, on_progress=on_progress)
        return _record(space, "bounds", bounds.lower, bounds=bounds, seed=seed)
    index = base_index(base, space.matrix) if method == "base" else None
    if index is None:
        return _record(space, method, engine.four_point(space.matrix, on_progress=on_progress), exact=True)
    return _record(space, "base", engine.fixed_base(space.matrix, index, on_progress=on_progress), base=index)


def _record(
    space: Space,
    method: str,
    found: Found,
    *,
    exact: bool = False,
    base: int | None = None,
    bounds: Bracket | None = None,
    sample: QuadrupleSample | None = None,
    seed: int | None = None,
) -> Hyperbolicity:
    delta = found.two_delta / 2
    certificate = found.certificate
    upper: float | None
    if exact:
        upper = delta
    elif bounds is not None:
        upper = None if bounds.upper_two_delta is None else bounds.upper_two_delta / 2
        certificate = f"{certificate}; {bounds.upper_by}"
    elif space.metric == "cosine":
        upper = None  # the bounds rest on the triangle inequality
    else:
        upper = space.diameter / 2 if base is None else min(space.diameter / 2, 2 * delta)
    return Hyperbolicity(
        delta=delta,
        diameter=space.diameter,
        relative_delta=2 * delta / space.diameter,
        method=method,
        exact=exact,
        upper_bound=upper,
        certificate=certificate,
        witness=found.witness,
        points=space.n,
        work=found.work,
        metric=space.metric,
        base=base,
        seed=seed,
        sample=sample,
        device=str(space.device),
        versions=versions(),
    )
