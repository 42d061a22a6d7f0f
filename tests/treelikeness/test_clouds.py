"""Prompts and vocabularies: every cloud as by itself, tokens counted once, and what cannot be measured said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embgeom import CorpusError, OptionError, PointsError, load_embeddings, load_texts, vocabulary_hyperbolicity
from embgeom.treelikeness import (
    STATISTICS,
    TreeLikenessDistribution,
    measure_clouds,
    prompt_tree_likeness,
    tree_likeness,
    vocabulary_tree_likeness,
)
from tests.oracles import cloud


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return cloud(300, 12, 0)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, 300, size=int(size)).tolist() for size in rng.integers(2, 60, size=14)]
    return [*drawn, [5, 5, 5, 5, 5], [1, 2, 3, 1, 2, 3], list(range(210)), [7, 8, 9, 9, 10]]


def distinct(ids: list[int]) -> list[int]:
    return list(dict.fromkeys(ids))


@pytest.mark.parametrize("metric", ["euclidean", "angular", "cosine"])
@pytest.mark.parametrize("repeats", [False, True])
def test_each_prompt_as_by_itself(matrix: np.ndarray, prompts: list[list[int]], metric: str, repeats: bool) -> None:
    result = prompt_tree_likeness(matrix, prompts, metric=metric, repeats=repeats, quadruples=20_000)
    clouds = prompts if repeats else [distinct(ids) for ids in prompts]
    measured = [number for number, ids in enumerate(clouds) if len(set(ids)) > 1 and len(ids) >= 4]
    assert list(result.clouds) == measured
    assert (result.n, result.left_out) == (len(measured), len(prompts) - len(measured))
    assert result.sampled == 1
    assert result.seed == 0
    assert result.points == pytest.approx(np.mean([len(clouds[number]) for number in measured]))
    for place, number in enumerate(measured):
        if len(clouds[number]) > 200:
            continue
        alone = tree_likeness(matrix[clouds[number]], metric=metric)
        for name in STATISTICS:
            value = getattr(result, name).values[place]
            assert value == pytest.approx(getattr(alone, name).value, rel=1e-9, abs=1e-12), (name, number)
    for name in STATISTICS:
        spread = getattr(result, name)
        assert (spread.mean, spread.sd) == pytest.approx((np.mean(spread.values), np.std(spread.values)))


def test_repeats_lower_q(matrix: np.ndarray, prompts: list[list[int]]) -> None:
    once, all_ = prompt_tree_likeness(matrix, prompts), prompt_tree_likeness(matrix, prompts, repeats=True)
    assert all_.mean_q.mean < once.mean_q.mean
    number = prompts.index([7, 8, 9, 9, 10])
    place = once.clouds.index(number)
    assert once.mean_q.values[place] == pytest.approx(tree_likeness(matrix[[7, 8, 9, 10]]).mean_q.value)
    again = all_.mean_q.values[all_.clouds.index(number)]
    assert again == pytest.approx(once.mean_q.values[place] * 2 / 5)  # 2 of 5 quadruples hold no pair


def test_token_fits(matrix: np.ndarray) -> None:
    first, second = [3, 4, 5, 6, 7], [7, 8, 3, 9, 10, 11]
    result = prompt_tree_likeness(matrix, [first, second])
    one, two = tree_likeness(matrix[first]), tree_likeness(matrix[second])
    fits = {fit.token_id: fit for fit in result.token_fits}
    assert set(fits) == {*first, *second}
    assert fits[3].q == pytest.approx((one.point_q[0] + two.point_q[2]) / 2)  # type: ignore[operator]
    assert fits[3].clouds == 2
    assert fits[11].q == pytest.approx(two.point_q[5])
    assert [fit.q for fit in result.token_fits] == sorted((fit.q for fit in result.token_fits), reverse=True)


def test_an_outlier_is_found() -> None:
    """Nine points of a line, and one that closes a square with three of them."""
    line = np.stack([np.arange(9.0), np.zeros(9)], axis=1)
    found = tree_likeness(np.concatenate([line, [[3.0, 4.0]]]))
    assert int(np.argmax(found.point_q)) == 9  # type: ignore[arg-type]


def test_record_round_trip(matrix: np.ndarray, prompts: list[list[int]], tmp_path: Path) -> None:
    result = prompt_tree_likeness(matrix, prompts, quadruples=100)
    result.save(tmp_path / "r.json")
    assert TreeLikenessDistribution.load(tmp_path / "r.json") == result


def test_vocabulary(matrix: np.ndarray) -> None:
    result = vocabulary_tree_likeness(matrix, points=50, trials=4, seed=3)
    peer = vocabulary_hyperbolicity(matrix, points=50, trials=4, seed=3, method="exact")
    assert result.relative_delta.values == pytest.approx(peer.relative_deltas)  # the same subsets
    assert (result.level, result.n, result.points, result.sampled) == ("vocabulary", 4, 50, 0)
    large = vocabulary_tree_likeness(matrix, points=250, trials=2, quadruples=50_000)
    assert large.sampled == 2
    rng = np.random.default_rng(0)
    exact = tree_likeness(matrix[rng.choice(300, 250, replace=False)], method="exact")
    assert large.pooled_q.values[0] == pytest.approx(exact.pooled_q.value, abs=0.01)


def test_batch_of_float32_and_read_only(matrix: np.ndarray) -> None:
    narrow = matrix.astype(np.float32)
    narrow.flags.writeable = False
    offsets = np.array([0, 20, 50])
    found = measure_clouds(narrow, np.arange(50), offsets)
    assert found.statistics["mean_q"][1] == pytest.approx(tree_likeness(narrow[20:50]).mean_q.value)
    assert found.point_q[:20] == pytest.approx(tree_likeness(narrow[:20]).point_q)


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-530, 2.0**530, 2.0**1000])
@pytest.mark.parametrize("size", [20, 201])
def test_no_square_leaves_the_range_of_float64(scale: float, size: int) -> None:
    """A power of two changes no digit of any statistic, however large; small clouds and clouds that are sampled."""
    points, rows, offsets = cloud(size, 5, 1), np.arange(size), np.array([0, size])
    one, other = (measure_clouds(vectors, rows, offsets, quadruples=5000) for vectors in (points, points * scale))
    for name in STATISTICS:
        assert other.statistics[name] == pytest.approx(one.statistics[name], rel=1e-12)
    assert other.diameter / scale == pytest.approx(one.diameter, rel=1e-12)


def test_equal_points_have_no_value() -> None:
    points = np.concatenate([np.ones((5, 3)), cloud(5, 3, 0)])
    for metric in ("euclidean", "angular"):
        found = measure_clouds(points, np.arange(10), np.array([0, 5, 10]), metric=metric)
        assert np.isnan([value[0] for value in found.statistics.values()]).all()
        assert np.isfinite([value[1] for value in found.statistics.values()]).all()
        assert found.diameter[0] == 0


def test_bad_input(matrix: np.ndarray) -> None:
    with pytest.raises(CorpusError, match="4 distinct tokens or more"):
        prompt_tree_likeness(matrix, [[1, 1, 1, 2, 2, 3]])
    with pytest.raises(CorpusError, match="no prompts"):
        prompt_tree_likeness(matrix, [])
    with pytest.raises(CorpusError, match="all points are equal"):
        prompt_tree_likeness(np.ones((5, 3)), [[0, 1, 2, 3]])
    with pytest.raises(PointsError, match="token id 300"):
        prompt_tree_likeness(matrix, [[1, 2, 3, 300]])
    broken = matrix.copy()
    broken[4] = np.inf
    with pytest.raises(PointsError, match="token id 4"):
        prompt_tree_likeness(broken, [[1, 2, 3, 4]])
    with pytest.raises(OptionError, match="unknown metric"):
        prompt_tree_likeness(matrix, [[1, 2, 3, 4]], metric="hyperbolic")
    with pytest.raises(PointsError, match="the vocabulary has 300"):
        vocabulary_tree_likeness(matrix, points=301)
    with pytest.raises(OptionError, match="trials"):
        vocabulary_tree_likeness(matrix, trials=0)
    with pytest.raises(PointsError, match="all 4 points are equal"):
        vocabulary_tree_likeness(np.ones((5, 3)), points=4)


def test_demo_model() -> None:
    embeddings = load_embeddings("demo")
    result = prompt_tree_likeness(embeddings, load_texts("demo", limit=20))
    assert (result.model, result.data, result.layer) == ("demo", "demo", "input")
    assert 0.1 < result.mean_q.mean < 0.5
    assert result.token_fits[0].token
    assert result.provenance["tensor"]


def test_prompts_of_gsm8k_are_more_tree_like_than_noise(minilm: Path, assets: Path) -> None:
    """MiniLM: pooled q about 0.25, where Gaussian clouds of the same size have 0.48; 2δ/diameter is that of noise."""
    embeddings = load_embeddings(str(minilm))
    result = prompt_tree_likeness(embeddings, load_texts(str(assets / "data/gsm8k/test.json"), limit=200))
    assert result.pooled_q.mean == pytest.approx(0.25, abs=0.01)
    noise = measure_clouds(cloud(40 * 50, 384, 0), np.arange(2000), np.arange(0, 2001, 40)).statistics
    assert noise["pooled_q"].mean() == pytest.approx(0.484, abs=0.005)
    assert result.relative_delta.mean == pytest.approx(noise["relative_delta"].mean(), abs=0.01)
