"""Paired differences: their mean with its interval, a t-test, and the exact test of sign flips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embgeom.errors import InputError
from embgeom.results import Record

__all__ = ["PairedTest", "holm", "paired_test"]


@dataclass(frozen=True)
class PairedTest(Record):
    """Differences within pairs, set beside no difference.

    Attributes
    ----------
    pairs : int
        n.
    mean, sd : float
        Of the differences; the sample standard deviation, of n - 1.
    low, high : float
        95 % interval of the mean, by Student's t with n - 1 degrees of freedom.
    t, p_t : float or None
        Student's paired t and its two-sided p; None where all differences are the same, where t is not defined.
    p_flips : float
        Two-sided p of the exact test: the share of the 2ⁿ patterns of signs whose mean is as far from 0 (Fisher 1935).
        It assumes only that without an effect a difference is as likely to have the one sign as the other.
    least_p_flips : float
        The smallest p that this test can have with n pairs, 2/2ⁿ.
    """

    pairs: int
    mean: float
    sd: float
    low: float
    high: float
    t: float | None
    p_t: float | None
    p_flips: float
    least_p_flips: float


def paired_test(differences: Sequence[float]) -> PairedTest:
    """Return the tests of differences within pairs.

    Parameters
    ----------
    differences : sequence of float
        At least two and at most 20, of which all patterns of signs are counted.

    Raises
    ------
    InputError
        Another number of them, or one that is not finite.
    """
    from scipy.stats import t as student

    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if not 2 <= n <= 20:
        raise InputError(f"a paired test takes 2 to 20 differences, not {n}")
    if not np.isfinite(values).all():
        raise InputError("a paired test takes differences that are finite")
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if np.ptp(values) == 0.0:
        sd = 0.0
    half = float(student.ppf(0.975, n - 1)) * sd / math.sqrt(n)
    t = mean / (sd / math.sqrt(n)) if sd > 0.0 else None
    p_t = None if t is None else float(2.0 * student.sf(abs(t), n - 1))
    return PairedTest(n, mean, sd, mean - half, mean + half, t, p_t, _flips(values), 2.0 / 2**n)


def _flips(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    # sums that are equal on paper differ in their last digits
    slack = 1e-12 * float(np.abs(values).sum())
    return float(np.mean(np.abs(sums) >= abs(float(values.sum())) - slack))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values corrected for their number (Holm 1979), in the order given."""
    count = len(p_values)
    corrected = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
