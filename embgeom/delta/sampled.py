"""δ over quadruples drawn at random: its mean with a confidence interval, its histogram, and its maximum as a bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from embgeom.delta import engine
from embgeom.delta.draws import draw_quadruples
from embgeom.delta.found import Found
from embgeom.delta.records import QuadrupleSample
from embgeom.delta.space import Space
from embgeom.metric import row_distances
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

__all__ = ["BINS", "sample_quadruples"]

BINS = 128
"""Equal bins of the histogram, from 0 to diameter/2; a GPU wants a power of two."""

_BATCH = 2**18
# Rows gathered at once where the distances are computed from the points; bounds the memory at any dimension.
_GATHERED_BYTES = 256 * 2**20
# Puts a value on the edge of two bins into the upper one, whichever way the division was rounded.
_EDGE = 1 + 2.0**-51


@dataclass(frozen=True)
class _Tally:
    """What each way of drawing returns: the distribution of δ, in the unit of the distances, and its maximum."""

    mean: float
    standard_deviation: float
    histogram: tuple[int, ...]
    witness: tuple[int, int, int, int]
    two_delta: float


def sample_quadruples(
    space: Space, *, quadruples: int, seed: int, confidence: float, on_progress: OnProgress
) -> tuple[Found, QuadrupleSample]:
    """Draw quadruples of a space and return the largest of them and the distribution of δ over them.

    Where the space has no distance matrix the six distances of a quadruple are computed as they are needed. The
    quadruples depend on the seed and on what draws them: a GPU, the CPU's kernels and torch have each their own.
    """
    backend = "torch" if space.points is not None else engine.backend_of(space.device)
    draw = {"numba": _by_numba, "triton": _by_triton, "torch": _by_torch}[backend]
    tally = draw(space, quadruples, seed, on_progress)
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * tally.standard_deviation / math.sqrt(quadruples)
    interval = (tally.mean - margin, tally.mean + margin)
    found = Found(tally.witness, tally.two_delta, "largest of the quadruples drawn", {"quadruples": quadruples})
    return found, QuadrupleSample(tally.mean, tally.standard_deviation, interval, confidence, tally.histogram)


def _by_numba(space: Space, quadruples: int, seed: int, on_progress: OnProgress) -> _Tally:
    from embgeom.delta.cpu.sampling import sample

    drawn = sample(space.matrix.numpy(), quadruples, seed=seed, bins=BINS, on_progress=on_progress)
    histogram, largest = tuple(drawn.histogram.tolist()), drawn.largest
    return _Tally(drawn.mean, drawn.standard_deviation, histogram, largest.witness, largest.two_delta)


def _by_triton(space: Space, quadruples: int, seed: int, on_progress: OnProgress) -> _Tally:
    from embgeom.delta.gpu.sampling import sample

    # Powers of two change no digit and keep the squares within float64.
    scale = math.ldexp(1.0, -max(-1000, min(1000, math.frexp(space.diameter)[1])))
    drawn = sample(space.matrix * scale, quadruples, seed=seed, bins=BINS, on_progress=on_progress)
    variance = max(0.0, drawn.squares / drawn.count - drawn.mean**2)
    histogram, largest = tuple(drawn.histogram.tolist()), drawn.largest
    return _Tally(
        drawn.mean / scale, math.sqrt(variance) / scale, histogram, largest.witness, largest.two_delta / scale
    )


def _by_torch(space: Space, quadruples: int, seed: int, on_progress: OnProgress) -> _Tally:
    import torch

    distance, batch = _distances_of(space)
    generator = torch.Generator(space.device).manual_seed(seed)
    total, squares, best, witness = 0.0, 0.0, -math.inf, (0, 1, 2, 3)
    histogram = torch.zeros(BINS, dtype=torch.int64, device=space.device)
    for start in range(0, quadruples, batch):
        size = min(batch, quadruples - start)
        drawn = draw_quadruples(space.n, size, generator=generator)
        a, b, c, d = drawn.unbind(1)
        first, second, third = (
            distance(a, b) + distance(c, d),
            distance(a, c) + distance(b, d),
            distance(a, d) + distance(b, c),
        )
        # The median of three without a sort, which would cost more than all the rest.
        larger, smaller = torch.maximum(first, second), torch.minimum(first, second)
        two_delta = torch.maximum(larger, third) - torch.maximum(smaller, torch.minimum(larger, third))
        index = int(two_delta.argmax())
        if float(two_delta[index]) > best:
            best = float(two_delta[index])
            i, j, k, m = drawn[index].tolist()
            witness = (i, j, k, m)
        relative = two_delta / space.diameter  # its square stays within float64
        total += float(relative.sum())
        squares += float(relative.square().sum())
        histogram += (relative * (BINS * _EDGE)).long().clamp_(max=BINS - 1).bincount(minlength=BINS)
        on_progress((start + size) / quadruples)
    mean = total / quadruples
    deviation = math.sqrt(max(0.0, squares / quadruples - mean**2))
    unit = space.diameter / 2
    return _Tally(mean * unit, deviation * unit, tuple(histogram.tolist()), witness, best)


def _distances_of(space: Space) -> tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], int]:
    """Return the function that looks up or computes distances, and for how many quadruples at once."""
    points = space.points
    if points is None:
        n, flat = space.n, space.matrix.flatten()
        return lambda i, j: flat[i * n + j], _BATCH
    batch = max(1, min(_BATCH, _GATHERED_BYTES // (16 * points.shape[1])))
    return lambda i, j: row_distances(points[i], points[j], metric=str(space.metric)), batch
