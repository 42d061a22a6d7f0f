from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from embgeom.frequency import fit_power_law, goodness
from embgeom.frequency.draws import draw_power_law


def p_value(counts: NDArray[np.number], replicates: int = 50, k_min: int | None = None, seed: int = 0) -> float:
    fit = fit_power_law(counts, k_min=k_min, alternatives=False, goodness_of_fit=replicates, seed=seed)
    assert fit.goodness is not None
    return fit.goodness.p


def with_body(seed: int, size: int) -> NDArray[np.number]:
    """A power law from 5 on above a flat body."""
    generator = np.random.default_rng(seed)
    return np.concatenate([draw_power_law(2.2, 5, size, generator), generator.integers(1, 5, size)])


def test_p_is_spread_out_where_the_law_is_true() -> None:
    found = [p_value(with_body(seed, 250)) for seed in range(40)]
    # The mean of 40 uniform numbers is within 4 standard errors of ½; p is not exactly uniform, as γ is fitted.
    assert np.mean(found) == pytest.approx(0.5, abs=4 * 0.29 / np.sqrt(40))
    assert np.mean([p <= 0.1 for p in found]) < 0.3
    assert max(found) > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_p_is_small_where_the_law_is_wrong(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for counts in (generator.geometric(0.05, 3000), np.rint(generator.lognormal(2, 0.7, 3000)) + 1):
        assert p_value(counts, k_min=1) == 0
        # Free to choose, the fit may find a last part of the counts too small to tell; never the bulk of them.
        fit = fit_power_law(counts, alternatives=False, goodness_of_fit=50)
        assert fit.goodness is not None
        assert fit.goodness.p <= 0.1 or fit.tail_size < 0.2 * fit.types


@pytest.mark.slow
def test_p_is_uniform_where_the_law_is_true() -> None:
    given = [p_value(with_body(seed, 1000), replicates=200, k_min=5) for seed in range(200)]
    assert kstest(given, "uniform").pvalue > 1e-3
    # With k_min searched for, the counts have had the best of their k_min, the replicates begin at it: p is cautious.
    searched = [p_value(with_body(seed, 1000), replicates=200) for seed in range(200)]
    assert np.mean([p <= 0.1 for p in searched]) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 200)
    assert np.mean(searched) == pytest.approx(0.55, abs=0.15)


def test_the_numbers_depend_on_the_seed_and_not_on_the_threads() -> None:
    counts = with_body(1, 300)
    one, four, other = (
        fit_power_law(counts, alternatives=False, goodness_of_fit=40, seed=seed, threads=threads).goodness
        for seed, threads in ((3, 1), (3, 4), (4, 4))
    )
    assert one == four
    assert one is not None
    assert other is not None
    assert one.ks_mean != other.ks_mean


def test_p_is_the_share_of_replicates_at_least_as_far() -> None:
    counts = with_body(2, 300)
    fit = fit_power_law(counts, alternatives=False, goodness_of_fit=64)
    found = fit.goodness
    assert found is not None
    assert found.p * 64 == pytest.approx(round(found.p * 64))
    assert found.standard_error == pytest.approx(np.sqrt(found.p * (1 - found.p) / 64))
    assert (found.p > 0.5) == (found.ks_mean > fit.ks_distance) or abs(found.p - 0.5) < 0.2


def test_replicates_are_fitted_from_their_own_k_min(monkeypatch: pytest.MonkeyPatch) -> None:
    # The paper: each replicate goes through the whole procedure; a given k_min stays given.
    seen: list[object] = []
    real = goodness.fit_tail

    def spy(*arguments):
        seen.append(arguments[2:])
        return real(*arguments)

    monkeypatch.setattr(goodness, "fit_tail", spy)
    p_value(with_body(3, 200), replicates=5)
    p_value(with_body(3, 200), replicates=5, k_min=5)
    assert seen == [()] * 5 + [(5.0,)] * 5


def test_ctrl_c_stops_at_once_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def slow(*arguments):
        begun.append(1)
        if len(begun) == 3:
            raise KeyboardInterrupt
        time.sleep(0.02)
        return real(*arguments)

    real = goodness.fit_tail
    before = threading.active_count()
    monkeypatch.setattr(goodness, "fit_tail", slow)
    with pytest.raises(KeyboardInterrupt):
        fit_power_law(with_body(4, 200), alternatives=False, goodness_of_fit=5000, threads=2)
    assert len(begun) < 50
    assert threading.active_count() == before


def test_a_tiny_tail_has_a_bootstrap() -> None:
    for counts in ([1, 1, 2, 3], [5, 5, 5, 9, 30], [1] * 50 + [2, 3]):
        assert 0 <= p_value(np.array(counts), 30) <= 1
        assert 0 <= p_value(np.array(counts), 30, k_min=min(counts) + 1) <= 1 if len(set(counts)) > 3 else True
