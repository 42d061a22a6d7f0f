"""Token types by norm and by frequency: what the figures show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.norms.records import FrequencyBin, NormBin

__all__ = ["frequency_bins", "norm_bins", "tenth_means"]

# A special token can have many times the norm of all others; bins from it to them would be empty.
_BULK = (0.005, 0.995)
_SPREAD = (0.1, 0.9)


def norm_bins(frequencies: NDArray[np.int64], norms: NDArray[np.float64], bins: int) -> tuple[NormBin, ...]:
    """Return the mean frequency of the token types in each bin of the norm.

    The bins are of equal width over the middle 99 % of the types; the first and the last reach further, to the
    smallest and the largest norm. Of equal norms there is one bin.
    """
    low, high = np.quantile(norms, _BULK)
    edges = np.linspace(low, high, bins + 1) if low < high else np.array([low, high])
    edges[0], edges[-1] = norms.min(), norms.max()
    places = np.clip(np.searchsorted(edges, norms, side="right") - 1, 0, len(edges) - 2)
    types = np.bincount(places, minlength=len(edges) - 1)
    totals = np.bincount(places, weights=frequencies, minlength=len(edges) - 1)
    return tuple(
        NormBin(float(edges[i]), float(edges[i + 1]), int(n), float(totals[i] / n) if n else None)
        for i, n in enumerate(types)
    )


def frequency_bins(
    frequencies: NDArray[np.int64], norms: NDArray[np.float64], confidence: float
) -> tuple[FrequencyBin, ...]:
    """Return the mean norm of the token types in each octave of the frequency: of 1, of 2–3, of 4–7 and so on."""
    octaves = np.frexp(frequencies.astype(float))[1] - 1  # exact, where a logarithm would be off by rounding
    return tuple(
        _frequency_bin(octave, frequencies[chosen], norms[chosen], confidence)
        for octave in range(int(octaves.max()) + 1)
        for chosen in [octaves == octave]
    )


def _frequency_bin(
    octave: int, frequencies: NDArray[np.int64], norms: NDArray[np.float64], confidence: float
) -> FrequencyBin:
    low, high, n = 2**octave, 2 ** (octave + 1) - 1, len(norms)
    if not n:
        return FrequencyBin(low, high, 0, None, None, None, None)
    mean = float(norms.mean())
    interval = None
    if n > 1:
        from scipy.special import stdtrit

        error = float(stdtrit(n - 1, (1 + confidence) / 2) * norms.std(ddof=1) / np.sqrt(n))
        interval = (mean - error, mean + error)
    first, last = np.quantile(norms, _SPREAD)
    return FrequencyBin(low, high, n, float(frequencies.mean()), mean, interval, (float(first), float(last)))


def tenth_means(frequencies: NDArray[np.int64], norms: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean norm of the most frequent and of the rarest tenth of the token types.

    Where a tenth ends among equally frequent types, it takes as much of their mean as it lacks: what breaking the tie
    at random gives on average.
    """
    _, groups, types = np.unique(frequencies, return_inverse=True, return_counts=True)
    means = np.bincount(groups, weights=norms) / types
    rare, frequent = (_mean_of_first(m, t, len(norms) / 10) for m, t in ((means, types), (means[::-1], types[::-1])))
    return frequent, rare


def _mean_of_first(means: NDArray[np.float64], types: NDArray[np.int64], size: float) -> float:
    taken = np.clip(size - (np.cumsum(types) - types), 0, types)
    return float(taken @ means / taken.sum())
