"""δ over quadruples drawn at random: its mean with a confidence interval, its histogram, and its maximum as a bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

from embgeom.delta.draws import draw_quadruples
from embgeom.delta.found import Found
from embgeom.delta.records import QuadrupleSample
from embgeom.delta.space import Space
from embgeom.metric import row_distances
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

__all__ = ["BINS", "sample_quadruples"]

BINS = 100
"""Equal bins of the histogram, from 0 to diameter/2."""

_BATCH = 2**18
# Rows gathered at once where the distances are computed from the points; bounds the memory at any dimension.
_GATHERED_BYTES = 256 * 2**20


@dataclass
class _Tally:
    """Sums over the quadruples seen so far; δ is counted in halves of ``two_delta`` only at the end."""

    diameter: float
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    best: float = -math.inf
    witness: tuple[int, ...] = (0, 1, 2, 3)
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, two_delta: torch.Tensor, quadruples: torch.Tensor) -> None:
        """Count a batch: ``two_delta`` (m,), ``quadruples`` (m, 4)."""
        self.count += len(two_delta)
        self.total += float(two_delta.sum())
        self.squares += float(two_delta.square().sum())
        index = int(two_delta.argmax())
        if float(two_delta[index]) > self.best:
            self.best = float(two_delta[index])
            self.witness = tuple(quadruples[index].tolist())
        counts = two_delta.float().histc(BINS, 0.0, max(self.diameter, 1e-300))
        self.histogram = [a + int(b) for a, b in zip(self.histogram, counts.tolist(), strict=True)]


def sample_quadruples(
    space: Space, *, quadruples: int, seed: int, confidence: float, on_progress: OnProgress
) -> tuple[Found, QuadrupleSample]:
    """Draw quadruples of a space and return the largest of them and the distribution of δ over them.

    Where the space has no distance matrix the six distances of a quadruple are computed as they are needed.
    """
    points, batch = space.points, _BATCH
    if points is None:
        n, flat = space.n, space.matrix.flatten()

        def distance(i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
            return flat[i * n + j]
    else:
        batch = max(1, min(_BATCH, _GATHERED_BYTES // (16 * points.shape[1])))

        def distance(i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
            return row_distances(points[i], points[j], metric=str(space.metric))

    tally = _Tally(space.diameter)
    _draw_into(tally, distance, space.n, quadruples, batch, seed, space.device, on_progress)
    return _summarise(tally, confidence)


def _summarise(tally: _Tally, confidence: float) -> tuple[Found, QuadrupleSample]:
    mean = tally.total / tally.count / 2
    variance = max(0.0, tally.squares / tally.count / 4 - mean**2)
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance / tally.count)
    a, b, c, d = tally.witness
    found = Found((a, b, c, d), tally.best, "largest of the quadruples drawn", {"quadruples": tally.count})
    interval = (mean - margin, mean + margin)
    return found, QuadrupleSample(mean, math.sqrt(variance), interval, confidence, tuple(tally.histogram))


def _draw_into(
    tally: _Tally,
    distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    n: int,
    quadruples: int,
    batch: int,
    seed: int,
    device: torch.device,
    on_progress: OnProgress,
) -> None:
    import torch

    generator = torch.Generator(device).manual_seed(seed)
    while tally.count < quadruples:
        drawn = draw_quadruples(n, min(batch, quadruples - tally.count), generator=generator)
        a, b, c, d = drawn.unbind(1)
        first, second, third = (
            distance(a, b) + distance(c, d),
            distance(a, c) + distance(b, d),
            distance(a, d) + distance(b, c),
        )
        # The median of three without a sort, which would cost more than all the rest.
        larger, smaller = torch.maximum(first, second), torch.minimum(first, second)
        two_delta = torch.maximum(larger, third) - torch.maximum(smaller, torch.minimum(larger, third))
        tally.add(two_delta, drawn)
        on_progress(tally.count / quadruples)
