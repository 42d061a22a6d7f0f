"""Spearman's ρ over token types and within strata of them, with a bootstrap that sorts only once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.norms.records import RankCorrelation
from embgeom.progress import OnProgress

__all__ = ["LEAST_FOR_INTERVAL", "StratifiedRanks", "rank_correlations"]

LEAST_FOR_INTERVAL = 10
"""Of fewer types the bootstrap knows too few different resamples: of three in a row it would be certain."""

_BLOCK = 2**20


class StratifiedRanks:
    """The ranks of x and of y within each stratum, for any multiplicities of the points.

    A resample is the same points with multiplicities, so that its mean ranks follow from cumulated multiplicities
    along one order, found once.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    strata : ndarray of int, shape (n,)
        From 0, none empty.
    """

    def __init__(self, x: NDArray[np.float64], y: NDArray[np.float64], strata: NDArray[np.int64]) -> None:
        order = np.lexsort((x, strata))
        x, y, strata = x[order], y[order], strata[order]
        self.order, self.strata = order, strata
        self.sizes = np.bincount(strata)
        self.starts = np.cumsum(self.sizes) - self.sizes
        self._x = _Ties(x, strata, np.arange(len(x)))
        self._y = _Ties(y, strata, np.lexsort((y, strata)))
        # What to subtract from a rank among all to get one within the stratum, about its mean there.
        self._middle = self.starts + (self.sizes + 1) / 2

    def rho(self, weights: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ρ pooled over the strata, and of each.

        Parameters
        ----------
        weights : ndarray of int, shape (resamples, n)
            How often each point, in the order of ``self.order``, is in the resample; in every stratum they sum to its
            size.

        Returns
        -------
        tuple of ndarray, shapes (resamples,) and (resamples, strata)
            NaN where x or y is constant.
        """
        u = self._x.ranks(weights) - self._middle[self.strata]
        v = self._y.ranks(weights) - self._middle[self.strata]
        products = [np.add.reduceat(weights * a * b, self.starts, axis=1) for a, b in ((u, v), (u, u), (v, v))]
        pooled = [(product / self.sizes.astype(float) ** 2).sum(axis=1) for product in products]
        return _correlation(*pooled), _correlation(*products)

    def draw(self, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw points with replacement, of each stratum as many as it has; return their multiplicities."""
        n = len(self.strata)
        places = (rng.random((resamples, n)) * self.sizes[self.strata]).astype(np.int64) + self.starts[self.strata]
        places += n * np.arange(resamples)[:, None]
        return np.bincount(places.ravel(), minlength=resamples * n).reshape(resamples, n)


class _Ties:
    """Points in ascending order by stratum and value, with equal ones in one group."""

    def __init__(self, values: NDArray[np.float64], strata: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        values, strata = values[order], strata[order]
        new = np.r_[True, (values[1:] != values[:-1]) | (strata[1:] != strata[:-1])]
        self._order, self._starts = order, np.flatnonzero(new)
        self._group = np.empty(len(values), np.int64)
        self._group[order] = np.cumsum(new) - 1

    def ranks(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean rank of each point among all, from 1."""
        within = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        mean: NDArray[np.float64] = np.cumsum(within, axis=1) - (within - 1) / 2
        return mean[:, self._group]


def _correlation(uv: NDArray[np.float64], uu: NDArray[np.float64], vv: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = np.sqrt(uu * vv)
    # Sums of half-integers are exact, so that constant ranks give 0 and nothing near it.
    rho: NDArray[np.float64] = np.divide(uv, scale, out=np.full(uv.shape, np.nan), where=scale > 0)
    return rho.clip(-1, 1)


def rank_correlations(
    frequencies: NDArray[np.int64],
    norms: NDArray[np.float64],
    strata: NDArray[np.int64],
    *,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
    on_progress: OnProgress | None = None,
) -> tuple[RankCorrelation, list[RankCorrelation]]:
    """Correlate the ranks of frequency and norm within strata: pooled over them, and of each.

    What is resampled are the token types, of each stratum as many as it has; with a single stratum the pooled ρ is
    Spearman's.

    Parameters
    ----------
    frequencies, norms, strata : ndarray, shape (types,)
        Strata from 0, none empty.
    confidence : float
        Of the percentile intervals.
    resamples : int
    rng : numpy.random.Generator
    on_progress : callable, optional
    """
    ranks = StratifiedRanks(frequencies.astype(float), norms, strata)
    n = len(norms)
    pooled, each = ranks.rho(np.ones((1, n), np.int64))
    drawn_pooled, drawn_each = np.full(resamples, np.nan), np.full((resamples, len(ranks.sizes)), np.nan)
    step = max(1, _BLOCK // n)
    for start in range(0, resamples if n >= LEAST_FOR_INTERVAL else 0, step):
        block = slice(start, min(start + step, resamples))
        drawn_pooled[block], drawn_each[block] = ranks.rho(ranks.draw(block.stop - start, rng))
        if on_progress is not None:
            on_progress(block.stop / resamples)
    levels = [(1 - confidence) / 2, (1 + confidence) / 2]
    of_each = [
        _summary(frequencies[chosen], norms[chosen], float(each[0, s]), drawn_each[:, s], levels)
        for s in range(len(ranks.sizes))
        for chosen in [strata == s]
    ]
    return _summary(frequencies, norms, float(pooled[0]), drawn_pooled, levels), of_each


def _summary(
    frequencies: NDArray[np.int64],
    norms: NDArray[np.float64],
    rho: float,
    drawn: NDArray[np.float64],
    levels: list[float],
) -> RankCorrelation:
    n = len(norms)
    reason = None
    if n < 3:
        reason = f"{n} token type{' was' if n == 1 else 's were'} seen, and a rank correlation needs three"
    elif np.ptp(frequencies) == 0:
        reason = f"all {n} token types are equally frequent"
    elif np.ptp(norms) == 0:
        reason = f"all {n} token types have the same norm"
    elif np.isnan(rho):
        reason = "frequencies or norms do not vary within any class"
    if reason:
        return RankCorrelation(None, None, n, reason)
    drawn = drawn[~np.isnan(drawn)]
    # A resample in which nothing varies has no ρ; where that is common, the others tell of chance alone.
    if n < LEAST_FOR_INTERVAL or drawn.size == 0:
        return RankCorrelation(rho, None, n, f"{n} token types are too few for an interval")
    low, high = np.quantile(drawn, levels)
    return RankCorrelation(rho, (float(low), float(high)), n, None)
