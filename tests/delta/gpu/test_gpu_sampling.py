"""The sampler: what it draws, and what it makes of it."""

import math

import numpy as np
import pytest
import torch
from gpu_oracle import brute_force, clouds, quadruples, two_deltas
from scipy import stats

from embgeom.delta.gpu.sampling import combine, draw_quadruples, sample
from embgeom.errors import OptionError


def on(distances, device):
    return torch.from_numpy(distances).to(device)


@pytest.mark.parametrize("n", [4, 5, 8])
def test_quadruples_are_uniform(n, device):
    points = draw_quadruples(n, 40_000, seed=11, device=device).cpu().numpy()
    assert (np.diff(np.sort(points, axis=1), axis=1) > 0).all()
    # As sets, and in order: the shifts must not favour any place.
    place = n ** np.arange(4)
    for codes, total in ((np.sort(points, axis=1) @ place, len(quadruples(n))), (points @ place, math.perm(n, 4))):
        counts = np.unique(codes, return_counts=True)[1]
        assert len(counts) == total
        assert total == 1 or stats.chisquare(counts).pvalue > 1e-4


def test_quadruples_reach_all_of_a_large_cloud(device):
    n = 100_003
    points = draw_quadruples(n, 20_000, seed=2, device=device).cpu().numpy()
    assert points.min() >= 0
    assert points.max() < n
    assert (np.diff(np.sort(points, axis=1), axis=1) > 0).all()
    for column in points.T:
        assert stats.kstest(column / n, "uniform").pvalue > 1e-4


def test_a_quadruple_is_a_function_of_seed_and_number(device):
    far = 2**32 - 3  # across the word boundary of the counter
    points = draw_quadruples(50, 300, seed=5, offset=far, device=device)
    assert torch.equal(points[7:], draw_quadruples(50, 293, seed=5, offset=far + 7, device=device))
    assert not torch.equal(points, draw_quadruples(50, 300, seed=6, offset=far, device=device))
    assert not torch.equal(points[3:], draw_quadruples(50, 297, seed=5, offset=0, device=device))
    wide = draw_quadruples(50, 300, seed=5 + 2**40, offset=far, device=device)
    assert not torch.equal(points, wide)
    assert torch.equal(wide, draw_quadruples(50, 300, seed=5 + 2**40 - 2**64, offset=far, device=device))


@pytest.mark.parametrize("name", ["normal", "tiny", "huge", "integers", "tree"])
def test_mean_and_error_against_all_quadruples(name, device):
    distances = clouds(20, seed=4)[name]
    deltas = two_deltas(distances, quadruples(20)) / 2
    sampled = sample(on(distances, device), 60_000, seed=1)
    rounding = 1e-7 * distances.max()
    assert abs(sampled.mean - deltas.mean()) <= 5 * deltas.std() / 60_000**0.5 + rounding
    assert sampled.standard_error == pytest.approx(deltas.std() / 60_000**0.5, rel=0.05, abs=rounding)


def test_sums_histogram_and_maximum_are_those_of_the_drawn_quadruples(device):
    distances = clouds(30, seed=8)["normal"]
    count, bins, offset = 5_000, 32, 123
    drawn = draw_quadruples(30, count, seed=3, offset=offset, device=device).cpu().numpy()
    deltas = two_deltas(distances, drawn) / 2
    sampled = sample(on(distances, device), count, seed=3, offset=offset, bins=bins)
    assert sampled.count == count
    assert sampled.total == pytest.approx(deltas.sum(), rel=1e-6)
    assert sampled.squares == pytest.approx((deltas**2).sum(), rel=1e-6)
    assert sampled.diameter == distances.max()
    expected, _ = np.histogram(deltas, bins=bins, range=(0, distances.max() / 2))
    assert sampled.histogram.sum() == count
    assert np.abs(sampled.histogram - expected).sum() <= 4  # a value on the edge of a bin
    assert sampled.largest.two_delta == 2 * deltas.max()
    assert two_deltas(distances, np.array([sampled.largest.witness]))[0] == sampled.largest.two_delta
    assert sampled.largest.two_delta <= brute_force(distances)
    assert sampled.largest.work == {"quadruples": count}


def test_the_seed_decides_and_chunks_do_not(device):
    distances = on(clouds(25)["normal"], device)
    once = sample(distances, 7_001, seed=9)
    again = sample(distances, 7_001, seed=9)
    seen = []
    chunks = sample(distances, 7_001, seed=9, chunk=2_000, on_progress=seen.append)
    parts = combine([sample(distances, 3_000, seed=9), sample(distances, 4_001, seed=9, offset=3_000)])
    for other in (again, chunks, parts):
        assert other.count == once.count
        assert other.total == pytest.approx(once.total, rel=1e-13)
        assert other.squares == pytest.approx(once.squares, rel=1e-13)
        assert (other.histogram == once.histogram).all()
        assert other.largest == once.largest
    assert (again.total, again.squares) == (once.total, once.squares)
    assert seen == [2000 / 7001, 4000 / 7001, 6000 / 7001, 1.0]
    assert sample(distances, 7_001, seed=10).total != once.total


def test_a_cloud_of_one_point(device):
    sampled = sample(torch.zeros((5, 5), dtype=torch.float64, device=device), 100, seed=0)
    assert (sampled.mean, sampled.standard_error, sampled.largest.two_delta) == (0, 0, 0)
    assert sampled.histogram[0] == 100
    assert np.isnan(sample(torch.zeros((5, 5), dtype=torch.float64, device=device), 1, seed=0).standard_error)


@pytest.mark.parametrize("options", [{"count": 0}, {"bins": 48}, {"offset": -1}, {"chunk": 0}])
def test_wrong_options(options, device):
    with pytest.raises(OptionError, match="expected count"):
        sample(on(clouds(5)["normal"], device), **{"count": 10, "seed": 0, **options})
