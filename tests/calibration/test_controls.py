"""Controls that can fail: q finds trees, not noise; 2δ/diameter does not; p-values are uniform under a true null."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.stats import kstest

from embgeom.calibration import Calibration, calibrate_prompts, calibrate_vocabulary
from embgeom.nulls import NULLS
from embgeom.treelikeness import STATISTICS
from tests.calibration.made import Made, gaussian, grid, noise, sphere, trees

LEVELS = (0.0, 0.3, 2.0)


@cache
def of_trees(seed: int, level: float) -> Calibration:
    return calibrate_prompts(*trees(seed, level))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(2))
def test_trees_are_more_tree_like_than_every_null(seed: int, level: float) -> None:
    found = of_trees(seed, level)
    assert found.verdict.more == tuple(NULLS)
    assert (found.verdict.p_more, found.verdict.p_less) == (0.05, 1.0)
    assert "more tree-like than all 5 nulls" in found.verdict.sentence
    for null in ("directions", "permute", "spectrum"):  # the vocabulary holds the trees themselves
        assert found.at("pooled_q", null).share_lower == 1
        assert found.at("pooled_q", null).standardised < -3  # type: ignore[operator]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(2))
def test_relative_delta_alone_does_not_find_the_tree(seed: int, level: float) -> None:
    """Why q is needed: 2δ/diameter of a tree is that of noise in as many dimensions."""
    found = of_trees(seed, level)
    assert max(found.at("relative_delta", null).p_lower for null in NULLS) > 0.05
    assert "no evidence for or against a tree" in found.verdict.delta_sentence


@pytest.mark.parametrize("make", [gaussian, sphere, grid])
@pytest.mark.parametrize("seed", range(2))
def test_noise_spheres_and_grids_are_not(make: Callable[[int], Made], seed: int) -> None:
    found = calibrate_prompts(*make(seed))
    assert len(found.verdict.more) < len(NULLS)
    assert found.verdict.p_more > 0.05
    assert "more tree-like than all" not in found.verdict.sentence


def test_a_grid_is_less_tree_like_than_noise_in_the_plane() -> None:
    found = calibrate_prompts(*grid(0))
    assert found.verdict.less == tuple(NULLS)
    assert found.verdict.sentence.startswith("The prompt is less tree-like than all 5 nulls")


def test_a_circle_is_not_and_clusters_are() -> None:
    """What the verdict rewards is any clustering, as the caption says."""
    rng = np.random.default_rng(3)
    angles = rng.uniform(0, 2 * np.pi, 40)
    circle = np.zeros((600, 384))
    circle[:, :2] = rng.normal(size=(600, 2))
    circle[:40, :2] = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert len(calibrate_prompts(circle, [list(range(40))]).verdict.more) < len(NULLS)
    clusters = rng.normal(size=(600, 384))
    clusters[:40] += np.repeat(rng.normal(size=(8, 384)), 5, axis=0)
    assert calibrate_prompts(clusters, [list(range(40))]).verdict.more == tuple(NULLS)


def test_a_vocabulary_of_noise_is_noise_and_one_of_a_tree_is_not() -> None:
    options = {"points": 40, "trials": 3}
    assert not calibrate_vocabulary(gaussian(0)[0], **options).verdict.more
    walk, _ = trees(0, 0.3, prompts=1)
    found = calibrate_vocabulary(walk[:40], **(options | {"points": 30}))
    assert set(found.verdict.more) == set(NULLS) - {"vocabulary"}


def p_values(seeds: int) -> dict[tuple[str, str], list[list[float]]]:
    """By statistic and null, p lower of the corpus, p higher, and p lower of its first prompt; spread over the steps.

    (1 + k)/(1 + R) is uniform over its R + 1 values if the null is true; less a uniform share of a step it is so
    over [0, 1].
    """
    rng = np.random.default_rng(0)
    found: dict[tuple[str, str], list[list[float]]] = {}
    for seed in range(seeds):
        calibration = calibrate_prompts(*noise(seed), seed=seed)
        step = 1 / (1 + calibration.draws)
        for statistic in STATISTICS:
            for null in NULLS:
                entry = calibration.at(statistic, null)
                three = [entry.p_lower, entry.p_higher, (1 + entry.at_most[0]) * step]
                found.setdefault((statistic, null), []).append([p - step * float(rng.uniform()) for p in three])
    return found


def judge(found: dict[tuple[str, str], list[list[float]]]) -> None:
    for key, values in found.items():
        for number, column in enumerate(np.array(values).T):
            assert kstest(column, "uniform").pvalue > 1e-4, (key, number)


def test_p_values_are_uniform_where_the_null_is_true() -> None:
    judge(p_values(25))


@pytest.mark.slow
def test_p_values_are_uniform_where_the_null_is_true_over_many_seeds() -> None:
    found = p_values(240)
    judge(found)
    below = [np.mean(np.array(values)[:, 0] <= 0.05) for values in found.values()]
    assert np.mean(below) == pytest.approx(0.05, abs=0.015)
