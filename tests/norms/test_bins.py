"""Bins and tenths against their definitions, token by token."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embgeom.norms.bins import frequency_bins, norm_bins, tenth_means

tokens = st.lists(
    st.tuples(st.integers(1, 300), st.floats(0.5, 3, allow_subnormal=False) | st.sampled_from([1.0, 2.0])),
    min_size=1,
    max_size=50,
)


@given(tokens, st.integers(1, 12))
def test_norm_bins(drawn, bins: int) -> None:  # type: ignore[no-untyped-def]
    f, x = np.array([row[0] for row in drawn]), np.array([row[1] for row in drawn])
    found = norm_bins(f, x, bins)
    assert len(found) == bins or (len(found) == 1 and np.quantile(x, 0.005) == np.quantile(x, 0.995))
    assert (found[0].low, found[-1].high) == (x.min(), x.max())
    assert all(one.high == other.low for one, other in itertools.pairwise(found))
    for number, chosen in enumerate(found):
        last = number == len(found) - 1
        here = [int(a) for a, b in zip(f, x, strict=True) if chosen.low <= b < chosen.high or (last and b == x.max())]
        assert chosen.types == len(here)
        assert chosen.mean_frequency == (pytest.approx(sum(here) / len(here)) if here else None)


def test_an_outlier_does_not_empty_the_bins() -> None:
    x = np.r_[np.linspace(1, 2, 999), 1e6]
    found = norm_bins(np.ones(1000, int), x, 10)
    assert all(50 < chosen.types < 200 for chosen in found)
    assert found[-1].high == 1e6
    widths = [chosen.high - chosen.low for chosen in found[1:-1]]
    assert widths == pytest.approx([widths[0]] * 8)


@given(tokens)
def test_frequency_bins(drawn) -> None:  # type: ignore[no-untyped-def]
    f, x = np.array([row[0] for row in drawn]), np.array([row[1] for row in drawn])
    found = frequency_bins(f, x, 0.9)
    assert sum(chosen.types for chosen in found) == len(f)
    for number, chosen in enumerate(found):
        assert (chosen.low, chosen.high) == (2**number, 2 ** (number + 1) - 1)
        here = (f >= chosen.low) & (f <= chosen.high)
        assert chosen.types == here.sum()
        if not here.any():
            assert (chosen.mean_norm, chosen.mean_frequency, chosen.interval, chosen.spread) == (None,) * 4
            continue
        assert chosen.mean_norm == pytest.approx(x[here].mean())
        assert chosen.mean_frequency == pytest.approx(f[here].mean())
        assert chosen.spread == pytest.approx(np.percentile(x[here], [10, 90]))
        if here.sum() == 1:
            assert chosen.interval is None
        elif np.ptp(x[here]) > 1e-6:
            expected = stats.t.interval(0.9, here.sum() - 1, loc=x[here].mean(), scale=stats.sem(x[here]))
            assert chosen.interval == pytest.approx(expected)


def test_octaves_of_large_frequencies() -> None:
    f = np.array([2**40 - 1, 2**40])
    found = frequency_bins(f, np.array([1.0, 2.0]), 0.95)
    assert [chosen.types for chosen in found[-2:]] == [1, 1]


@given(tokens, st.integers(0, 2**32 - 1))
def test_tenths_are_what_random_ties_give_on_average(drawn, seed: int) -> None:  # type: ignore[no-untyped-def]
    """With ten copies of every token a tenth is a whole number; shuffled, then sorted, many times."""
    f, x = np.repeat([row[0] for row in drawn], 10), np.repeat([row[1] for row in drawn], 10)
    frequent, rare = tenth_means(f, x)
    # The exact average over shuffles: whole groups first, then the share of the group that the tenth ends in.
    for mean, ordered in ((rare, sorted(set(f))), (frequent, sorted(set(f), reverse=True))):
        left, total = len(f) // 10, 0.0
        for value in ordered:
            group = x[f == value]
            taken = min(left, len(group))
            total += taken * group.mean()
            left -= taken
        assert mean == pytest.approx(total / (len(f) // 10))
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(f))
    assert tenth_means(f[shuffled], x[shuffled]) == pytest.approx((frequent, rare))


def test_tenths_without_ties() -> None:
    assert tenth_means(np.arange(1, 31), np.arange(30.0)) == (28.0, 1.0)
