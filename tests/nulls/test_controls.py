"""Controls that can fail: trees are found more tree-like than every null by q, noise is not; 2δ/diameter finds neither.

The Monte-Carlo p-value of a cloud under a null is (1 + #{null ≤ data})/(1 + R).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from embgeom.nulls import NULLS, Vocabulary, draw_clouds
from embgeom.spaces import branching_walk_points
from embgeom.treelikeness import measure_clouds

DRAWS = 19
TREES = (0.0, 0.3, 2.0)  # levels of noise
N, D = 40, 384


@cache
def p_values(make: Callable[..., tuple[np.ndarray, np.ndarray]], *options: float) -> dict[str, dict[str, float]]:
    """By statistic and null, the share of draws that are at least as tree-like as the points."""
    points, vocabulary = make(*options)
    n = len(points)
    source = Vocabulary(vocabulary)
    found: dict[str, dict[str, float]] = {}
    for name in NULLS:
        nulls = [draw_clouds(name, points, np.array([0, n]), vocabulary=source, draw=r) for r in range(DRAWS)]
        offsets = np.arange(0, n * (DRAWS + 1) + 1, n)
        values = measure_clouds(np.concatenate([points, *nulls]), np.arange(offsets[-1]), offsets).statistics
        for statistic, (data, *drawn) in values.items():
            p = (1 + sum(value <= data for value in drawn)) / (1 + DRAWS)
            found.setdefault(statistic, {})[name] = float(p)
    return found


def gaussian(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A cloud and the vocabulary it is from, without a tree."""
    everything = np.random.default_rng(1000 + seed).normal(size=(600, D))
    return everything[:N], everything


def sphere(seed: int) -> tuple[np.ndarray, np.ndarray]:
    everything = gaussian(seed)[1]
    everything /= np.linalg.norm(everything, axis=1, keepdims=True)
    return everything[:N], everything


def grid(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A square lattice in the plane, and a larger one as its vocabulary; nothing is random here."""
    lattice = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    return lattice[(lattice < 6).all(axis=1)] - 2.5, lattice - 14.5


def tree(seed: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    return branching_walk_points(N, seed, d=D, noise=level), gaussian(seed)[1]


@pytest.mark.parametrize("statistic", ["mean_q", "pooled_q"])
@pytest.mark.parametrize("level", TREES)
@pytest.mark.parametrize("seed", range(2))
def test_trees_are_more_tree_like_than_every_null(seed: int, level: float, statistic: str) -> None:
    assert p_values(tree, seed, level)[statistic] == dict.fromkeys(NULLS, 1 / (1 + DRAWS))


@pytest.mark.parametrize("level", TREES)
@pytest.mark.parametrize("seed", range(2))
def test_relative_delta_does_not_find_the_tree(seed: int, level: float) -> None:
    """Why q is needed: 2δ/diameter of a tree is that of noise in as many dimensions."""
    assert max(p_values(tree, seed, level)["relative_delta"].values()) > 0.2


@pytest.mark.parametrize("statistic", ["mean_q", "pooled_q"])
@pytest.mark.parametrize("make", [gaussian, sphere, grid])
@pytest.mark.parametrize("seed", range(2))
def test_noise_and_grids_are_not(make, seed: int, statistic: str) -> None:  # type: ignore[no-untyped-def]
    assert max(p_values(make, seed)[statistic].values()) > 0.05
