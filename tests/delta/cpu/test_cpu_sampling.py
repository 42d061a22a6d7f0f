"""The sampler: what it draws, and that its sums are those of what it drew."""

from __future__ import annotations

import math
import threading
from itertools import combinations

import numpy as np
import pytest
from cpu_spaces import SPACES, all_gaps, euclidean, four_point_oracle, gaussian, integers
from scipy import stats

from embgeom.delta.cpu.sampling import draw_quadruples, sample

BINS = 100


def counts_below_edges(gaps: np.ndarray, diameter: float) -> np.ndarray:
    """By comparison with the edges; numpy's own histogram fails for tiny and huge ranges."""
    return np.searchsorted(np.sort(gaps / diameter), np.arange(1, BINS) / BINS, side="left")


@pytest.mark.parametrize("n", [4, 5, 6, 9])
def test_quadruples_are_uniform(n) -> None:
    """As sets, and in order: the shifts must not favour any place."""
    points = draw_quadruples(n, 400_000, seed=11)
    assert points.min() >= 0
    assert points.max() < n
    assert (np.diff(np.sort(points, axis=1), axis=1) > 0).all()
    place = n ** np.arange(4)
    for codes, total in ((np.sort(points, axis=1) @ place, math.comb(n, 4)), (points @ place, math.perm(n, 4))):
        counts = np.unique(codes, return_counts=True)[1]
        assert len(counts) == total
        assert total == 1 or stats.chisquare(counts).pvalue > 1e-4


def test_quadruples_follow_one_another_without_memory() -> None:
    """Pairs of neighbours in the stream, of one seed and of two neighbouring ones."""
    n = 5
    codes = draw_quadruples(n, 400_000, seed=3)[:, :2] @ (1, n)
    other = draw_quadruples(n, 400_000, seed=4)[:, :2] @ (1, n)
    for left, right in ((codes[:-1], codes[1:]), (codes, other), (codes[1:], other[:-1])):
        counts = np.unique(left * n * n + right, return_counts=True)[1]
        assert len(counts) == 20 * 20
        assert stats.chisquare(counts).pvalue > 1e-4


def test_quadruples_reach_all_of_a_large_cloud() -> None:
    n = 100_003
    points = draw_quadruples(n, 100_000, seed=2)
    assert (np.diff(np.sort(points, axis=1), axis=1) > 0).all()
    for column in points.T:
        assert stats.kstest(column / n, "uniform").pvalue > 1e-4


def test_a_quadruple_is_a_function_of_seed_and_number() -> None:
    far = 2**40 - 3
    points = draw_quadruples(50, 300, seed=5, offset=far)
    assert (points[7:] == draw_quadruples(50, 293, seed=5, offset=far + 7)).all()
    for other in (
        draw_quadruples(50, 300, seed=6, offset=far),
        draw_quadruples(50, 300, seed=5),
        draw_quadruples(50, 300, seed=5 + 2**40, offset=far),
    ):
        assert (points != other).any(axis=1).mean() > 0.99


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("n", [4, 7, 30])
def test_sums_histogram_and_maximum_are_those_of_the_drawn_quadruples(space, n) -> None:
    distances = SPACES[space](np.random.default_rng(n), n)
    count = 20_011  # several chunks, and the last batch not full
    quads = draw_quadruples(n, count, seed=8)
    gaps, diameter = all_gaps(distances, quads), distances.max()
    drawn = sample(distances, count, seed=8, bins=BINS)
    assert drawn.count == count
    scaled = gaps * drawn.scale
    assert drawn.total == pytest.approx(math.fsum(scaled), rel=1e-13, abs=0)
    assert drawn.squares == pytest.approx(math.fsum(scaled**2), rel=1e-13, abs=0)
    assert drawn.mean == pytest.approx(scaled.mean() / 2 / drawn.scale, rel=1e-12, abs=0)
    # The mean square less the squared mean loses half the digits of a small deviation; 5e-324 is the last subnormal.
    slack = 1e-7 * gaps.max() + 5e-324
    assert drawn.standard_deviation == pytest.approx(scaled.std() / 2 / drawn.scale, rel=1e-9, abs=slack)
    assert drawn.histogram.sum() == count
    below = np.cumsum(drawn.histogram)[:-1]
    nudge = 0 if space == "integers" else 1e-13  # on a circle many values lie on an edge, but for rounding
    assert (counts_below_edges(gaps, diameter * (1 - nudge)) <= below).all()
    assert (below <= counts_below_edges(gaps, diameter * (1 + nudge))).all()
    assert drawn.largest.two_delta == gaps.max()
    assert drawn.largest.witness == tuple(quads[gaps.argmax()])
    assert drawn.largest.work == {"quadruples": count}


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_mean_and_deviation_are_those_of_all_quadruples(scale) -> None:
    distances = gaussian(np.random.default_rng(7), 20)
    every = all_gaps(distances, np.array(list(combinations(range(20), 4)))) / 2
    drawn = sample(distances * scale, 1_000_000, seed=1, bins=BINS)
    assert abs(drawn.mean / scale - every.mean()) <= 5 * every.std() / 1000
    assert drawn.standard_deviation / scale == pytest.approx(every.std(), rel=0.01)
    # 4845 quadruples are all drawn in a million draws, but for a chance of e^-200.
    assert drawn.largest.two_delta == four_point_oracle(distances * scale)


