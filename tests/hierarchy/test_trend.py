"""The Jonckheere–Terpstra test against enumeration, Mann–Whitney, and what must not change it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, mannwhitneyu

from embgeom.hierarchy.trend import signed, trend


def jonckheere(places: tuple[int, ...], values: tuple[float, ...]) -> float:
    """J from its definition: pairs from an earlier and a later group that rise, ties one half."""
    return sum(
        (values[i] < values[j]) + (values[i] == values[j]) / 2
        for i in range(len(places))
        for j in range(len(places))
        if places[i] < places[j]
    )


small = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n), st.lists(st.integers(0, 5), min_size=n, max_size=n)
    )
)


@settings(max_examples=25, deadline=None)
@given(small)
def test_exact_p_value_by_enumeration(data: tuple[list[int], list[int]]) -> None:
    places, values = map(tuple, data)
    result = trend(places, values, seed=0)
    if len(set(places)) < 2 or len(set(values)) < 2:
        assert result is None
        return
    assert result is not None
    observed = jonckheere(places, values)
    null = [jonckheere(arranged, values) for arranged in permutations(places)]
    tails = np.mean([j >= observed for j in null]), np.mean([j <= observed for j in null])
    assert result.exact
    assert result.p_value == pytest.approx(min(1.0, 2 * min(tails)))
    assert np.sign(result.tau) == np.sign(observed - np.mean(null).round(9))


def test_of_two_groups_it_is_mann_whitney() -> None:
    first, second = [1.0, 2.5, 0.3], [4.0, 2.0, 7.0, 8.0]
    result = trend([0] * 3 + [1] * 4, first + second, seed=0)
    assert result is not None
    assert result.p_value == pytest.approx(mannwhitneyu(first, second, method="exact").pvalue)


def test_many_words_by_chance() -> None:
    """Random permutations agree with the normal approximation of Kendall's τ, ties corrected, within their error."""
    generator = np.random.default_rng(1)
    places = np.repeat(np.arange(4), 20)
    values = generator.normal(size=80) + 0.25 * places
    result = trend(places.tolist(), values.tolist(), seed=0)
    reference = kendalltau(places, values)
    assert result is not None
    assert not result.exact
    assert result.tau == pytest.approx(reference.statistic)
    assert result.p_value == pytest.approx(reference.pvalue, abs=0.01, rel=0.25)


def test_no_exception_gives_the_smallest_p() -> None:
    result = trend([0] * 10 + [1] * 10, list(range(20)), seed=0)
    assert result is not None
    assert result.tau == pytest.approx(kendalltau([0] * 10 + [1] * 10, range(20)).statistic)
    assert result.p_value == pytest.approx(2 / 10_000)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20)), min_size=9, max_size=12), st.integers(0, 5))
def test_what_does_not_change_it(words: list[tuple[int, int]], seed: int) -> None:
    places, values = [place for place, _ in words], [float(value) for _, value in words]
    result = trend(places, values, seed=seed)
    assert trend([10 * place for place in places], [value**3 + value for value in values], seed=seed) == result
    mirrored = trend(places, [-value for value in values], seed=seed)
    assert (mirrored is None) == (result is None)
    if result is not None and mirrored is not None:
        assert mirrored.tau == pytest.approx(-result.tau)
        assert mirrored.p_value == pytest.approx(result.p_value, abs=0.06)  # other permutations are drawn


def test_nothing_to_test() -> None:
    assert trend([], [], seed=0) is None
    assert trend([1, 1, 1], [1.0, 2.0, 3.0], seed=0) is None
    assert trend([0, 1, 2], [2.0, 2.0, 2.0], seed=0) is None


def test_a_direction_is_told_where_there_is_evidence() -> None:
    """Two words that rise, which every pair of words does or does not; then many that do."""
    two, many = trend([0, 1], [1.0, 2.0], seed=0), trend([0] * 5 + [1] * 5, list(range(10)), seed=0)
    falling = trend([0] * 5 + [1] * 5, list(range(10, 0, -1)), seed=0)
    assert two is not None
    assert many is not None
    assert falling is not None
    assert (two.tau, two.p_value, two.direction) == (1, 1, 0)
    assert (many.direction, falling.direction) == (1, -1)


def test_signs() -> None:
    assert [signed(value, 2) for value in (0.5, -0.5, -0.001)] == ["0.50", "−0.50", "0.00"]
