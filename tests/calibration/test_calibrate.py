"""The numbers of a calibration are those of its nulls, drawn and measured one by one; and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embgeom import CorpusError, OptionError, PointsError, load_embeddings, load_texts
from embgeom.calibration import Calibration, calibrate_prompts, calibrate_vocabulary, compare, unused_tokens
from embgeom.metric import pairwise_distances
from embgeom.nulls import NULLS, Vocabulary, draw_clouds
from embgeom.nulls.batches import NullClouds
from embgeom.treelikeness import STATISTICS, tree_likeness
from tests.oracles import cloud

DRAWS = 19


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return cloud(200, 12, 0) + np.linspace(0, 1, 12)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, 200, size=int(size)).tolist() for size in (9, 30, 5, 18)]
    return [drawn[0], [1, 2, 3], *drawn[1:], [7, 8, 8, 9, 10, 11]]


@pytest.fixture(scope="module")
def found(matrix: np.ndarray, prompts: list[list[int]]) -> Calibration:
    return calibrate_prompts(matrix, prompts, seed=4)


def test_each_prompt_beside_its_own_nulls(matrix: np.ndarray, prompts: list[list[int]], found: Calibration) -> None:
    """Every figure again, from clouds that embgeom.nulls draws and embgeom.tree_likeness measures, one by one."""
    measured = [list(dict.fromkeys(ids)) for ids in prompts if len(set(ids)) >= 4]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in measured])])
    points = matrix[np.concatenate(measured)]
    source = Vocabulary(matrix)
    assert found.nulls == tuple(NULLS)
    assert found.observed.n == len(measured)
    for null in NULLS:
        drawn = np.zeros((len(STATISTICS), DRAWS, len(measured)))
        for draw in range(DRAWS):
            clouds = draw_clouds(null, points, offsets, vocabulary=source, seed=4, draw=draw)
            for number in range(len(measured)):
                own = tree_likeness(clouds[offsets[number] : offsets[number + 1]])
                drawn[:, draw, number] = [getattr(own, name).value for name in STATISTICS]
        for name, values in zip(STATISTICS, drawn, strict=True):
            entry, data = found.at(name, null), np.array(getattr(found.observed, name).values)
            paired = data - values.mean(axis=0)
            assert entry.mean == pytest.approx(values.mean(), rel=1e-6, abs=1e-9)
            assert entry.sd == pytest.approx(np.sqrt(values.var(axis=1).mean()), rel=1e-6, abs=1e-9)
            assert entry.draw_sd == pytest.approx(np.sqrt(values.var(axis=0, ddof=1).mean()), rel=1e-6, abs=1e-9)
            assert (entry.difference, entry.difference_sd) == pytest.approx(
                (paired.mean(), paired.std()), rel=1e-6, abs=1e-9
            )
            assert entry.standardised == pytest.approx(paired.mean() / entry.draw_sd, rel=1e-6, abs=1e-9)
            assert entry.means == pytest.approx(values.mean(axis=0), rel=1e-6, abs=1e-9)
            assert entry.draw_means == pytest.approx(values.mean(axis=1), rel=1e-6, abs=1e-9)
            assert entry.at_most == tuple((values <= data + 1e-9).sum(axis=0))
            assert entry.p_lower == (1 + (values.mean(axis=1) <= data.mean()).sum()) / 20
            assert entry.p_higher == (1 + (values.mean(axis=1) >= data.mean()).sum()) / 20
            own_p = (1 + (values <= data + 1e-9).sum(axis=0)) / 20
            assert entry.share_lower == pytest.approx((own_p <= 0.05).mean())
            low, high = entry.interval  # type: ignore[misc]
            assert (low + high) / 2 == pytest.approx(entry.difference)
            # Student's t of 4 degrees of freedom, from a table: 2.776.
            assert (high - low) / 2 == pytest.approx(2.776 * paired.std(ddof=1) / np.sqrt(5), rel=1e-3)


def test_histograms_hold_every_quadruple(found: Calibration) -> None:
    for histogram in found.histograms:
        assert sum(histogram) == DRAWS * sum(found.observed.histogram)


@pytest.mark.parametrize("shape", [(7, 30), (40, 12), (12, 12), (13, 12)])
def test_rotated_clouds_are_those_of_the_nulls(shape: tuple[int, int]) -> None:
    """The same distances, and for ``gaussian`` the same norms; a vocabulary that spans fewer dimensions included."""
    n, d = shape
    vocabulary = cloud(200, d, 3) + 1
    vocabulary[:, -1] = vocabulary[:, 0]
    points = np.concatenate([vocabulary[:n], vocabulary[50 : 50 + n - 2]])
    offsets = np.array([0, n, 2 * n - 2])
    source = Vocabulary(vocabulary)
    fast = NullClouds(points, offsets, vocabulary=source, seed=8, first=3)
    for null in NULLS:
        own, other = fast.draw(null, 2), draw_clouds(null, points, offsets, vocabulary=source, seed=8, draw=2, first=3)
        for cut in (slice(0, n), slice(n, None)):
            distances = pairwise_distances(other[cut]).numpy()
            assert pairwise_distances(own[cut]).numpy() == pytest.approx(distances, abs=1e-6 * distances.max())
        if null != "spectrum":
            assert np.linalg.norm(own, axis=1) == pytest.approx(np.linalg.norm(other, axis=1), rel=1e-6)


def test_spectrum_places_the_centroid_as_the_null_does() -> None:
    """Its angles depend on where the centroid lies among the singular vectors: the same on average, cloud for cloud."""
    points = cloud(6, 20, 0) + 1.5
    offsets = np.array([0, 6])
    fast = NullClouds(points, offsets, vocabulary=None, seed=0, first=0)
    norms = np.array(
        [
            [
                np.linalg.norm(drawn, axis=1).std()
                for drawn in (fast.draw("spectrum", r), draw_clouds("spectrum", points, offsets, draw=r))
            ]
            for r in range(400)
        ]
    )
    (mean, other), errors = norms.mean(axis=0), norms.std(axis=0) / 20
    assert abs(mean - other) < 4 * np.hypot(*errors)
    squares = np.square(fast.draw("spectrum", 0)).sum()
    assert squares == pytest.approx(np.square(points).sum(), rel=0.5)


def test_batches_do_not_matter(
    matrix: np.ndarray, prompts: list[list[int]], found: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "_BATCH", 12 * 20)
    again = calibrate_prompts(matrix, prompts, seed=4)
    assert again.at("mean_q", "permute").draw_means == pytest.approx(found.at("mean_q", "permute").draw_means)
    assert again.verdict == found.verdict


def test_seeds(matrix: np.ndarray, prompts: list[list[int]], found: Calibration) -> None:
    assert calibrate_prompts(matrix, prompts, seed=4) == found
    other = calibrate_prompts(matrix, prompts, seed=5)
    assert other.observed.mean_q == found.observed.mean_q
    for null in NULLS:
        assert other.at("mean_q", null).mean != found.at("mean_q", null).mean


def test_a_null_is_the_same_alone_or_among_others(
    matrix: np.ndarray, prompts: list[list[int]], found: Calibration
) -> None:
    alone = calibrate_prompts(matrix, prompts, nulls="spectrum", seed=4)
    assert alone.nulls == ("spectrum",)
    assert alone.at("mean_q", "spectrum") == found.at("mean_q", "spectrum")
    two = calibrate_prompts(matrix, prompts, nulls=["spectrum", "directions"], seed=4)
    assert two.nulls == ("directions", "spectrum")


def test_repeats_are_points_of_data_and_nulls(matrix: np.ndarray) -> None:
    ids = [[1, 2, 3, 4, 5, 5, 5, 6]]
    once, all_ = (calibrate_prompts(matrix, ids, repeats=repeats) for repeats in (False, True))
    assert (once.observed.points, all_.observed.points) == (6, 8)
    assert sum(all_.histograms[0]) == DRAWS * 70


@pytest.mark.parametrize("metric", ["angular", "cosine"])
def test_metrics(matrix: np.ndarray, prompts: list[list[int]], metric: str) -> None:
    result = calibrate_prompts(matrix, prompts, metric=metric)
    assert result.observed.metric == metric
    assert 0 < result.at("mean_q", "directions").mean < 1


def test_large_clouds_are_sampled(matrix: np.ndarray) -> None:
    wide = cloud(260, 8, 2)
    result = calibrate_prompts(wide, [list(range(210)), [1, 2, 3, 4, 5]], nulls="directions", quadruples=20_000)
    assert result.observed.sampled == 1
    assert sum(result.histograms[0]) == DRAWS * (20_000 + 5)


def test_vocabulary_leaves_out_its_own_null(matrix: np.ndarray) -> None:
    result = calibrate_vocabulary(matrix, points=20, trials=3)
    assert result.nulls == ("gaussian", "directions", "permute", "spectrum")
    assert result.observed.level == "vocabulary"
    assert "3 random subsets of 20 tokens" in result.verdict.sentence
    with pytest.raises(OptionError, match="null vocabulary says nothing about random subsets"):
        calibrate_vocabulary(matrix, nulls="vocabulary")
    with pytest.raises(OptionError, match="no null was named"):
        calibrate_vocabulary(matrix, nulls=None)  # type: ignore[arg-type]


def test_record_round_trip(found: Calibration, tmp_path: Path) -> None:
    found.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == found


def test_bad_input(matrix: np.ndarray, prompts: list[list[int]], found: Calibration) -> None:
    with pytest.raises(OptionError, match="unknown null 'noise'; choose one of: all, gaussian, directions"):
        calibrate_prompts(matrix, prompts, nulls="noise")
    with pytest.raises(OptionError, match="no null was named"):
        calibrate_prompts(matrix, prompts, nulls=[])
    with pytest.raises(OptionError, match="at least 1"):
        calibrate_prompts(matrix, prompts, draws=0)
    with pytest.raises(OptionError, match=r"18 null draws give no p-value below 0.053, .* take 19 or more"):
        calibrate_prompts(matrix, prompts, draws=18)
    with pytest.raises(OptionError, match="take 99 or more"):
        calibrate_prompts(matrix, prompts, level=0.01)
    with pytest.raises(OptionError, match="level must lie between 0 and 1"):
        calibrate_prompts(matrix, prompts, level=1.5)
    with pytest.raises(CorpusError, match="4 distinct tokens or more"):
        calibrate_prompts(matrix, [[1, 1, 2, 3]])
    with pytest.raises(PointsError, match="3 points"):
        calibrate_vocabulary(matrix, points=3)
    broken = matrix.copy()
    broken[150] = np.nan
    with pytest.raises(PointsError, match="the vocabulary holds NaN or inf"):
        calibrate_prompts(broken, [[1, 2, 3, 4]], nulls="gaussian")
    assert calibrate_prompts(broken, [[1, 2, 3, 4]], nulls="permute").observed.n == 1
    same = np.ones((50, 3))
    same[:4] = cloud(4, 3, 0)
    with pytest.raises(PointsError, match="null vocabulary: cloud 0 was drawn with points that are all equal"):
        calibrate_prompts(same, [[0, 1, 2, 3]], nulls="vocabulary")
    with pytest.raises(OptionError, match="null 'noise' was not drawn"):
        found.at("mean_q", "noise")


def test_unused_tokens_are_no_part_of_the_vocabulary(minilm: Path) -> None:
    embeddings = load_embeddings(str(minilm))
    unused = unused_tokens(embeddings)
    names = embeddings.tokenizer.convert_ids_to_tokens(unused.tolist())
    assert len(unused) == 994
    assert all(name.startswith("[unused") for name in names)
    result = calibrate_prompts(embeddings, ["How many cats are there in the house?"], nulls="vocabulary")
    assert result.unused_tokens == 994
    assert len(unused_tokens(load_embeddings("demo"))) == 0
    assert len(unused_tokens(np.ones((5, 2)))) == 0


def test_prompts_of_gsm8k_are_more_tree_like_than_noise(minilm: Path, assets: Path) -> None:
    """MiniLM: pooled q about 0.25, its nulls 0.42 to 0.48, while 2δ/diameter lies among those of its nulls."""
    embeddings = load_embeddings(str(minilm))
    result = calibrate_prompts(embeddings, load_texts(str(assets / "data/gsm8k/test.json"), limit=30))
    assert result.verdict.more == tuple(NULLS)
    assert all(0.40 < result.at("pooled_q", null).mean < 0.50 for null in NULLS)
    deltas = [result.at("relative_delta", null).mean for null in NULLS]
    assert min(deltas) < result.observed.relative_delta.mean < max(deltas)
