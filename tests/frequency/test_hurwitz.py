from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom.frequency.alternatives import log_normalizer
from embgeom.frequency.hurwitz import Hurwitz


@given(st.floats(1.01, 40), st.sampled_from([1, 2, 3, 7, 30, 1000, 10**6]))
@settings(max_examples=20, deadline=None)
def test_zeta_and_the_moments_of_ln_k_are_those_of_mpmath(gamma: float, a: int) -> None:
    # mpmath's ζ is accurate in absolute terms, and ζ may be as small as a^(−γ).
    with mpmath.workdps(40 + int(gamma * np.log10(a))):
        zeta, mean, variance = (
            mpmath.diff(lambda s: mpmath.log(mpmath.zeta(s, a)), mpmath.mpf(gamma), order) for order in range(3)
        )
        scaled = mpmath.exp(zeta) * mpmath.mpf(a) ** gamma
        expected = [float(x) for x in (scaled, -mean - mpmath.log(a), variance)]
    place = Hurwitz(np.array([float(a)]))
    found = [float(x[0]) for x in place.moments(np.array([gamma]))]
    assert found == pytest.approx(expected, rel=1e-11)
    assert place.scaled(np.array([gamma]), slice(None))[0, 0] == pytest.approx(expected[0], rel=1e-12)


def test_a_steep_law_far_out_does_not_underflow() -> None:
    # k^(−3000) at k = 1000 is 10^(−9000). Against a sum of the law itself.
    offsets = np.arange(2000)
    weights = np.exp(-3000 * np.log1p(offsets / 1000))
    found = Hurwitz(np.array([1000.0])).moments(np.array([3000.0]))
    assert float(found[0][0]) == pytest.approx(weights.sum(), rel=1e-12)
    assert float(found[1][0]) == pytest.approx((weights * np.log1p(offsets / 1000)).sum() / weights.sum(), rel=1e-12)


@given(st.floats(0, 6), st.floats(-27, 1), st.sampled_from([1, 2, 10, 300]))
@settings(max_examples=40, deadline=None)
def test_the_normaliser_of_the_truncated_power_law_is_lerchs_function(
    alpha: float, log_rate: float, k_min: int
) -> None:
    rate = float(np.exp(log_rate))
    if rate > 1e-3:  # a sum of the definition
        k = np.arange(k_min, k_min + 60_000)
        expected = np.log(np.sum((k / k_min) ** -alpha * np.exp(-rate * (k - k_min))))
    else:
        # Lerch's Φ(z, α, a) = Σ z^k (a + k)^(−α), as an integral: a different way from ours to the same number.
        with mpmath.workdps(20):
            if alpha < 1.5:  # by the incomplete gamma function and Euler–Maclaurin, from far out
                far = k_min + 3000
                k = np.arange(k_min, far)
                head = np.sum((k / k_min) ** -alpha * np.exp(-rate * (k - k_min)))
                integral = (
                    float(
                        mpmath.mpf(rate) ** (alpha - 1)
                        * mpmath.gammainc(1 - alpha, rate * far)
                        * mpmath.exp(rate * k_min)
                    )
                    * float(k_min) ** alpha
                )
                edge = (far / k_min) ** -alpha * np.exp(-rate * (far - k_min))
                expected = np.log(head + integral + edge * (0.5 + (alpha / far + rate) / 12))
            else:
                total = mpmath.quad(
                    lambda t: t ** (alpha - 1) * mpmath.exp(-k_min * t) / (1 - mpmath.exp(-rate - t)),
                    [0, rate, 10 * rate, 100 * rate, 0.01, 0.1, 1, 10, mpmath.inf],
                )
                expected = float(mpmath.log(total / mpmath.gamma(alpha) * mpmath.mpf(k_min) ** alpha))
    assert log_normalizer(alpha, rate, float(k_min)) == pytest.approx(expected, abs=1e-7)
