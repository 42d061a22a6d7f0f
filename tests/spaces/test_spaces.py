"""Every reference space is a metric space, of the δ that its docstring states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kstest

from embgeom import OptionError, PointsError, hyperbolicity
from embgeom.spaces import (
    SPACES,
    SpaceMeasure,
    barabasi_albert,
    branching_walk,
    branching_walk_points,
    cycle,
    erdos_renyi,
    gaussian,
    grid,
    measure_space,
    measure_spaces,
    poincare_disc,
    random_tree,
    sphere,
)
from embgeom.treelikeness import tree_likeness
from tests.oracles import brute_force_two_delta


def exact(distances: np.ndarray) -> tuple[float, float]:
    """δ and 2δ/diameter."""
    found = hyperbolicity(distances=distances, method="exact", device="cpu")
    return found.delta, found.relative_delta


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("n", [4, 30])
def test_metric_space(name: str, n: int) -> None:
    distances = SPACES[name](n, 3)
    assert distances.shape == (n, n)
    assert distances.dtype == np.float64
    assert (np.diagonal(distances) == 0).all()
    np.testing.assert_allclose(distances, distances.T, rtol=1e-12)
    assert (distances + 1e-9 >= 0).all()
    excess = distances[:, None] - distances[:, :, None] - distances[None]
    assert excess.max() < 1e-9 * distances.max()
    assert (distances == SPACES[name](n, 3)).all()
    if name not in ("grid", "cycle", "Erdős–Rényi"):  # of four nodes the last is always complete
        assert (distances != SPACES[name](n, 2**40)).any() or n == 4


@pytest.mark.parametrize("make", [random_tree, barabasi_albert])
@pytest.mark.parametrize("n", [4, 17, 80])
def test_trees(make, n: int) -> None:  # type: ignore[no-untyped-def]
    distances = make(n, n)
    assert (distances == 1).sum() == 2 * (n - 1)  # edges
    assert exact(distances)[0] == 0
    assert tree_likeness(distances=distances).mean_q.value == 0


def test_trees_are_uniform() -> None:
    """Of the 16 labelled trees of 4 nodes, 4 are stars."""
    stars = sum(random_tree(4, seed).max() == 2 for seed in range(2000))
    assert abs(stars / 2000 - 4 / 16) < 4 * math.sqrt(0.25 * 0.75 / 2000)


def test_scale_free() -> None:
    """m = 2 has cycles: n nodes, 2(n − 2) edges; 2δ/diameter is nowhere near 0. With m = 1 it is 0."""
    distances = barabasi_albert(100, 1, m=2)
    assert (distances == 1).sum() == 2 * 2 * 98
    assert exact(distances)[1] > 0.4
    degrees = (barabasi_albert(1000, 0, m=2) == 1).sum(axis=0)
    assert degrees.min() >= 1
    assert degrees.max() > 30  # hubs


def test_random_graph() -> None:
    edges = [(erdos_renyi(60, seed, p=0.2) == 1).sum() / 2 for seed in range(30)]
    expected, sd = 0.2 * 60 * 59 / 2, math.sqrt(0.16 * 60 * 59 / 2)
    assert abs(np.mean(edges) - expected) < 4 * sd / math.sqrt(30)
    assert np.isfinite(erdos_renyi(100, 0)).all()
    relative = [exact(erdos_renyi(6, seed, p=0.6))[1] for seed in range(300)]
    assert np.mean(relative) == pytest.approx(0.66, abs=0.06)  # what the docstring says of the paper's 0.62 ± 0.34
    assert np.std(relative) == pytest.approx(0.32, abs=0.04)


@pytest.mark.parametrize("n", range(4, 21))
def test_cycle(n: int) -> None:
    k, rest = divmod(n, 4)
    expected = k - 0.5 if rest == 1 else k
    assert exact(cycle(n)) == pytest.approx((expected, 2 * expected / (n // 2)))
    if n < 10:
        assert 2 * expected == brute_force_two_delta(cycle(n))


@pytest.mark.parametrize(("n", "a", "b"), [(4, 2, 2), (12, 3, 4), (25, 5, 5), (30, 5, 6), (14, 2, 7), (13, 1, 13)])
def test_grid(n: int, a: int, b: int) -> None:
    distances = grid(n)
    assert distances.max() == a + b - 2
    assert (distances == 1).sum() == 2 * (a * (b - 1) + b * (a - 1))
    assert exact(distances) == (a - 1, 2 * (a - 1) / (a + b - 2))


def test_sphere() -> None:
    distances = sphere(500, 0)
    assert distances.max() <= math.pi
    assert kstest((1 - np.cos(distances[0, 1:])) / 2, "uniform").pvalue > 1e-3  # Archimedes
    assert exact(distances)[1] == pytest.approx(0.99, abs=0.008)
    assert exact(sphere(100, 0, d=1))[1] > 0.97  # a circle: d/π is uniform
    assert kstest(sphere(500, 1, d=1)[0, 1:] / math.pi, "uniform").pvalue > 1e-3
    chords = 2 * np.sin(sphere(300, 0, d=1) / 2)
    assert exact(chords)[1] == pytest.approx(2 - math.sqrt(2), abs=0.01)


def test_gaussian() -> None:
    distances = gaussian(400, 0, d=3)
    assert kstest(distances[np.triu_indices(400, 1)][::401] ** 2 / 2, "chi2", args=(3,)).pvalue > 1e-3
    by_dimension = [np.mean([exact(gaussian(40, seed, d=d))[1] for seed in range(10)]) for d in (2, 32, 384, 4096)]
    assert by_dimension == pytest.approx([0.458, 0.361, 0.157, 0.054], abs=0.04)
    assert tree_likeness(distances=gaussian(60, 0, d=4096)).mean_q.value == pytest.approx(0.5, abs=0.02)


def test_branching_walk() -> None:
    """Squared distances over d tend to the path lengths of a tree, which are whole numbers with δ = 0."""
    distances = branching_walk(40, 5, d=200_000)
    steps = np.rint(distances**2 / 200_000)
    np.testing.assert_allclose(distances**2 / 200_000, steps, atol=0.15)
    assert (steps == 1).sum() == 2 * 39
    assert exact(steps)[0] == 0
    assert tree_likeness(distances=branching_walk(40, 5)).pooled_q.value < 0.15
    points = branching_walk_points(20, 1, d=9)
    np.testing.assert_allclose(squareform(pdist(points)), branching_walk(20, 1, d=9), rtol=1e-12, atol=1e-12)
    moved = branching_walk_points(4000, 1, d=2, noise=3) - branching_walk_points(4000, 1, d=2)
    assert kstest(moved[:, 0] / 3, "norm").pvalue > 1e-3


@pytest.mark.parametrize("radius", [0.5, 3.0, 12.0])
def test_poincare_disc(radius: float) -> None:
    """Against points of the disc model and its own formula; uniform in area; δ ≤ ln 2, and nearly that if large."""
    rng = np.random.default_rng(7)  # the draws of the function, in its order
    r = np.arccosh(1 + rng.random(60) * (np.cosh(radius) - 1))
    angle = rng.uniform(0, 2 * np.pi, 60)
    z = np.tanh(r / 2) * np.exp(1j * angle)
    gap = np.abs(z[:, None] - z) ** 2 / ((1 - np.abs(z) ** 2)[:, None] * (1 - np.abs(z) ** 2))
    distances = poincare_disc(60, 7, radius=radius)
    np.testing.assert_allclose(distances, np.arccosh(1 + 2 * gap), rtol=1e-6, atol=1e-6)
    delta, relative = exact(distances)
    assert delta <= math.log(2)
    if radius > 10:
        assert delta > 0.98 * math.log(2)
        assert relative == pytest.approx(math.log(2) / radius, rel=0.03)
    tiny = poincare_disc(60, 7, radius=1e-6)
    np.testing.assert_allclose(tiny / 1e-6, np.abs(_flat(7)[:, None] - _flat(7)), rtol=1e-6)


def _flat(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sqrt(rng.random(60)) * np.exp(1j * rng.uniform(0, 2 * np.pi, 60))


def test_measure() -> None:
    found = measure_space("Poincaré disc, radius 6", points=12, draws=3, seed=5)
    assert SpaceMeasure.from_json(found.to_json()) == found
    assert len(found.mean_q.values) == found.draws == 3
    seeds = np.random.SeedSequence(5).generate_state(3, np.uint64) >> np.uint64(1)
    truth = [brute_force_two_delta(poincare_disc(12, int(seed))) for seed in seeds]
    assert [2 * delta for delta in found.delta.values] == pytest.approx(truth)
    large = measure_space("cycle", points=201, draws=1)
    assert large.method == "sample"
    assert large.relative_delta.mean == pytest.approx(0.99)  # exact: (50 − ½)/50
    assert [result.space for result in measure_spaces(["cycle", "grid"], points=9, draws=1)] == ["cycle", "grid"]


def test_the_ruler_orders_trees_before_noise() -> None:
    q = {result.space: result.pooled_q.mean for result in measure_spaces(points=40, draws=2)}
    assert q["random tree"] == q["Barabási–Albert, m = 1"] == 0
    assert (
        q["branching walk, d = 384"] < q["branching walk, noise 1"] < q["Gaussian, d = 384"] < q["Gaussian, d = 4096"]
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: measure_space("torus"), OptionError, "unknown space 'torus'"),
        (lambda: measure_space("grid", points=3), PointsError, "got 3 points"),
        (lambda: measure_space("grid", draws=0), OptionError, "draws must be"),
        (lambda: random_tree(5, -1), OptionError, "seed must be"),
        (lambda: barabasi_albert(5, m=5), OptionError, "m must be less"),
        (lambda: erdos_renyi(5, p=2), OptionError, "p must lie"),
        (lambda: erdos_renyi(50, p=0), OptionError, "none of 1000 random graphs"),
        (lambda: cycle(2), OptionError, "n must be"),
        (lambda: poincare_disc(5, radius=0), OptionError, "radius must be"),
        (lambda: branching_walk(5, noise=-1), OptionError, "noise must be"),
        (lambda: sphere(5, d=0), OptionError, "d must be"),
    ],
)
def test_bad_input(call, error: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        call()
