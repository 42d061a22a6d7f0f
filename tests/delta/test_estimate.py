"""δ of one space: closed forms, brute force from the definition, a peer, and the laws that it obeys."""

from __future__ import annotations

import dataclasses
import itertools
import re
import warnings

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from embgeom import DistanceWarning, InputError, OptionError, PointsError, hyperbolicity
from embgeom.delta import METHODS, Hyperbolicity
from embgeom.delta.bounds import bottleneck_bound
from tests.oracles import (
    brute_force_two_delta,
    brute_force_two_delta_at,
    cloud,
    graph_distances,
    random_tree,
)

# Distances are computed in float64; a sum of four of them is good to some units in its last place.
ROUNDING = 1e-13

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(params=["numba", "torch"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the paths that a CPU has, in turn."""
    monkeypatch.setattr("embgeom.delta.engine.backend_of", lambda device: request.param)
    return str(request.param)


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("n", [4, 5, 9, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_tree_is_zero(n: int, seed: int) -> None:
    assert hyperbolicity(distances=random_tree(n, seed)).delta == pytest.approx(0, abs=ROUNDING * n)
    assert hyperbolicity(distances=random_tree(n, seed, integer=True)).delta == 0


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])
def test_cycle(n: int) -> None:
    """δ(C_n) = n/4 for n ≡ 0 (mod 4), else ⌊n/4⌋ − ½ for n ≡ 1 and ⌊n/4⌋ for n ≡ 2, 3 (Koolen and Moulton, 2002)."""
    expected = n // 4 - (0.5 if n % 4 == 1 else 0)
    assert hyperbolicity(distances=graph_distances(nx.cycle_graph(n))).delta == expected


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_grid(n: int) -> None:
    assert hyperbolicity(distances=graph_distances(nx.grid_2d_graph(n, n))).delta == n - 1


def test_complete_graph_is_zero() -> None:
    result = hyperbolicity(distances=graph_distances(nx.complete_graph(7)))
    assert (result.delta, result.diameter) == (0, 1)


def test_points_on_a_line_are_zero() -> None:
    x = np.sort(np.random.default_rng(0).normal(size=(30, 1)), axis=0)
    assert hyperbolicity(x).delta == pytest.approx(0, abs=ROUNDING)


@pytest.mark.parametrize("n", [5, 40])
def test_every_path_finds_the_closed_forms(n: int, backend: str) -> None:
    assert hyperbolicity(distances=random_tree(n, 3, integer=True), method="exact").delta == 0
    assert hyperbolicity(distances=graph_distances(nx.cycle_graph(4 * n)), method="exact").delta == n


def test_square() -> None:
    result = hyperbolicity([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert result.delta == pytest.approx(np.sqrt(2) - 1, rel=ROUNDING)
    assert result.relative_delta == pytest.approx(2 * (np.sqrt(2) - 1) / np.sqrt(2), rel=ROUNDING)


# ------------------------------------------------------------- independent oracles


@pytest.mark.parametrize("n", [4, 5, 8, 17, 30])
@pytest.mark.parametrize("d", [1, 2, 50])
def test_exact_is_brute_force(n: int, d: int, backend: str) -> None:
    x = cloud(n, d, seed=n * d)
    result = hyperbolicity(x, method="exact")
    assert 2 * result.delta == pytest.approx(brute_force_two_delta(cdist(x, x)), rel=ROUNDING, abs=ROUNDING)
    assert result.exact
    assert result.upper_bound == result.delta


@pytest.mark.parametrize("base", [0, 3, 11])
def test_fixed_base_is_brute_force(base: int, backend: str) -> None:
    x = cloud(12, 4, seed=1)
    result = hyperbolicity(x, method="base", base=base)
    assert 2 * result.delta == pytest.approx(brute_force_two_delta_at(cdist(x, x), base), rel=ROUNDING)
    assert (result.exact, result.base, result.witness[0]) == (False, base, base)


@pytest.mark.parametrize("n", [10, 40, 60])
def test_agrees_with_hypdelta(n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peer, not ours
        from hypdelta.delta import hypdelta

        x = cloud(n, 8, seed=n)
        peer = hypdelta(cdist(x, x), device="cpu", strategy="naive")  # called delta there; it is 2δ/diameter
    assert hyperbolicity(x).relative_delta == pytest.approx(peer, rel=ROUNDING)


def test_sample_against_all_quadruples(backend: str) -> None:
    x = cloud(14, 3, seed=5)
    d = cdist(x, x)
    every = []
    for a, b, c, e in itertools.combinations(range(14), 4):
        sums = sorted((d[a, b] + d[c, e], d[a, c] + d[b, e], d[a, e] + d[b, c]))
        every.append((sums[2] - sums[1]) / 2)
    result = hyperbolicity(x, method="sample", quadruples=200_000, seed=3)
    assert result.sample is not None
    error = result.sample.standard_deviation / np.sqrt(200_000)
    assert abs(result.sample.mean - np.mean(every)) < 5 * error
    assert result.sample.standard_deviation == pytest.approx(np.std(every), rel=0.02)
    # 1001 quadruples are all drawn in 200 000 draws, but for a chance of e^-200.
    assert result.delta == pytest.approx(max(every), rel=ROUNDING)
    assert not result.exact
    assert sum(result.sample.histogram) == result.work["quadruples"] == 200_000


def test_interval_of_the_mean_covers_at_its_level() -> None:
    x = cloud(30, 3, seed=6)
    d = cdist(x, x)
    truth = np.mean(
        [
            (s[2] - s[1]) / 2
            for a, b, c, e in itertools.combinations(range(30), 4)
            for s in [sorted((d[a, b] + d[c, e], d[a, c] + d[b, e], d[a, e] + d[b, c]))]
        ]
    )
    samples = [
        hyperbolicity(x, method="sample", quadruples=2000, seed=seed, confidence=0.8).sample for seed in range(200)
    ]
    covered = sum(s is not None and s.interval[0] <= truth <= s.interval[1] for s in samples)
    # Binomial(200, 0.8) has mean 160 and standard deviation 5.7.
    assert 137 <= covered <= 183


# -------------------------------------------------------------------------- laws


@given(seed=seeds, n=st.integers(4, 25), d=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_bounds_between_methods(seed: int, n: int, d: int) -> None:
    x = cloud(n, d, seed)
    exact = hyperbolicity(x)
    of_base = [hyperbolicity(x, method="base", base=p) for p in range(n)]
    slack = ROUNDING * exact.diameter
    for result in of_base:
        assert result.delta <= exact.delta + slack
        assert exact.delta <= 2 * result.delta + slack
        assert result.upper_bound is not None
        assert exact.delta <= result.upper_bound + slack
    assert max(result.delta for result in of_base) == pytest.approx(exact.delta, abs=slack)
    everywhere = hyperbolicity(x, method="base", base="all")
    assert everywhere.delta == pytest.approx(exact.delta, abs=slack)
    assert everywhere.exact
    sampled = hyperbolicity(x, method="sample", quadruples=500, seed=seed)
    assert sampled.delta <= exact.delta + slack
    assert sampled.upper_bound is not None
    assert exact.delta <= sampled.upper_bound
    assert 0 <= exact.relative_delta <= 1 + ROUNDING


@given(seed=seeds, n=st.integers(4, 20), scale=st.floats(1e-12, 1e12))
@settings(max_examples=30, deadline=None)
def test_invariances(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    reference = hyperbolicity(x)
    tolerance = {"rel": 1e-11, "abs": 1e-12 * reference.diameter}
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    assert hyperbolicity(x[rng.permutation(n)]).delta == pytest.approx(reference.delta, **tolerance)
    assert hyperbolicity(x @ rotation).delta == pytest.approx(reference.delta, **tolerance)
    assert hyperbolicity(x + 10).delta == pytest.approx(reference.delta, **tolerance)
    scaled = hyperbolicity(x * scale)
    assert scaled.delta / scale == pytest.approx(reference.delta, **tolerance)
    assert scaled.relative_delta == pytest.approx(reference.relative_delta, rel=1e-11, abs=1e-12)


@given(seed=seeds, n=st.integers(4, 25))
@settings(max_examples=20, deadline=None)
def test_float32_against_float64(seed: int, n: int) -> None:
    x = cloud(n, 10, seed).astype(np.float32)
    assert hyperbolicity(torch.from_numpy(x)).delta == hyperbolicity(x.astype(np.float64)).delta


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_any_real_dtype(dtype: torch.dtype) -> None:
    x = (torch.from_numpy(cloud(20, 6, 0)) * 3).to(dtype)
    assert hyperbolicity(x).delta == hyperbolicity(x.double()).delta


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("metric", ["euclidean", "angular", "cosine"])
def test_witness_attains_the_value(method: str, metric: str) -> None:
    x = cloud(25, 6, seed=8)
    result = hyperbolicity(x, method=method, metric=metric, quadruples=5000)
    if metric == "euclidean":
        d = cdist(x, x)
    else:
        cosine = 1 - cdist(x, x, "cosine")
        d = 1 - cosine if metric == "cosine" else np.arccos(np.clip(cosine, -1, 1))
    a, b, c, e = result.witness
    assert len({a, b, c, e}) == 4
    sums = sorted((d[a, b] + d[c, e], d[a, c] + d[b, e], d[a, e] + d[b, c]))
    # arccos loses half the digits near 0; the values here are of order 1.
    assert 2 * result.delta == pytest.approx(sums[2] - sums[1], rel=1e-7)
    assert result.diameter == pytest.approx(d.max(), rel=1e-7)


@pytest.mark.parametrize("n", [4, 20, 60])
@pytest.mark.parametrize("metric", ["euclidean", "angular", "cosine"])
def test_bounds_hold_the_exact_value(n: int, metric: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = cloud(n, 6, seed=n)
    exact = hyperbolicity(x, method="exact", metric=metric)
    for base_points in (10_000, 0):  # δ_p itself, then the bottleneck bound of it
        limit = dict.fromkeys(("numba", "triton", "torch"), base_points)
        monkeypatch.setattr("embgeom.delta.bounds._BASE_POINTS", limit)
        result = hyperbolicity(x, method="bounds", metric=metric)
        # With 10 000 climbs on so few points the maximum is missed with a chance far below 1e-6.
        assert result.delta == pytest.approx(exact.delta, rel=ROUNDING)
        assert (result.exact, result.method, result.work["climbs"]) == (False, "bounds", 10_000)
        if metric == "cosine":
            assert result.upper_bound is None
        else:
            assert result.upper_bound is not None
            assert exact.delta <= result.upper_bound <= exact.diameter / 2


@pytest.mark.parametrize("metric", ["euclidean", "angular", "cosine"])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_bounds_without_the_matrix(metric: str, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the matrix does not fit, climbs run on the points, and reach the exact value on so few of them."""
    x = (cloud(40, 8, seed=1) + 3) * scale
    exact = hyperbolicity(x, metric=metric)
    monkeypatch.setattr("embgeom.delta.space.free_memory", lambda device: 0)
    result = hyperbolicity(x, method="bounds", metric=metric)
    assert result.delta == pytest.approx(exact.delta, rel=1e-12)
    assert result.diameter == pytest.approx(exact.diameter, rel=1e-12)
    assert result.upper_bound == (None if metric == "cosine" else result.diameter / 2)
    assert result.work["climbs"] == 1000


@pytest.mark.parametrize("n", [5, 12, 30])
@pytest.mark.parametrize("kind", ["cloud", "tree", "grid"])
def test_bottleneck_bound(n: int, kind: str) -> None:
    """Against the closure of the Gromov products by Floyd and Warshall's algorithm in (max, min)."""
    if kind == "cloud":
        d = cdist(cloud(n, 4, n), cloud(n, 4, n))
    else:
        d = random_tree(n, n) if kind == "tree" else graph_distances(nx.grid_2d_graph(n // 4 + 2, 3))
    for base in (0, len(d) - 1):
        g = (d[:, [base]] + d[[base], :] - d) / 2
        closure = g.copy()
        for z in range(len(d)):
            closure = np.maximum(closure, np.minimum(closure[:, [z]], closure[[z], :]))
        off = ~np.eye(len(d), dtype=bool)
        bound = bottleneck_bound(torch.from_numpy(d), base)
        assert bound == pytest.approx(2 * (closure - g)[off].max(), rel=1e-12, abs=1e-13)
        assert bound >= brute_force_two_delta_at(d, base) * (1 - 1e-15)


def test_auto_is_exact_while_that_takes_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    x = cloud(40, 4, seed=2)
    assert hyperbolicity(x).method == "exact"
    monkeypatch.setattr("embgeom.delta.estimate._SECONDS", dict.fromkeys(("numba", "triton", "torch"), 30))
    assert hyperbolicity(x).method == "bounds"


def test_points_and_their_distances_agree() -> None:
    x = cloud(30, 4, seed=2)
    assert hyperbolicity(distances=cdist(x, x)).delta == pytest.approx(hyperbolicity(x).delta, rel=ROUNDING)


def test_duplicates_change_nothing() -> None:
    x = cloud(15, 4, seed=3)
    twice = np.concatenate([x, x])
    assert hyperbolicity(twice).delta == pytest.approx(hyperbolicity(x).delta, rel=ROUNDING)


def test_medoid_has_the_smallest_sum_of_distances() -> None:
    x = cloud(20, 3, seed=9)
    assert hyperbolicity(x, method="base", base="medoid").base == cdist(x, x).sum(1).argmin()
    assert hyperbolicity(x, method="base", base=-1).base == 19


def test_seed_decides_the_draw() -> None:
    x = cloud(50, 5, seed=4)
    one, again, other = (hyperbolicity(x, method="sample", quadruples=1000, seed=s) for s in (1, 1, 2))
    assert one == again
    assert one.sample != other.sample
    assert (one.seed, other.seed) == (1, 2)


def test_sampling_without_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path for clouds whose matrix would be too large draws what torch draws from the matrix."""
    monkeypatch.setattr("embgeom.delta.engine.backend_of", lambda device: "torch")
    x = cloud(60, 7, seed=4)
    for metric in ("euclidean", "angular", "cosine"):
        of_matrix = hyperbolicity(x, method="sample", metric=metric, quadruples=3000)
        with monkeypatch.context() as patch:
            patch.setattr("embgeom.delta.space._SMALL_BYTES", 0)
            of_points = hyperbolicity(x, method="sample", metric=metric, quadruples=3000)
        assert of_points.witness == of_matrix.witness
        assert of_points.delta == pytest.approx(of_matrix.delta, rel=1e-12)
        assert of_points.diameter == pytest.approx(of_matrix.diameter, rel=1e-12)
        assert of_points.sample is not None
        assert of_matrix.sample is not None
        assert of_points.sample.mean == pytest.approx(of_matrix.sample.mean, rel=1e-12)
        assert of_points.sample.histogram == of_matrix.sample.histogram


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_sampling_at_any_scale(scale: float, backend: str) -> None:
    """δ is of the first degree in the distances, although their squares may not be numbers."""
    d = cdist(cloud(20, 3, seed=1), cloud(20, 3, seed=1))
    reference = hyperbolicity(distances=d, method="sample", quadruples=5000)
    result = hyperbolicity(distances=d * scale, method="sample", quadruples=5000)
    assert result.witness == reference.witness
    assert result.sample is not None
    assert reference.sample is not None
    assert result.sample.mean == pytest.approx(reference.sample.mean * scale, rel=1e-12)
    assert result.sample.standard_deviation == pytest.approx(reference.sample.standard_deviation * scale, rel=1e-12)
    assert result.sample.histogram == reference.sample.histogram


def test_histogram_of_whole_numbers(backend: str) -> None:
    """Each δ of this graph lies on the edge of a bin, and opens it; diameter/2 closes the last."""
    result = hyperbolicity(distances=graph_distances(nx.cycle_graph(16)), method="sample", quadruples=20_000)
    assert result.sample is not None
    assert result.diameter == 8
    assert np.flatnonzero(result.sample.histogram).tolist() == [0, 32, 64, 96, 127]


@pytest.mark.parametrize("method", METHODS)
def test_result_survives_json(method: str) -> None:
    result = hyperbolicity(cloud(10, 2, seed=0), method=method, quadruples=100)
    assert Hyperbolicity.from_json(result.to_json()) == result
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.delta = 0.0  # type: ignore[misc]


# --------------------------------------------------------------------- bad input


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_fewer_than_four_points(n: int) -> None:
    with pytest.raises(PointsError, match=rf"got {n} points?; .* 0 by definition"):
        hyperbolicity(np.zeros((n, 3)))
    with pytest.raises(PointsError, match="0 by definition"):
        hyperbolicity(distances=np.zeros((n, n)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite(bad: float) -> None:
    x = cloud(10, 3, seed=0)
    x[4, 1] = x[7, 2] = bad
    with pytest.raises(PointsError, match="2 of 10 rows hold NaN or inf; the first is row 4"):
        hyperbolicity(x)
    d = cdist(cloud(10, 3, seed=0), cloud(10, 3, seed=0))
    d[2, 3] = bad
    with pytest.raises(PointsError, match="1 of 10 rows of distances hold NaN or inf; the first is row 2"):
        hyperbolicity(distances=d)


def test_all_points_equal() -> None:
    with pytest.raises(PointsError, match="all 5 points are equal: the diameter is 0"):
        hyperbolicity(np.ones((5, 3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:, :-1], r"expected distances as a real \(n, n\) matrix, got shape \(6, 5\)"),
        (lambda d: -d, "distances are negative"),
        (lambda d: d + np.triu(d) / 10, "distances are not symmetric"),
        (lambda d: d + np.eye(6), "distances are not zero on the diagonal"),
        (lambda d: d**4, r"longer than a way round: d\(\d,\d\) > d\(\d,\d\) \+ d\(\d,\d\), by up to"),
    ],
)
def test_no_distance_matrix(change, message: str, backend: str) -> None:  # type: ignore[no-untyped-def]
    d = cdist(cloud(6, 2, 0), cloud(6, 2, 0))
    with pytest.raises(PointsError, match=message):
        hyperbolicity(distances=change(d))


def test_the_way_round_that_is_named_is_shorter() -> None:
    d = cdist(cloud(9, 2, 0), cloud(9, 2, 0))
    d[3, 7] = d[7, 3] = 50
    with pytest.raises(PointsError, match="way round") as caught:
        hyperbolicity(distances=d)
    x, y, p = (int(digit) for digit in re.findall(r"d\((\d),(\d)\) > d\(\d,(\d)\)", str(caught.value))[0])
    assert {x, y} == {3, 7}
    assert d[x, y] > d[x, p] + d[p, y]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d + np.triu(d) * 1e-8, "not symmetric"),
        (lambda d: d + np.eye(8) * 1e-8, "not zero on the diagonal"),
        (lambda d: d - 1e-8 * ((d == 0) & ~np.eye(8, dtype=bool)), "negative"),
        (lambda d: d + 1e-8 * ((d == d.max()) + 0.0), "longer than a way round"),
    ],
)
def test_rounding_is_repaired_and_said(change, message: str) -> None:  # type: ignore[no-untyped-def]
    x = np.array([[0.0], [1.0], [2.0], [3.0], [5.0], [7.0], [9.0], [9.0]])
    d = cdist(x, x)
    with pytest.warns(DistanceWarning, match=message):
        result = hyperbolicity(distances=change(d))
    assert result.delta == pytest.approx(0, abs=1e-7)


def test_float64_rounding_of_a_metric_is_no_fault() -> None:
    for d in (random_tree(60, 1), cdist(np.linspace(0, 1, 50)[:, None], np.linspace(0, 1, 50)[:, None])):
        hyperbolicity(distances=d)  # warnings are errors here


def test_triangles_of_a_large_matrix_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    x = cloud(40, 3, 0)
    monkeypatch.setattr("embgeom.delta.checks._TRIANGLE_WORK", 40**2 * 5)
    hyperbolicity(distances=cdist(x, x))
    with pytest.raises(PointsError, match="way round"):
        hyperbolicity(distances=cdist(x, x) ** 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "unknown method 'guess'; choose one of: auto, exact, bounds, base, sample"),
        ({"metric": "taxicab"}, "unknown metric 'taxicab'; choose one of: euclidean, angular, cosine"),
        ({"method": "base", "base": "middle"}, "unknown base 'middle'; choose first, medoid, all, or an index"),
        ({"method": "base", "base": 6}, "base 6 is not an index of one of the 6 points"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used here"),
        ({"method": "sample", "quadruples": 1}, "quadruples must be a whole number of at least 2, got 1"),
        ({"method": "sample", "quadruples": 2.5}, "quadruples must be a whole number of at least 2, got 2.5"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 0.5}, "seed must be a whole number from 0"),
        ({"seed": 2**70}, "seed must be a whole number from 0"),
        ({"method": "base", "base": None}, "unknown base None"),
        ({"method": "base", "base": 1.7}, "unknown base 1.7"),
        ({"method": "sample", "confidence": 1.0}, "confidence must lie between 0 and 1"),
    ],
)
def test_unknown_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        hyperbolicity(cloud(6, 2, 0), **options)  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_any_array_of_numbers() -> None:
    x = cloud(20, 4, seed=1)
    expected = hyperbolicity(x).delta
    read_only = x.copy()
    read_only.flags.writeable = False
    wants_gradient = torch.tensor(x, requires_grad=True)
    backwards = x[::-1].copy()[::-1]
    swapped = x.astype(x.dtype.newbyteorder())
    for same in (x.tolist(), read_only, np.asfortranarray(x), backwards, swapped, wants_gradient, x.astype("g")):
        assert hyperbolicity(same).delta == expected
    d = cdist(x, x)
    d.flags.writeable = False
    assert hyperbolicity(distances=d).delta == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("bad", [[["a"]] * 4, [[1.0], [1.0, 2.0]] * 2, "text", [None] * 4, 5, [[1j]] * 4])
def test_no_array_of_numbers(bad: object) -> None:
    with pytest.raises(PointsError, match="expected"):
        hyperbolicity(bad)  # type: ignore[arg-type]


def test_points_or_distances() -> None:
    for arguments in ({}, {"points": cloud(5, 2, 0), "distances": np.zeros((5, 5))}):
        with pytest.raises(OptionError, match="either points or distances"):
            hyperbolicity(**arguments)


def test_zero_rows_have_no_angle() -> None:
    x = cloud(6, 3, 0)
    x[2] = 0
    with pytest.raises(PointsError, match="1 of 6 rows are zero and have no direction; the first is row 2"):
        hyperbolicity(x, metric="angular")


def test_too_little_memory_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    free = psutil.virtual_memory()._replace(available=10_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(InputError, match=r"needs .* GiB of memory and .* GiB are free on cpu"):
        hyperbolicity(cloud(100, 3, 0), method="exact")
