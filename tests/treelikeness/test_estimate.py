"""q and its companions: brute force, spaces of known values, invariances, sampling."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom import DistanceWarning, OptionError, PointsError, hyperbolicity, pairwise_distances
from embgeom.treelikeness import STATISTICS, TreeLikeness, tree_likeness
from embgeom.treelikeness.tally import tally_all
from tests.oracles import cloud, graph_distances, random_tree
from tests.treelikeness.brute import brute_force


def values(found: TreeLikeness) -> dict[str, float]:
    return {name: getattr(found, name).value for name in STATISTICS}


@pytest.mark.parametrize("n", [4, 5, 6, 9])
@pytest.mark.parametrize("d", [1, 2, 30])
def test_against_the_definition(n: int, d: int) -> None:
    points = cloud(n, d, n + d)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    truth = brute_force(distances)
    for found in (tree_likeness(points), tree_likeness(distances=distances)):
        for name, value in values(found).items():
            assert value == pytest.approx(truth[name], rel=1e-9, abs=1e-9), name
        assert found.point_q == pytest.approx(truth["point_q"], rel=1e-9, abs=1e-9)
        assert found.quadruples == math.comb(n, 4) == sum(found.histogram)
        assert found.point_quadruples == (math.comb(n - 1, 3),) * n
    if d > 1:  # on a line every q is 0 but for rounding, below the tolerance
        expected, _ = np.histogram(truth["ratios"], bins=100, range=(0, 1))
        assert np.abs(np.array(tree_likeness(distances=distances).histogram) - expected).sum() <= 2  # edges of bins


@pytest.mark.parametrize("metric", ["angular", "cosine"])
def test_other_metrics(metric: str) -> None:
    points = cloud(8, 4, 0)
    truth = brute_force(pairwise_distances(points, metric=metric).numpy())
    assert values(tree_likeness(points, metric=metric)) == pytest.approx({name: truth[name] for name in STATISTICS})


@pytest.mark.parametrize("n", [4, 20, 90])
@pytest.mark.parametrize("seed", range(5))
def test_trees_have_q_zero(n: int, seed: int) -> None:
    found = tree_likeness(distances=random_tree(n, seed))
    assert found.mean_q.value == found.pooled_q.value == found.delta_over_sd.value == 0
    assert found.relative_delta.value < 1e-13
    assert found.histogram[0] == found.quadruples
    assert set(found.point_q) == {0.0}


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1.0, 1e150])
def test_stars_are_no_noise(scale: float) -> None:
    """d_ij = h_i + h_j: S1 = S2 = S3 but for rounding, of which q must not be made."""
    h = np.random.default_rng(0).uniform(0.1, 5, 30) * scale
    distances = h[:, None] + h
    np.fill_diagonal(distances, 0)
    raw = brute_force(distances[:9, :9] * (1 + 1e-15 * np.random.default_rng(1).normal(size=(9, 9))))
    assert raw["mean_q"] == 0
    found = tree_likeness(distances=distances)
    assert found.mean_q.value == found.pooled_q.value == 0
    assert found.star_residual.value < 1e-25
    assert found.distance_sd == pytest.approx(distances[np.triu_indices(30, 1)].std())


def test_equal_distances_are_a_star() -> None:
    for distances in (np.ones((6, 6)) - np.eye(6), (np.ones((6, 6)) - np.eye(6)) * 0.1):
        assert set(values(tree_likeness(distances=distances)).values()) == {0.0}
    simplex = np.linalg.qr(cloud(7, 7, 0))[0]  # distances √2 but for rounding
    assert set(values(tree_likeness(simplex)).values()) - {0.0} <= {tree_likeness(simplex).relative_delta.value}


def test_float32_distances_have_the_tolerance_of_float32() -> None:
    tree = random_tree(25, 3).astype(np.float32)
    with pytest.warns(DistanceWarning):
        found = tree_likeness(distances=tree)
    assert found.mean_q.value == 0
    assert found.tolerance == 1e-6
    points = cloud(25, 10, 0)
    narrow = pairwise_distances(points).numpy().astype(np.float32)
    assert values(tree_likeness(distances=narrow)) == pytest.approx(values(tree_likeness(points)), rel=1e-4)
    assert tree_likeness(points.astype(np.float32)).tolerance == 1e-12  # computed in float64


def test_cycle_of_four() -> None:
    """S1 = 4, S2 = S3 = 2: the worst there is."""
    found = tree_likeness(distances=graph_distances(nx.cycle_graph(4)))
    assert values(found) == pytest.approx(
        {
            "mean_q": 1,
            "pooled_q": 1,
            "delta_over_sd": 2 / math.sqrt(2 / 9),  # distances 1, 1, 1, 1, 2, 2
            "star_residual": 1,  # all rows have the same sum
            "relative_delta": 1,
        }
    )
    assert found.histogram[-1] == 1


def test_grid_of_two_by_three() -> None:
    """All 15 quadruples by their definition, and that of the corners by hand."""
    grid = graph_distances(nx.grid_2d_graph(2, 3))
    assert values(tree_likeness(distances=grid)) == pytest.approx(
        {name: brute_force(grid)[name] for name in STATISTICS}
    )
    corners = [0, 2, 3, 5]  # 2 + 2, 1 + 1, 3 + 3
    assert tree_likeness(distances=grid[np.ix_(corners, corners)]).mean_q.value == pytest.approx((6 - 4) / (6 - 2))


def test_mean_q_does_not_grow_with_the_number_of_points() -> None:
    """The average over all subsets of one size is the value of the whole, unlike that of the largest δ."""
    points = cloud(9, 4, 2)
    whole = tree_likeness(points)
    parts = [tree_likeness(points[list(kept)]) for kept in itertools.combinations(range(9), 6)]
    assert np.mean([part.mean_q.value for part in parts]) == pytest.approx(whole.mean_q.value)
    assert np.mean([part.relative_delta.value for part in parts]) < 0.95 * whole.relative_delta.value


def test_a_line_is_a_tree() -> None:
    found = tree_likeness(cloud(50, 1, 0))
    assert found.mean_q.value == 0


def test_repeated_points_have_q_zero() -> None:
    """Two equal points: S1 = S2 in every quadruple that holds both."""
    points = cloud(8, 5, 0)
    twice = np.concatenate([points, points[:1]])
    once, found = tree_likeness(points), tree_likeness(twice)
    both = math.comb(7, 2)
    total = once.mean_q.value * once.quadruples + once.point_q[0] * math.comb(7, 3)
    assert found.mean_q.value == pytest.approx(total / (once.quadruples + math.comb(7, 3) + both))
    assert found.mean_q.value < once.mean_q.value


small = st.integers(4, 9), st.integers(1, 6), st.integers(0, 10**6)


@settings(max_examples=40, deadline=None)
@given(*small)
def test_invariances(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d))
    base = values(tree_likeness(points))
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    for other in (7.3 * points, points[rng.permutation(n)], points @ rotation + rng.normal(size=d)):
        assert values(tree_likeness(other)) == pytest.approx(base, rel=1e-6, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(*small)
def test_q_does_not_see_the_gauge(n: int, d: int, seed: int) -> None:
    """d_ij + h_i + h_j has the same S1 − S2 and S1 − S3: q looks past stars."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    h = rng.uniform(0, 3, n)
    gauged = distances + (h[:, None] + h)
    np.fill_diagonal(gauged, 0)
    plain, moved = tree_likeness(distances=distances), tree_likeness(distances=gauged)
    assert moved.mean_q.value == pytest.approx(plain.mean_q.value, rel=1e-6, abs=1e-7)
    assert moved.pooled_q.value == pytest.approx(plain.pooled_q.value, rel=1e-6, abs=1e-7)
    assert moved.point_q == pytest.approx(plain.point_q, rel=1e-6, abs=1e-7)


