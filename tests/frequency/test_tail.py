from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import zeta
from scipy.stats import zipf

from embgeom.frequency.tail import Tail, fit_tail


def histogram(counts: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, types = np.unique(counts, return_counts=True)
    return values.astype(np.float64), types


def fit(counts: NDArray[np.integer], k_min: float | None = None) -> Tail:
    return fit_tail(*histogram(counts), k_min)


def direct(counts: NDArray[np.integer], k_min: float) -> tuple[float, float]:
    """γ by maximising the likelihood, and D, both term by term and with SciPy's ζ."""
    tail = np.sort(counts[counts >= k_min]).astype(float)
    mean = np.log(tail).mean()
    gamma = minimize_scalar(
        lambda g: g * mean + np.log(zeta(g, k_min)), bounds=(1.001, 150), method="bounded", options={"xatol": 1e-11}
    ).x
    distance = max(abs((tail >= k).mean() - zeta(gamma, k) / zeta(gamma, k_min)) for k in np.unique(tail))
    return gamma, distance


samples = [
    np.random.default_rng(0).zipf(2.2, 800),
    np.random.default_rng(1).zipf(1.7, 300) % 100_003,
    1 + np.random.default_rng(2).geometric(0.2, 500),
    np.random.default_rng(3).integers(1, 40, 400),
    np.rint(np.random.default_rng(4).lognormal(2, 1.2, 900)).astype(int) + 1,
    np.array([1, 1, 2, 3]),
    np.array([5, 5, 5, 9, 30]),
]


@pytest.mark.parametrize("counts", samples, ids=range(len(samples)))
def test_gamma_k_min_and_distance_are_those_of_a_plain_search(counts: NDArray[np.integer]) -> None:
    plain = {k: direct(counts, k) for k in np.unique(counts)[:-2].tolist()}
    found = fit(counts)
    gamma, distance = plain[int(found.k_min)]
    assert distance == pytest.approx(min(d for _, d in plain.values()), abs=1e-7)
    assert found.gamma == pytest.approx(gamma, rel=1e-6)
    assert found.distance == pytest.approx(distance, abs=1e-7)
    assert found.size == (counts >= found.k_min).sum()


@pytest.mark.parametrize("seed", range(12))
def test_the_package_powerlaw_finds_the_same(seed: int) -> None:
    powerlaw = pytest.importorskip("powerlaw")
    generator = np.random.default_rng(seed)
    counts = generator.zipf(generator.uniform(1.6, 3), 1000)
    if seed % 3 == 0:
        counts = np.rint(generator.lognormal(1.5, 1.5, 1000)).astype(int) + 1
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        theirs = powerlaw.Fit(
            counts, discrete=True, estimate_discrete=False, parameter_ranges={"alpha": [1.0, None]}, verbose=False
        )
    ours = fit(counts)
    # Its optimiser stops at 1e-4, so two k_min of nearly equal distance may change places.
    assert ours.distance == pytest.approx(theirs.D, abs=2e-4)
    if theirs.xmin == ours.k_min:
        assert ours.gamma == pytest.approx(theirs.alpha, rel=2e-4)
    else:
        at = list(theirs.xmin_fitting_results["xmins"]).index(ours.k_min)
        assert theirs.xmin_fitting_results["distances"][at] == pytest.approx(theirs.D, abs=2e-4)


def test_the_likelihood_of_scipys_zipf_is_largest_at_gamma() -> None:
    counts = np.random.default_rng(5).zipf(2.4, 2000)
    gamma = fit(counts, 1).gamma
    at = zipf.logpmf(counts, gamma).sum()
    assert at > zipf.logpmf(counts, gamma + 1e-3).sum()
    assert at > zipf.logpmf(counts, gamma - 1e-3).sum()
    # Above k_min = 3 the law is zipf given k ≥ 3.
    tail = counts[counts >= 3]
    gamma = fit(counts, 3).gamma

    def above(g: float) -> float:
        return float((zipf.logpmf(tail, g) - zipf.logsf(2, g)).sum())

    assert above(gamma) > max(above(gamma + 1e-3), above(gamma - 1e-3))


def test_the_standard_error_is_the_curvature_of_the_likelihood() -> None:
    counts = np.random.default_rng(6).zipf(2.1, 3000)
    found = fit(counts, 2)
    tail = counts[counts >= 2]
    h = 1e-4

    def log_likelihood(g: float) -> float:
        return float(-g * np.log(tail).sum() - len(tail) * np.log(zeta(g, 2)))

    curvature = sum(weight * log_likelihood(found.gamma + shift) for weight, shift in ((1, h), (-2, 0), (1, -h))) / h**2
    assert found.standard_error == pytest.approx((-curvature) ** -0.5, rel=1e-4)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=80), st.randoms())
@settings(deadline=None)
def test_any_counts_have_a_fit_that_their_order_does_not_change(counts: list[int], random) -> None:
    shuffled = counts.copy()
    random.shuffle(shuffled)
    found = fit(np.array(counts))
    assert found == fit(np.array(shuffled))
    assert found.gamma > 1
    assert 0 <= found.distance <= 1
    assert found.k_min in counts


def test_a_law_so_steep_that_it_leaves_the_range_of_floats() -> None:
    # γ is some thousands, where k^(−γ) = 1e-9000: E[ln k] = mean by a sum over the few k that matter.
    found = fit(np.array([1] * 9 + [1000] * 50 + [1001] * 2 + [1002, 1003]))
    assert (found.k_min, found.size) == (1000, 54)
    logs = np.log1p(np.arange(300) / 1000)
    weights = np.exp(-found.gamma * logs)
    assert (weights * logs).sum() / weights.sum() == pytest.approx(logs[[1, 1, 2, 3]].sum() / 54, rel=1e-9)
    survival = weights[::-1].cumsum()[::-1] / weights.sum()
    expected = np.abs(survival[:4] - np.array([54, 4, 2, 1]) / 54).max()
    assert found.distance == pytest.approx(expected, rel=1e-9)


def test_extreme_counts_are_fitted() -> None:
    # Far out the law is geometric: k_min + j with probability ∝ e^(−jγ/k_min), of mean 1/(e^(γ/k_min) − 1) = 1/50 001.
    found = fit(np.array([10**9] * 50_000 + [10**9 + 1]), k_min=10**9)
    assert found.gamma == pytest.approx(1e9 * np.log1p(50_001), rel=1e-6)
    # Far apart it is nearly continuous: equation 3.1 holds.
    found = fit(np.array([10**6, 10**12, 10**18]), k_min=10**5)
    assert found.gamma - 1 == pytest.approx(3 / (np.log(10) * (1 + 7 + 13)), rel=1e-4)
    # Nearly all at k_min = 1: nothing but 2^(−γ) is left of the tail.
    found = fit(np.array([1] * 10**6 + [2]), k_min=1)
    assert found.gamma == pytest.approx(np.log2(1e6), rel=1e-4)


def test_many_frequencies_are_searched_as_thoroughly_as_few() -> None:
    # Enough different frequencies that most k_min are left out by a bound; all of them, one by one, must agree.
    counts = np.random.default_rng(7).zipf(1.35, 3000)
    counts = counts[counts < 10**7]
    values, types = histogram(counts)
    assert len(values) > 500
    found = fit_tail(values, types)
    one_by_one = [fit_tail(values, types, k).distance for k in values[:-2]]
    assert found.distance == pytest.approx(min(one_by_one), rel=1e-12)
    assert found.k_min == values[int(np.argmin(one_by_one))]
