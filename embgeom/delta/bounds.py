"""δ between two bounds, for clouds too large for the exact value: climbs from below, one base point from above."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embgeom.delta import engine
from embgeom.delta.climbs import climb_points
from embgeom.delta.found import Found
from embgeom.delta.space import Space
from embgeom.progress import OnProgress, part

if TYPE_CHECKING:
    import torch

__all__ = ["Bracket", "bottleneck_bound", "bracket", "climb_count"]

_FEWEST_CLIMBS = 10_000
_MOST_CLIMBS = 200_000
_CLIMBS_OF_POINTS = 1000
# Points up to which δ_p takes seconds, by what computes it.
_BASE_POINTS = {"numba": 10_000, "triton": 50_000, "torch": 1000}


@dataclass(frozen=True)
class Bracket:
    """A quadruple that δ is at least that of, and what 2 δ is at most, with the name of the inequality.

    The upper bound is None where the distances are no metric: the inequalities rest on the triangle inequality.
    """

    lower: Found
    upper_two_delta: float | None
    upper_by: str


def climb_count(n: int) -> int:
    """Return how many climbs to make: n²/20 reached the exact value in every trial up to n = 1500, within limits."""
    return min(_MOST_CLIMBS, max(_FEWEST_CLIMBS, n * n // 20))


def bracket(space: Space, *, seed: int, on_progress: OnProgress) -> Bracket:
    """Return bounds of the four-point δ: the best of many climbs, and 2 δ_p of the medoid.

    Where δ_p itself would take too long, a bound of it that takes O(n²) stands in for it; where there is no room for
    the distance matrix, what is left is δ ≤ diameter/2.
    """
    n, last = space.n, part(on_progress, 0.6, 1)
    if space.points is not None:
        lower = climb_points(
            space.points, _CLIMBS_OF_POINTS, metric=str(space.metric), seed=seed, on_progress=on_progress
        )
    else:
        climbs = climb_count(n)
        lower = engine.climb(space.matrix, climbs, seed=seed, on_progress=part(on_progress, 0, 0.6))
    if space.metric == "cosine":
        return Bracket(lower, None, "no upper bound: not a metric")
    candidates = [(space.diameter, "at most diameter/2")]
    if space.points is None:
        medoid = int(space.matrix.sum(1).argmin())
        if n <= _BASE_POINTS[engine.backend_of(space.device)]:
            base = engine.fixed_base(space.matrix, medoid, on_progress=last)
            if base.two_delta > lower.two_delta:
                lower = Found(base.witness, base.two_delta, base.certificate, lower.work)
            candidates.append((2 * base.two_delta, "at most 2 δ_p, p the medoid"))
        else:
            bound = bottleneck_bound(space.matrix, medoid, on_progress=last)
            candidates.append((2 * bound, "at most twice the bottleneck bound of δ_p, p the medoid"))
    upper, name = min(candidates)
    return Bracket(lower, max(upper, lower.two_delta), name)


def bottleneck_bound(distances: torch.Tensor, base: int, *, on_progress: OnProgress | None = None) -> float:
    """Return an upper bound of 2 δ_p in O(n²).

    δ_p is the largest gain of a path x–z–y over the edge x–y, a path being worth its least Gromov product. Paths of
    any length gain at least as much, and the best of those runs in the maximum spanning tree. Prim's algorithm gives
    it: the bottleneck between the newest vertex and an older one is the least edge by which a vertex joined since.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
    base : int
        Index of the base point p.
    on_progress : callable, optional
    """
    import torch

    n = len(distances)
    to_base = distances[base]
    joined = torch.zeros(n, dtype=torch.bool, device=distances.device)
    edge = torch.full_like(to_base, -torch.inf)  # best Gromov product with a vertex of the tree
    bottleneck = torch.full_like(to_base, torch.inf)  # between each vertex of the tree and the newest
    gain, newest, width = 0.0, base, torch.inf
    for step in range(n):
        products = (to_base + to_base[newest] - distances[newest]) / 2
        bottleneck.clamp_(max=width)
        gain = max(gain, float(torch.where(joined, bottleneck - products, -torch.inf).max()))
        joined[newest] = True
        bottleneck[newest] = torch.inf
        edge = torch.where(joined, -torch.inf, torch.maximum(edge, products))
        newest = int(edge.argmax())
        width = float(edge[newest])
        if on_progress is not None and step % 256 == 255:
            on_progress((step + 1) / n)
    # The products are rounded twice; the largest number in them bounds how much.
    return 2 * gain + 8 * sys.float_info.epsilon * float(distances.max())