def test_relative_delta_is_that_of_the_other_estimators() -> None:
    points = cloud(60, 5, 0)
    assert tree_likeness(points).relative_delta.value == hyperbolicity(points, method="exact").relative_delta
    drawn = tree_likeness(points, method="sample", quadruples=5000, seed=3)
    peer = hyperbolicity(points, method="sample", quadruples=5000, seed=3, device="cpu")
    assert drawn.relative_delta.value == peer.relative_delta
    assert peer.sample is not None
    assert drawn.delta_over_sd.value * drawn.distance_sd == pytest.approx(2 * peer.sample.mean)
    low, high = drawn.delta_over_sd.interval or (0, 0)
    assert (low * drawn.distance_sd / 2, high * drawn.distance_sd / 2) == pytest.approx(peer.sample.interval)


def test_intervals_cover() -> None:
    """95 % intervals hold the exact value in 95 % of 400 samples, within 3.5 standard errors."""
    points = cloud(14, 6, 1)
    exact = tree_likeness(points, method="exact")
    held = dict.fromkeys(("mean_q", "pooled_q", "delta_over_sd"), 0)
    for seed in range(400):
        drawn = tree_likeness(points, method="sample", quadruples=400, seed=seed)
        for name in held:
            low, high = getattr(drawn, name).interval
            held[name] += low <= getattr(exact, name).value <= high
    margin = 3.5 * math.sqrt(0.95 * 0.05 / 400)
    assert all(abs(count / 400 - 0.95) <= margin for count in held.values()), held


