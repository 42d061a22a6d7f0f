"""The Hurwitz zeta function ζ(γ, a) = Σ_{k ≥ a} k^(−γ) and the moments of ln k under k^(−γ)/ζ(γ, a), at many a at once.

Everything is scaled by a^γ, so that nothing underflows however steep the law; the sum is the first terms and the
Euler–Maclaurin formula for the rest (Olver et al., NIST Handbook of Mathematical Functions, 2.10(i)).
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

__all__ = ["Hurwitz"]

Floats = NDArray[np.float64]

_HEAD = 10  # terms that are summed one by one; with four corrections the rest is exact to about 1e-15

# B_{2j}/(2j)! times the rising factorial (γ)_{2j−1}, j = 1 … 4, to be divided by b^(2j−1).
_RISING = [Polynomial.fromroots(-np.arange(count)) for count in (1, 3, 5, 7)]
_CORRECTIONS = [
    rising / divisor for rising, divisor in zip(_RISING, (12.0, -720.0, 30_240.0, -1_209_600.0), strict=True)
]
_SLOPES = [correction.deriv() for correction in _CORRECTIONS]
_CURVATURES = [correction.deriv(2) for correction in _CORRECTIONS]


class Hurwitz:
    """a^γ ζ(γ, a) at fixed places ``a``, for γ > 1 that vary.

    Parameters
    ----------
    a : ndarray of float64, shape (n,)
        At least 1.
    """

    def __init__(self, a: Floats) -> None:
        self._a = a
        # ln((a + j)/a), j = 0 … _HEAD; the last is where the formula takes over.
        self._logs = np.log1p(np.arange(_HEAD + 1)[:, None] / a)
        self._start = a + _HEAD

    def scaled(self, gamma: Floats, places: slice) -> Floats:
        """Return a^γ ζ(γ, a) for every γ at each of the ``places``, in shape (len(gamma), len(places))."""
        logs, start = self._logs[:, places], self._start[places]
        gamma = gamma[:, None]
        total = np.ones((len(gamma), logs.shape[1]))
        for log in logs[1:-1]:
            total += np.exp(-gamma * log)
        rest = start / (gamma - 1) + 0.5
        for order, correction in enumerate(_CORRECTIONS):
            rest += correction(gamma) * (1 / start) ** (2 * order + 1)
        total += np.exp(-gamma * logs[-1]) * rest
        return total

    def moments(self, gamma: Floats) -> tuple[Floats, Floats, Floats]:
        """Return a^γ ζ(γ, a) and mean and variance of ln(k/a) under k^(−γ)/ζ(γ, a), k ≥ a, with one γ per place."""
        weights = np.exp(-gamma * self._logs[:-1])
        total = weights.sum(0)
        first = (weights * self._logs[:-1]).sum(0)
        second = (weights * self._logs[:-1] ** 2).sum(0)
        # The rest is e^(−γ ℓ) G(γ): its derivatives in −γ are the moments of ln(k/a).
        log, start = self._logs[-1], self._start
        g, slope, curvature = start / (gamma - 1) + 0.5, -start / (gamma - 1) ** 2, 2 * start / (gamma - 1) ** 3
        for order in range(len(_CORRECTIONS)):
            power = (1 / start) ** (2 * order + 1)
            g = g + _CORRECTIONS[order](gamma) * power
            slope = slope + _SLOPES[order](gamma) * power
            curvature = curvature + _CURVATURES[order](gamma) * power
        weight = np.exp(-gamma * log)
        total += weight * g
        first += weight * (log * g - slope)
        second += weight * (log**2 * g - 2 * log * slope + curvature)
        mean = first / total
        return total, mean, second / total - mean**2
