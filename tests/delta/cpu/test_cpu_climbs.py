"""Climbs: lower bounds that are attained, reproducible, and mostly exact on small clouds."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_spaces import SPACES, all_gaps, four_point_oracle, gaussian

from embgeom.delta.cpu import climb, pruned_scan


@pytest.mark.parametrize("space", SPACES)
def test_never_above_the_exact_value_and_attained_at_the_witness(space) -> None:
    for n in (4, 5, 8, 30):
        distances = SPACES[space](np.random.default_rng(n), n)
        found = climb(distances, 50, seed=1)
        assert len(set(found.witness)) == 4
        assert all_gaps(distances, np.array([found.witness]))[0] == found.two_delta
        assert 0 <= found.two_delta <= four_point_oracle(distances)
        assert found.certificate == "climbs"
        assert found.work == {"climbs": 50}


def test_many_climbs_reach_the_exact_value() -> None:
    """n²/20 climbs and more found it in every trial of the prototype; here 100 times that many."""
    for seed in range(10):
        distances = gaussian(np.random.default_rng(seed), 60)
        assert climb(distances, 20_000, seed=seed).two_delta == four_point_oracle(distances)


def test_near_the_exact_value_at_a_thousand_points() -> None:
    distances = gaussian(np.random.default_rng(0), 500)
    assert climb(distances, 12_500, seed=0).two_delta >= 0.95 * pruned_scan(distances).two_delta


def test_more_climbs_never_lower_the_bound() -> None:
    distances = gaussian(np.random.default_rng(1), 100)
    bounds = [climb(distances, count, seed=5).two_delta for count in (0, 1, 10, 100, 1000, 10_000)]
    assert bounds == sorted(bounds)
    assert bounds[0] >= 0


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1, 2**70, -1])
def test_any_integer_is_a_seed_and_repeats(seed) -> None:
    distances = gaussian(np.random.default_rng(2), 200)
    assert climb(distances, 20, seed) == climb(distances, 20, seed)


def test_seeds_differ() -> None:
    distances = gaussian(np.random.default_rng(3), 300)
    assert len({climb(distances, 1, seed).witness for seed in range(10)}) > 5