def test_sampled_points_and_their_counts() -> None:
    points = cloud(30, 6, 1)
    exact = tree_likeness(points)
    drawn = tree_likeness(points, method="sample", quadruples=200_000)
    assert sum(drawn.point_quadruples) == 4 * 200_000
    assert sum(drawn.histogram) == drawn.quadruples == 200_000
    assert drawn.point_q == pytest.approx(exact.point_q, abs=0.01)
    assert drawn.star_residual == exact.star_residual
    few = tree_likeness(points, method="sample", quadruples=2)
    assert few.point_q.count(None) == few.point_quadruples.count(0) >= 22
    assert TreeLikeness.from_json(few.to_json()) == few


def test_auto_and_seeds() -> None:
    points = cloud(201, 3, 0)
    found = tree_likeness(points, quadruples=1000)
    assert (found.method, found.seed, found.confidence) == ("sample", 0, 0.95)
    assert found == tree_likeness(points, quadruples=1000)
    assert found.mean_q != tree_likeness(points, quadruples=1000, seed=1).mean_q
    exact = tree_likeness(points[:200])
    assert (exact.method, exact.seed, exact.confidence) == ("exact", None, None)
    assert exact.mean_q.interval is None


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    distances = pairwise_distances(cloud(120, 10, 0)).numpy()
    many = tally_all(distances, tolerance=1e-12)
    monkeypatch.setattr("embgeom.delta.cpu.parallel.thread_count", lambda: 1)
    one = tally_all(distances, tolerance=1e-12)
    assert (many.sums == one.sums).all()
    assert (many.by_point == one.by_point).all()
    assert many.histogram.sum() == math.comb(120, 4)


def test_progress_stops_the_work() -> None:
    seen: list[float] = []

    def stop(fraction: float) -> None:
        seen.append(fraction)
        if fraction > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tree_likeness(cloud(200, 3, 0), on_progress=stop)
    assert seen[-1] < 0.9


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (np.zeros((5, 2)), {}, "all 5 points are equal"),
        (np.zeros((3, 2)), {}, "got 3 points"),
        (np.full((5, 2), np.nan), {}, "NaN or inf"),
        (np.zeros(5), {}, "real matrix"),
    ],
)
def test_bad_points(points: np.ndarray, options: dict[str, object], message: str) -> None:
    with pytest.raises(PointsError, match=message):
        tree_likeness(points, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bounds"}, "unknown method 'bounds'"),
        ({"metric": "taxi"}, "unknown metric"),
        ({"quadruples": 1}, "quadruples must be"),
        ({"confidence": 1}, "confidence must lie"),
        ({"seed": -1}, "seed must be"),
        ({"distances": np.zeros((5, 5))}, "either points or distances"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        tree_likeness(cloud(5, 2, 0), **options)  # type: ignore[arg-type]
