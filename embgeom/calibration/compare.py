"""Run through the draws of all nulls, keeping sums only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embgeom.calibration.records import NullComparison
from embgeom.errors import PointsError
from embgeom.nulls import Vocabulary
from embgeom.nulls.batches import NullClouds
from embgeom.progress import OnProgress, part
from embgeom.treelikeness.batch import measure_clouds
from embgeom.treelikeness.kernels import BINS
from embgeom.treelikeness.records import STATISTICS

__all__ = ["Sums", "compared", "run_nulls"]

Numbers = NDArray[np.float64]

_BATCH = 2**22  # numbers of a batch of points: 32 MB
_TIE = 1e-9  # two values of a statistic that differ by less are equal but for rounding
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Sums:
    """What is kept of the draws of one null: S statistics, P clouds, R draws.

    Attributes
    ----------
    difference, squares : ndarray, shape (S, P)
        Sums over the draws of data − null, and of its square.
    at_most, at_least : ndarray of int, shape (S, P)
        Draws that are ≤, and ≥, the data.
    by_draw, by_draw_squares : ndarray, shape (S, R)
        Sums over the clouds of the null values, and of their squares.
    histogram : ndarray of int64, shape (bins,)
    """

    difference: Numbers
    squares: Numbers
    at_most: NDArray[np.int64]
    at_least: NDArray[np.int64]
    by_draw: Numbers
    by_draw_squares: Numbers
    histogram: NDArray[np.int64]

    @staticmethod
    def empty(statistics: int, clouds: int, draws: int) -> Sums:
        """Return sums over nothing."""
        of_clouds, of_draws = (statistics, clouds), (statistics, draws)
        counts = np.zeros((2, *of_clouds), np.int64)
        return Sums(
            np.zeros(of_clouds),
            np.zeros(of_clouds),
            counts[0],
            counts[1],
            np.zeros(of_draws),
            np.zeros(of_draws),
            np.zeros(BINS, np.int64),
        )

    def add(self, data: Numbers, null: Numbers, clouds: slice, draw: int, histogram: NDArray[np.int64]) -> None:
        """Add one draw of some clouds: ``data`` and ``null`` have shape (S, clouds)."""
        difference = data - null
        self.difference[:, clouds] += difference
        self.squares[:, clouds] += difference**2
        self.at_most[:, clouds] += difference >= -_TIE
        self.at_least[:, clouds] += difference <= _TIE
        self.by_draw[:, draw] += null.sum(axis=1)
        self.by_draw_squares[:, draw] += (null**2).sum(axis=1)
        self.histogram[:] += histogram


def run_nulls(
    rows: Numbers,
    indices: Sequence[NDArray[np.int64]],
    data: Numbers,
    *,
    nulls: Sequence[str],
    draws: int,
    vocabulary: Vocabulary | None,
    metric: str,
    quadruples: int,
    seed: int,
    on_progress: OnProgress,
) -> list[Sums]:
    """Return the sums of every null.

    Parameters
    ----------
    rows : array, shape (U, d)
    indices : sequence of arrays
        The points of each cloud, as indices into ``rows``.
    data : array, shape (S, P)
        The statistics of the clouds, in the order of ``STATISTICS``.
    """
    sums = [Sums.empty(data.shape[0], data.shape[1], draws) for _ in nulls]
    steps, done = len(indices) * len(nulls) * draws, 0
    for first, stop in _batches(indices, rows.shape[1]):
        lengths = [len(own) for own in indices[first:stop]]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        points = rows[np.concatenate(indices[first:stop])]
        source = NullClouds(points, offsets, vocabulary=vocabulary, seed=seed, first=first)
        for number, name in enumerate(nulls):
            for draw in range(draws):
                own_seed = np.random.SeedSequence([seed, number, draw, first]).generate_state(1)
                values = measure_clouds(
                    source.draw(name, draw),
                    np.arange(len(points)),
                    offsets,
                    metric=metric,
                    quadruples=quadruples,
                    seed=int(own_seed[0]),
                    on_progress=part(on_progress, done / steps, (done + stop - first) / steps),
                )
                done += stop - first
                null = np.stack([values.statistics[statistic] for statistic in STATISTICS])
                if not np.isfinite(null).all():
                    cloud = first + int(np.argmin(np.isfinite(null).all(axis=0)))
                    raise PointsError(
                        f"null {name}: cloud {cloud} was drawn with points that are all equal, or have no direction; "
                        "leave such rows out of the vocabulary, or take other nulls"
                    )
                sums[number].add(data[:, first:stop], null, slice(first, stop), draw, values.histogram.sum(axis=0))
    return sums


def _batches(indices: Sequence[NDArray[np.int64]], d: int) -> Iterator[tuple[int, int]]:
    """Cut the clouds into batches whose points fit into the memory meant for them."""
    first, held = 0, 0
    for number, own in enumerate(indices):
        if held and (held + len(own)) * d > _BATCH:
            yield first, number
            first, held = number, 0
        held += len(own)
    yield first, len(indices)


def compared(name: str, sums: Sums, statistic: int, data: Numbers, *, draws: int, level: float) -> NullComparison:
    """Return one statistic, whose values are ``data`` (P,), beside one null."""
    count = len(data)
    paired = sums.difference[statistic] / draws
    variance = (sums.squares[statistic] - draws * paired**2) / max(draws - 1, 1)
    draw_sd = float(np.sqrt(np.clip(variance, 0, None).mean()))
    means = sums.by_draw[statistic] / count
    over_clouds = sums.by_draw_squares[statistic] / count - means**2
    difference, difference_sd = float(paired.mean()), float(paired.std())
    at_most, at_least = sums.at_most[statistic], sums.at_least[statistic]
    mean = float(data.mean())
    return NullComparison(
        null=name,
        mean=float(means.mean()),
        sd=float(np.sqrt(np.clip(over_clouds, 0, None).mean())),
        draw_sd=draw_sd,
        difference=difference,
        difference_sd=difference_sd,
        interval=_interval(difference, difference_sd, count),
        standardised=difference / draw_sd if draw_sd > _TIE else None,
        p_lower=float(1 + (means <= mean + _TIE).sum()) / (1 + draws),
        p_higher=float(1 + (means >= mean - _TIE).sum()) / (1 + draws),
        share_lower=_share(at_most, draws, level),
        share_higher=_share(at_least, draws, level),
        draw_means=tuple(means.tolist()),
        means=tuple((data - paired).tolist()),
        at_most=tuple(at_most.tolist()),
        at_least=tuple(at_least.tolist()),
    )


def _share(beyond: NDArray[np.int64], draws: int, level: float) -> float:
    return float(((1 + beyond) / (1 + draws) <= level + 1e-12).mean())


def _interval(mean: float, sd: float, count: int) -> tuple[float, float] | None:
    if count < 2:
        return None
    from scipy.stats import t

    margin = float(t.ppf((1 + _CONFIDENCE) / 2, count - 1)) * sd / (count - 1) ** 0.5
    return mean - margin, mean + margin