def test_means_of_many_seeds_scatter_as_independent_draws_do() -> None:
    distances = gaussian(np.random.default_rng(3), 12)
    every = all_gaps(distances, np.array(list(combinations(range(12), 4)))) / 2
    scores = [
        (sample(distances, 500, seed=seed, bins=2).mean - every.mean()) / every.std() * 500**0.5 for seed in range(2000)
    ]
    assert stats.kstest(scores, "norm").pvalue > 1e-4


def test_threads_and_chunks_change_nothing(monkeypatch) -> None:
    distances = gaussian(np.random.default_rng(1), 60)

    def drawn(threads: int):
        monkeypatch.setattr("embgeom.delta.cpu.parallel.thread_count", lambda: threads)
        return sample(distances, 300_001, seed=9, bins=BINS)

    one = drawn(1)
    for other in (drawn(2), drawn(5)):
        assert (other.total, other.squares, other.largest) == (one.total, one.squares, one.largest)
        assert (other.histogram == one.histogram).all()
    monkeypatch.setattr("embgeom.delta.cpu.sampling._SMALLEST_CHUNK", 2**17)
    other = drawn(2)
    assert other.total == pytest.approx(one.total, rel=1e-14)
    assert other.squares == pytest.approx(one.squares, rel=1e-14)
    assert other.largest == one.largest
    assert (other.histogram == one.histogram).all()


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, 2**70, -1])
def test_any_integer_is_a_seed_and_repeats(seed) -> None:
    distances = gaussian(np.random.default_rng(2), 40)
    one, again, other = (sample(distances, 1000, seed=s, bins=BINS) for s in (seed, seed, seed + 1))
    assert (one.total, one.largest) == (again.total, again.largest)
    assert one.total != other.total


def test_equals_go_to_the_first_and_edges_to_the_upper_bin() -> None:
    distances = integers(np.random.default_rng(0), 12)
    drawn = sample(distances, 5000, seed=0, bins=3)  # 2δ is 0, 1, 2 or 3 (no metric): the last two share the last bin
    gaps = all_gaps(distances, draw_quadruples(12, 5000, seed=0))
    assert distances.max() == 3
    assert drawn.histogram.tolist() == [(gaps == 0).sum(), (gaps == 1).sum(), (gaps >= 2).sum()]
    for largest in range(1, 60):  # 2δ = 1: no rounding of 1/largest may push it down
        path = largest * np.array([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0.0]])
        path[0, 1] = path[1, 0] = largest - 1
        assert np.flatnonzero(sample(path, 1, seed=0, bins=largest).histogram) == [0]
        path[2, 3] = path[3, 2] = largest - 1
        path[0, 2] = path[2, 0] = largest - 1
        gap = all_gaps(path, np.array([[0, 1, 2, 3]]))[0]
        assert np.flatnonzero(sample(path, 1, seed=0, bins=largest).histogram) == [min(gap, largest - 1)]


def test_all_points_equal() -> None:
    drawn = sample(np.zeros((6, 6)), 100, seed=0, bins=4)
    assert (drawn.mean, drawn.standard_deviation, drawn.largest.two_delta) == (0, 0, 0)
    assert drawn.histogram.tolist() == [100, 0, 0, 0]


def test_read_only_and_transposed_matrices() -> None:
    distances = euclidean(np.random.default_rng(5).normal(size=(30, 3)))
    expected = sample(distances, 1000, seed=0, bins=BINS)
    view = np.asfortranarray(distances)
    view.setflags(write=False)
    other = sample(view, 1000, seed=0, bins=BINS)
    assert (other.total, other.largest) == (expected.total, expected.largest)


def test_progress_rises_to_one(monkeypatch) -> None:
    monkeypatch.setattr("embgeom.delta.cpu.parallel.thread_count", lambda: 1)  # else a helper may do it all
    seen: list[float] = []
    sample(gaussian(np.random.default_rng(0), 50), 200_000, seed=0, bins=BINS, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[0] >= 0
    assert seen[-1] == 1
    assert len(seen) > 2


def test_interrupt_stops_every_thread() -> None:
    before = threading.active_count()

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(gaussian(np.random.default_rng(0), 50), 10**12, seed=0, bins=BINS, on_progress=interrupt)
    assert threading.active_count() == before
