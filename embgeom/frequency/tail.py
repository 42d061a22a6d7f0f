"""The discrete power law fitted to a histogram: exact maximum likelihood at every k_min at once, and the best k_min.

Clauset, Shalizi and Newman, *Power-law distributions in empirical data*, SIAM Review 51 (2009), sections 3.1 and 3.3.
γ̂ solves E[ln k] = mean of ln k over the tail; k_min minimises the Kolmogorov–Smirnov distance

    D = max over the k ≥ k_min that occur of |S(k) − ζ(γ̂, k)/ζ(γ̂, k_min)|,  S(k) = share of the tail that is ≥ k,

taken, as the package ``powerlaw`` takes it, at the frequencies that occur. (At every integer between them, too, D can
be larger and choose another k_min where several fit about as well.)

The numbers are those of ``powerlaw`` 2.0, against which the tests hold them, but for the error of its search (γ to
1e-4, and at most 3 unless told otherwise). This works on the histogram and on all k_min at once, which makes a
bootstrap a matter of a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embgeom.frequency.hurwitz import Hurwitz

__all__ = ["Tail", "fit_tail"]

Floats = NDArray[np.float64]

_BLOCK = 1 << 16  # elements of the matrix of theoretical survivals that are worked on together: they stay in the cache
_NEWTON_STEPS = 100


@dataclass(frozen=True)
class Tail:
    """A fitted tail: γ, infinite where all of it is at k_min; its standard error; k_min; D; the number of its types."""

    gamma: float
    standard_error: float
    k_min: float
    distance: float
    size: int


def fit_tail(values: Floats, types: NDArray[np.int64], k_min: float | None = None) -> Tail:
    """Fit the power law to a histogram.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The frequencies that occur, ascending, at least 1.
    types : ndarray of int64, shape (n,)
        How many types have each.
    k_min : float, optional
        By default the best of the values but the largest two (of which always one is tried); the tail must not be
        empty.
    """
    if k_min is None:
        starts = values[: max(1, len(values) - 2)]
        at_least = np.cumsum(types[::-1])[::-1]
        # Σ ln(k/k_min) over the tail, put together of the steps between neighbours: no term is negative, none cancel.
        steps = at_least[1:] * np.log1p(np.diff(values) / values[:-1])
        log_sum = np.append(np.cumsum(steps[::-1])[::-1], 0.0)[: len(starts)]
        size = at_least[: len(starts)]
    else:
        values, types = values[values >= k_min], types[values >= k_min]
        starts = np.array([k_min])
        log_sum, size = np.array([types @ np.log(values / k_min)]), np.array([types.sum()])
    if log_sum[0] == 0:  # all of the tail at k_min: the law in the limit of γ → ∞
        return Tail(math.inf, math.inf, float(starts[0]), 0.0, int(size[0]))
    place = Hurwitz(starts)
    gamma = _solve(place, starts, log_sum / size)
    scale, _, variance = place.moments(gamma)
    best, distance = _Distances(values, types, starts, gamma, scale).smallest()
    # The Fisher information of γ in one draw is the variance of ln k.
    error = 1 / math.sqrt(size[best] * variance[best])
    return Tail(float(gamma[best]), error, float(starts[best]), distance, int(size[best]))


def _solve(place: Hurwitz, starts: Floats, mean_log: Floats) -> Floats:
    """Return the γ at each start for which the mean of ln(k/k_min) is ``mean_log`` > 0.

    Newton's method on ln E[ln(k/k_min)] as a function of u = ln(γ − 1), which is nearly a straight line.
    """
    # Equation 3.7, the approximation by a continuous law from k_min − ½: the place to start from.
    u = -np.log(mean_log - np.log1p(-0.5 / starts))
    for _ in range(_NEWTON_STEPS):
        gamma = 1 + np.exp(u)
        _, mean, variance = place.moments(gamma)
        step = (np.log(mean) - np.log(mean_log)) * mean / (variance * (gamma - 1))
        u += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-11:
            return 1 + np.exp(u)
    raise RuntimeError("the likelihood equation of the power law was not solved")


class _Distances:
    """D of the tails from many starts on; ``scale`` is k_min^γ ζ(γ, k_min) at each."""

    def __init__(self, values: Floats, types: NDArray[np.int64], starts: Floats, gamma: Floats, scale: Floats) -> None:
        self._values, self._starts, self._gamma, self._scale = values, starts, gamma, scale
        self._place, self._logs, self._log_starts = Hurwitz(values), np.log(values), np.log(starts)
        self._at_least = np.cumsum(types[::-1])[::-1].astype(np.float64)
        self._first = np.searchsorted(values, starts)

    def at(self, rows: NDArray[np.intp], step: int = 1) -> Floats:
        """Return D of the starts ``rows``, looked at from every ``step``-th frequency on only."""
        columns = slice(int(self._first[rows].min()) // step * step, None, step)
        gamma = self._gamma[rows]
        theory = self._place.scaled(gamma, columns) / self._scale[rows, None]
        log_ratio = self._logs[columns] - self._log_starts[rows, None]
        theory *= np.exp(-gamma[:, None] * np.maximum(log_ratio, 0))
        gap = np.abs(theory - self._at_least[columns] / self._at_least[self._first[rows], None])
        gap[self._values[columns] < self._starts[rows, None]] = 0.0  # not of the tail that begins here
        largest: Floats = gap.max(1)
        return largest

    def smallest(self) -> tuple[int, float]:
        """Return the first start of the smallest D, and that D.

        What a few of the frequencies say bounds D from below, and spares most starts the look at all of them.
        """
        count, columns = len(self._starts), len(self._values)
        step = max(1, math.isqrt(columns) // 2)
        bounds = np.concatenate([self.at(rows, step) for rows in _blocks(np.arange(count), columns // step + 1)])
        distances = np.full(count, np.inf)
        order = bounds.argsort(kind="stable")
        for rows in _blocks(order, columns):
            rows = rows[bounds[rows] <= distances.min()]
            if not rows.size:
                break
            distances[rows] = self.at(rows)
        best = int(distances.argmin())
        return best, float(distances[best])


def _blocks(rows: NDArray[np.intp], columns: int) -> Iterator[NDArray[np.intp]]:
    """Cut ``rows`` into runs that make matrices of about ``_BLOCK`` elements."""
    height = max(1, _BLOCK // columns)
    return (rows[low : low + height] for low in range(0, len(rows), height))
