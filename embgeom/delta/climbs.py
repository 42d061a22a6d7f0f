"""Multi-start climbs by plain torch, on a distance matrix or straight from the points where there is no room for one.

A climb starts at four random points and replaces each in turn by the best of all n, until none can be bettered. It
needs the distances of its four points to all n at a time, never the whole matrix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from embgeom.delta.draws import draw_quadruples
from embgeom.delta.found import Found
from embgeom.delta.four_point import pair_sums
from embgeom.metric import row_distances, rows_to_all
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

    Rows = Callable[[torch.Tensor], torch.Tensor]
    Evaluate = Callable[[torch.Tensor], torch.Tensor]

__all__ = ["climb_matrix", "climb_points"]

# Distances held at once: four rows for each climb of a batch.
_HELD = 2**25


def climb_matrix(distances: torch.Tensor, climbs: int, *, seed: int, on_progress: OnProgress | None = None) -> Found:
    """Return the best quadruple that ``climbs`` random climbs reach: a lower bound of δ.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
    climbs, seed : int
    on_progress : callable, optional
        Called with the fraction done after every step; whatever it raises stops the work.
    """

    def two_delta(quads: torch.Tensor) -> torch.Tensor:
        sums = pair_sums(distances, quads)
        return sums[:, 0] - sums[:, 1]

    return _climb(distances.__getitem__, two_delta, len(distances), climbs, seed, distances.device, on_progress)


def climb_points(
    points: torch.Tensor, climbs: int, *, metric: str, seed: int, on_progress: OnProgress | None = None
) -> Found:
    """Do the same for a cloud (n, d) float64; the way is found in float32, its end is evaluated in float64."""
    import torch

    def two_delta(quads: torch.Tensor) -> torch.Tensor:
        values = []
        for quad in quads:
            four = points[quad]
            square = torch.stack([torch.zeros(4, dtype=four.dtype, device=four.device)] * 4)
            for i, j in itertools.combinations(range(4), 2):
                square[i, j] = square[j, i] = row_distances(four[i : i + 1], four[j : j + 1], metric=metric)[0]
            sums = pair_sums(square, torch.arange(4, device=four.device)[None])[0]
            values.append(sums[0] - sums[1])
        return torch.stack(values)

    return _climb(rows_to_all(points, metric=metric), two_delta, len(points), climbs, seed, points.device, on_progress)


def _climb(
    rows: Rows,
    two_delta: Evaluate,
    n: int,
    climbs: int,
    seed: int,
    device: torch.device,
    on_progress: OnProgress | None,
) -> Found:
    import torch

    generator = torch.Generator(device).manual_seed(seed)
    best, witness, done = -math.inf, (0, 1, 2, 3), 0
    batch = max(1, min(climbs, _HELD // (4 * n)))
    while done < climbs:
        quads = draw_quadruples(n, min(batch, climbs - done), generator=generator)
        for _ in _steps(rows, quads):
            if on_progress is not None:
                on_progress(done / climbs)
        values = two_delta(quads)
        top = int(values.argmax())
        if float(values[top]) > best:
            a, b, c, d = quads[top].tolist()
            best, witness = float(values[top]), (a, b, c, d)
        done += len(quads)
    if on_progress is not None:
        on_progress(1.0)
    return Found(witness, best, "climbs", {"climbs": climbs})


def _steps(rows: Rows, quads: torch.Tensor) -> Iterator[None]:
    """Better the quadruples (m, 4) in place, one corner of each at a time, until no corner of any can be bettered."""
    import torch

    to_all = [rows(quads[:, corner]) for corner in range(4)]
    reached = torch.full((len(quads),), -torch.inf, dtype=to_all[0].dtype, device=quads.device)
    idle = 0
    for step in itertools.count():
        place = step % 4
        top, index = _best_corner(to_all, quads, place)
        # A gain that is rounding could go round in circles.
        better = top > reached + 4 * torch.finfo(top.dtype).eps * reached.abs().clamp(max=1e30)
        idle = 0 if bool(better.any()) else idle + 1
        if idle == 4:
            return
        quads[better, place] = index[better]
        reached[better] = top[better]
        if idle == 0:
            to_all[place] = rows(quads[:, place])
        yield


def _best_corner(to_all: list[torch.Tensor], quads: torch.Tensor, place: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest S1 − S2 of each quadruple over what could stand at ``place``, and the point that gives it."""
    import torch

    a, b, c = ((place + k) % 4 for k in (1, 2, 3))
    first = to_all[a].gather(1, quads[:, b, None]) + to_all[c]
    second = to_all[a].gather(1, quads[:, c, None]) + to_all[b]
    third = to_all[b].gather(1, quads[:, c, None]) + to_all[a]
    larger, smaller = torch.maximum(first, second), torch.minimum(first, second)
    value = torch.maximum(larger, third) - torch.maximum(smaller, torch.minimum(larger, third))
    for corner in (a, b, c):  # a repeated point is no quadruple
        value.scatter_(1, quads[:, corner, None], -torch.inf)
    top, index = value.max(1)
    return top, index
