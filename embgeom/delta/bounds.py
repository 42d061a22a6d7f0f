"""δ between two bounds, for clouds too large for the exact value: climbs from below, cheap inequalities from above."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embgeom.delta import engine
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

__all__ = ["Bracket", "bracket", "climb_count", "gauge_bound"]

_FEWEST_CLIMBS = 10_000
_MOST_CLIMBS = 200_000
# Up to here one fixed base takes seconds.
_BASE_POINTS = 6000
_BLOCK = 2**24


@dataclass(frozen=True)
class Bracket:
    """A quadruple that δ is at least that of, and a number that δ is at most, with the name of the inequality."""

    lower: Found
    upper_two_delta: float
    upper_by: str


def climb_count(n: int) -> int:
    """Return how many climbs to make: n²/20 reached the exact value in every trial up to n = 1500, within limits."""
    return min(_MOST_CLIMBS, max(_FEWEST_CLIMBS, n * n // 20))


def bracket(distances: torch.Tensor, *, seed: int, is_metric: bool, on_progress: OnProgress) -> Bracket:
    """Return bounds of the four-point δ of a distance matrix (n, n).

    Parameters
    ----------
    is_metric : bool
        Whether the triangle inequality holds, on which two of the upper bounds rest.
    """
    n = len(distances)
    lower = engine.climb(distances, climb_count(n), seed=seed, on_progress=lambda done: on_progress(0.8 * done))
    candidates = [(gauge_bound(distances), "pair sums in the gauge of the row means")]
    on_progress(0.9)
    if is_metric:
        candidates.append((float(distances.max()), "δ ≤ diameter/2"))
        if n <= _BASE_POINTS:
            medoid = int(distances.sum(1).argmin())
            base = engine.fixed_base(distances, medoid)
            candidates.append((2 * base.two_delta, "δ ≤ 2 δ_p, p the medoid"))
            if base.two_delta > lower.two_delta:
                lower = Found(base.witness, base.two_delta, base.certificate, lower.work)
    upper, name = min(candidates)
    return Bracket(lower, max(upper, lower.two_delta), name)


def gauge_bound(distances: torch.Tensor) -> float:
    """Return an upper bound of 2 δ for any symmetric matrix (n, n), in O(n²).

    S1 − S2 does not change under E_ij = D_ij − h_i − h_j. Write the largest sum as ab|cd with E_ab ≥ E_cd; the other
    two sums add up to at least 2 (min_a + min_b), min_x the least entry of row x off the diagonal, and S2 is at least
    their mean, so that 2 δ ≤ E_ab + E_cd − (min_a + min_b) ≤ 2 E_ab − min_a − min_b for some pair a, b.
    """
    import torch

    n = len(distances)
    means = distances.sum(1) / max(n - 1, 1)
    shift = means - means.mean() / 2
    rows = max(1, _BLOCK // n)
    least = torch.cat([_gauged(distances, shift, start, rows, torch.inf).amin(1) for start in range(0, n, rows)])
    bound = -math.inf
    for start in range(0, n, rows):
        pairs = _gauged(distances, shift, start, rows, -torch.inf).mul_(2)
        pairs -= least[start : start + rows, None] + least
        bound = max(bound, float(pairs.max()))
    # The sums above are rounded; four units in the last place of the largest number in them cover that.
    largest = float(distances.max())
    return bound + 16 * sys.float_info.epsilon * largest


def _gauged(distances: torch.Tensor, shift: torch.Tensor, start: int, rows: int, diagonal: float) -> torch.Tensor:
    block = distances[start : start + rows] - shift[start : start + rows, None] - shift
    block.diagonal(start).fill_(diagonal)
    return block
