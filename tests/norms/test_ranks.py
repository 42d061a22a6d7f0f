"""Spearman's ρ against scipy, whole, within strata and resampled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embgeom.norms.ranks import LEAST_FOR_INTERVAL, StratifiedRanks, rank_correlations
from embgeom.norms.records import RankCorrelation

OPTIONS = {"confidence": 0.95, "resamples": 200}

# Few different values, so that ties are the rule.
points = st.lists(
    st.tuples(st.integers(1, 6), st.integers(-4, 4), st.integers(0, 2), st.integers(0, 3)), min_size=3, max_size=40
)


def columns(drawn: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    f, x, s = np.array([row[:3] for row in drawn]).T
    return f, x.astype(float), np.unique(s, return_inverse=True)[1]


def correlate(f, x, strata=None, **options) -> tuple[RankCorrelation, list[RankCorrelation]]:  # type: ignore[no-untyped-def]
    f, x = np.asarray(f), np.asarray(x, float)
    strata = np.zeros(len(f), int) if strata is None else np.asarray(strata)
    options = {**OPTIONS, **options}
    return rank_correlations(f, x, strata, rng=np.random.default_rng(0), **options)


def scipy_rho(x, y) -> float | None:  # type: ignore[no-untyped-def]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(stats.spearmanr(x, y).statistic)


def pooled_rho(f, x, strata) -> float | None:  # type: ignore[no-untyped-def]
    """From the definition: ranks within each stratum over its size, about their mean; Pearson's r of all."""
    u, v = np.zeros(len(f)), np.zeros(len(f))
    for stratum in set(strata.tolist()):
        here = strata == stratum
        for ranks, values in ((u, f), (v, x)):
            ranks[here] = (stats.rankdata(values[here]) - (here.sum() + 1) / 2) / here.sum()
    if not u.any() or not v.any():
        return None
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))


@given(points)
def test_rho_is_that_of_scipy(drawn) -> None:  # type: ignore[no-untyped-def]
    f, x, strata = columns(drawn)
    assert correlate(f, x)[0].rho == pytest.approx(scipy_rho(f, x), abs=1e-12)
    pooled, each = correlate(f, x, strata)
    assert pooled.rho == pytest.approx(pooled_rho(f, x, strata), abs=1e-12)
    for stratum, found in enumerate(each):
        here = strata == stratum
        assert found.types == here.sum()
        assert found.rho == pytest.approx(scipy_rho(f[here], x[here]), abs=1e-12)


@given(points)
def test_rho_of_a_resample_is_that_of_its_points_written_out(drawn) -> None:  # type: ignore[no-untyped-def]
    """Multiplicities that each stratum's draws could have: the points are moved around within the stratum."""
    f, x, strata = columns(drawn)
    ranks = StratifiedRanks(f.astype(float), x, strata)
    rng = np.random.default_rng(len(drawn))
    weights = ranks.draw(5, rng)
    pooled, each = ranks.rho(weights)
    for number, multiplicity in enumerate(weights):
        chosen = np.repeat(ranks.order, multiplicity)
        assert len(chosen) == len(f)
        assert np.array_equal(np.bincount(strata[chosen]), np.bincount(strata))
        expected = pooled_rho(f[chosen], x[chosen], strata[chosen])
        assert pooled[number] == pytest.approx(np.nan if expected is None else expected, abs=1e-12, nan_ok=True)
        for stratum in range(len(ranks.sizes)):
            here = chosen[strata[chosen] == stratum]
            constant = np.ptp(f[here]) == 0 or np.ptp(x[here]) == 0
            rho = np.nan if constant else stats.spearmanr(f[here], x[here]).statistic
            assert each[number, stratum] == pytest.approx(rho, abs=1e-12, nan_ok=True)


def test_draws_are_uniform_within_strata() -> None:
    strata = np.repeat([0, 1], [2, 8])
    ranks = StratifiedRanks(np.arange(10.0), np.arange(10.0), strata)
    weights = ranks.draw(20_000, np.random.default_rng(1))
    assert weights.mean(axis=0) == pytest.approx(np.ones(10), abs=0.03)
    # Of n draws, a multiplicity has variance 1 − 1/n.
    assert weights.var(axis=0) == pytest.approx([0.5] * 2 + [0.875] * 8, abs=0.04)


def test_interval_is_that_of_scipys_bootstrap() -> None:
    rng = np.random.default_rng(3)
    f = rng.zipf(1.9, 150)
    x = rng.normal(size=150) - 0.4 * np.log(f)
    found, _ = correlate(f, x, resamples=4000)
    theirs = stats.bootstrap(
        (f, x),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True, vectorized=False, n_resamples=1500, method="percentile", rng=np.random.default_rng(4),
    ).confidence_interval  # fmt: skip
    assert found.interval == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Normal pairs with correlation r have Spearman's ρ = 6/π arcsin(r/2)."""
    r, trials, held = 0.5, 200, 0
    truth = 6 / np.pi * np.arcsin(r / 2)
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        a, b = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], size=80).T
        found, _ = rank_correlations(a, b, np.zeros(80, int), rng=rng, **OPTIONS)
        assert found.interval is not None
        held += found.interval[0] <= truth <= found.interval[1]
    assert 0.88 <= held / trials <= 0.99


@pytest.mark.parametrize(
    ("f", "x", "reason"),
    [
        ([5], [1.0], "1 token type was seen, and a rank correlation needs three"),
        ([5, 7], [1.0, 2.0], "2 token types were seen, and a rank correlation needs three"),
        ([4] * 20, range(20), "all 20 token types are equally frequent"),
        (range(1, 21), [0.1] * 20, "all 20 token types have the same norm"),
    ],
)
def test_undefined_says_why(f, x, reason: str) -> None:  # type: ignore[no-untyped-def]
    assert correlate(f, x)[0] == RankCorrelation(None, None, len(list(f)), reason)


def test_nothing_varies_within_any_stratum() -> None:
    found, _ = correlate([1, 1, 2, 2], [3, 4, 5, 6], [0, 0, 1, 1])
    assert (found.rho, found.reason) == (None, "frequencies or norms do not vary within any class")


def test_few_types_have_no_interval() -> None:
    n = LEAST_FOR_INTERVAL - 1
    found, _ = correlate(range(1, n + 1), range(n))
    assert found == RankCorrelation(1.0, None, n, f"{n} token types are too few for an interval")
    enough, _ = correlate(range(1, n + 2), range(n + 1))
    assert enough.interval == (1.0, 1.0)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    f, x, strata = rng.zipf(2, 60), rng.normal(size=60), rng.integers(0, 3, 60)
    whole = correlate(f, x, strata)
    monkeypatch.setattr("embgeom.norms.ranks._BLOCK", 7 * 60)
    assert correlate(f, x, strata) == whole
