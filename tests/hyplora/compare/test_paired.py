"""The paired tests, against scipy and against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embgeom.errors import InputError
from hyplora.compare import holm, paired_test

finite = st.floats(-100, 100).map(lambda value: round(value, 3))


@given(st.lists(finite, min_size=2, max_size=9))
def test_against_brute_force_and_scipy(differences: list[float]) -> None:
    found = paired_test(differences)
    assert found.mean == pytest.approx(np.mean(differences))
    observed = abs(sum(round(1000 * d) for d in differences))  # in whole numbers, where ties are ties
    patterns = [
        abs(sum(sign * round(1000 * d) for sign, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    assert found.p_flips == sum(value >= observed for value in patterns) / len(patterns)
    assert found.p_flips >= found.least_p_flips == 2 / len(patterns)
    if len(set(differences)) == 1:
        assert (found.t, found.p_t) == (None, None)
        assert found.low == found.high == found.mean
        return
    student = stats.ttest_1samp(differences, 0.0)
    interval = student.confidence_interval(0.95)
    assert found.t == pytest.approx(student.statistic)
    assert found.p_t == pytest.approx(student.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_against_the_paired_tests_of_scipy() -> None:
    random = np.random.default_rng(1)
    ours, theirs = random.normal(1.0, 1.0, size=8), random.normal(size=8)
    found = paired_test(list(ours - theirs))
    assert found.p_t == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
    permuted = stats.permutation_test(
        (ours, theirs), lambda a, b: np.mean(a - b), permutation_type="samples", vectorized=False
    )
    assert found.p_flips == pytest.approx(permuted.pvalue)


def test_five_seeds_of_one_sign() -> None:
    assert paired_test([0.1, 0.2, 0.3, 0.25, 0.15]).p_flips == 0.0625


def test_no_effect_is_found_as_often_as_p_says() -> None:
    random = np.random.default_rng(0)
    found = [paired_test(random.normal(size=5)) for _ in range(2000)]
    assert np.mean([test.p_t <= 0.05 for test in found]) == pytest.approx(0.05, abs=0.015)  # 3 standard errors
    assert np.mean([test.low <= 0.0 <= test.high for test in found]) == pytest.approx(0.95, abs=0.015)
    assert np.mean([test.p_flips <= 0.0625 for test in found]) == pytest.approx(0.0625, abs=0.017)


@pytest.mark.parametrize("differences", [[1.0], [], [0.0] * 21, [1.0, np.nan], [1.0, np.inf]])
def test_what_cannot_be_tested(differences: list[float]) -> None:
    with pytest.raises(InputError, match="a paired test takes"):
        paired_test(differences)


def test_holm_as_he_has_it() -> None:
    # by hand: the least times 4, the next times 3, and so on, never less than the one before
    assert holm([0.01, 0.02, 0.02, 0.03]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.03, 0.6, 0.01]) == pytest.approx([0.06, 0.6, 0.03])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []
