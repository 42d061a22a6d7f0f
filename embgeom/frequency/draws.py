"""Exact draws from the discrete power law, for replicates of the counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.frequency.tail import Tail

__all__ = ["draw_histogram", "draw_power_law"]

Floats = NDArray[np.float64]


def draw_power_law(gamma: float, k_min: float, size: int, generator: np.random.Generator) -> Floats:
    """Draw from P(k) = k^(−γ)/ζ(γ, k_min), k ≥ k_min, exactly and however heavy the tail.

    Rejection (Devroye, *Non-Uniform Random Variate Generation*, 1986, X.6.1, for k_min = 1): k = ⌊x⌋ with x from the
    continuous law of exponent γ from k_min on is accepted with probability r(k)/r(k_min), where
    r(k) = k^(−γ)/(k^(1−γ) − (k+1)^(1−γ)) falls with k. Beyond 2^53 the draws are rounded as float64 is.

    Returns
    -------
    ndarray of float64, shape (size,)
    """

    def ratio(k: Floats | float) -> Floats:
        return np.asarray(1 / (-np.expm1((1 - gamma) * np.log1p(1 / k)) * k))

    ceiling = float(ratio(k_min))
    accepted: list[Floats] = []
    missing = size
    while missing > 0:
        tries = missing + missing // 2 + 10
        # 1 − U is never 0; the logarithm is cut where float64 ends, which needs a γ near 1 to matter.
        log_x = np.minimum(np.log(k_min) - np.log1p(-generator.random(tries)) / (gamma - 1), 700.0)
        k = np.maximum(np.floor(np.exp(log_x)), k_min)
        k = k[generator.random(tries) * ceiling < ratio(k)]
        accepted.append(k[:missing])
        missing -= len(accepted[-1])
    return np.concatenate(accepted) if accepted else np.empty(0)


def draw_histogram(
    values: Floats, types: NDArray[np.int64], tail: Tail, generator: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """Draw a replicate of a histogram: as many types, each from the fitted tail or from the values below it.

    Clauset, Shalizi and Newman 2009, section 4.1: with probability n_tail/n a draw from the fitted power law, otherwise
    one of the observed values below k_min.
    """
    total = int(types.sum())
    in_tail = int(generator.binomial(total, tail.size / total))
    drawn, drawn_types = np.unique(draw_power_law(tail.gamma, tail.k_min, in_tail, generator), return_counts=True)
    below = values < tail.k_min
    if not below.any():
        return drawn, drawn_types
    resampled = generator.multinomial(total - in_tail, types[below] / types[below].sum())
    seen = resampled > 0
    return np.concatenate([values[below][seen], drawn]), np.concatenate([resampled[seen], drawn_types])
