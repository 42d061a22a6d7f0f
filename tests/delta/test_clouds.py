"""Prompts and vocabulary subsets: against a loop that shares nothing, with the corners that corpora have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from embgeom import (
    CorpusError,
    HyperbolicityDistribution,
    OptionError,
    PointsError,
    load_embeddings,
    load_texts,
    prompt_hyperbolicity,
    vocabulary_hyperbolicity,
)
from embgeom.delta import METHODS
from tests.oracles import brute_force_two_delta, brute_force_two_delta_at, cloud


def prompts_of(vocabulary: int, count: int, seed: int, *, longest: int = 15) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, vocabulary, rng.integers(4, longest)).tolist() for _ in range(count)]


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return cloud(40, 6, seed=0)


@pytest.mark.parametrize("method", ["base", "exact"])
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_prompts_are_a_loop_over_prompts(
    matrix: np.ndarray, method: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embgeom.delta.engine.backend_of", lambda device: backend)
    prompts = prompts_of(40, 25, seed=1)
    result = prompt_hyperbolicity(matrix, prompts, method=method)
    expected = []
    for ids in prompts:
        d = cdist(matrix[ids], matrix[ids])
        two_delta = brute_force_two_delta(d) if method == "exact" else brute_force_two_delta_at(d, 0)
        expected.append(two_delta / d.max())
    np.testing.assert_allclose(result.relative_deltas, expected, rtol=1e-12, atol=1e-13)
    assert result.relative_delta == pytest.approx(np.mean(expected), rel=1e-12)
    assert result.relative_delta_sd == pytest.approx(np.std(expected), rel=1e-12)  # population
    assert result.points == np.mean([len(ids) for ids in prompts])
    assert (result.level, result.n, result.left_out, result.exact) == ("prompts", 25, 0, method == "exact")


@pytest.mark.parametrize("exponent", [-560, 530])
@pytest.mark.parametrize("method", ["base", "exact"])
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_rows_whose_squares_leave_float64(
    matrix: np.ndarray, method: str, backend: str, exponent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit that is a power of two changes no digit."""
    monkeypatch.setattr("embgeom.delta.engine.backend_of", lambda device: backend)
    prompts = prompts_of(40, 5, seed=6)
    expected = prompt_hyperbolicity(matrix, prompts, method=method)
    result = prompt_hyperbolicity(np.ldexp(matrix, exponent), prompts, method=method)
    assert result.relative_deltas == expected.relative_deltas
    assert result.delta == np.ldexp(expected.delta, exponent)
    assert result.diameter == np.ldexp(expected.diameter, exponent)
    assert result.witness == expected.witness


def test_witness_tokens_attain_the_largest_value(matrix: np.ndarray) -> None:
    prompts = prompts_of(40, 25, seed=2)
    result = prompt_hyperbolicity(matrix, prompts)
    witness = result.witness
    assert witness.relative_delta == max(result.relative_deltas) == result.relative_deltas[witness.cloud]
    assert tuple(prompts[witness.cloud][point] for point in witness.points) == witness.token_ids
    x = matrix[list(witness.token_ids)]
    d = cdist(x, x)
    whole = matrix[prompts[witness.cloud]]
    assert brute_force_two_delta(d) / cdist(whole, whole).max() == pytest.approx(witness.relative_delta, rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("metric", ["euclidean", "angular", "cosine"])
@pytest.mark.parametrize("base", ["first", "medoid", "all", 2])
def test_every_choice_works_and_keeps_the_order_of_bounds(
    matrix: np.ndarray, method: str, metric: str, base: int | str
) -> None:
    prompts = prompts_of(40, 4, seed=3)
    options = {"method": method, "metric": metric, "base": base, "quadruples": 200}
    result = prompt_hyperbolicity(matrix, prompts, **options)  # type: ignore[arg-type]
    exact = prompt_hyperbolicity(matrix, prompts, method="exact", metric=metric)
    assert result.relative_delta <= exact.relative_delta * (1 + 1e-12)
    assert result.base == (str(base) if method == "base" else None)
    assert result.seed == (0 if method in ("sample", "bounds") else None)


def test_short_and_uniform_prompts_are_left_out_and_counted(matrix: np.ndarray) -> None:
    prompts = [[], [1], [1, 2, 3], [5, 5, 5, 5, 5], [1, 2, 3, 4, 9]]
    result = prompt_hyperbolicity(matrix, prompts)
    assert (result.n, result.left_out) == (1, 4)
    assert result.witness.cloud == 4
    assert result.witness.token_ids == tuple(prompts[4][point] for point in result.witness.points)


def test_padding_within_a_batch_changes_nothing(matrix: np.ndarray) -> None:
    """Prompts of very different length, together and each alone."""
    prompts = prompts_of(40, 12, seed=4, longest=90)
    together = prompt_hyperbolicity(matrix, prompts).relative_deltas
    alone = [prompt_hyperbolicity(matrix, [ids]).relative_delta for ids in prompts]
    np.testing.assert_allclose(together, alone, rtol=1e-13)


def test_vocabulary_trials_are_subsets(matrix: np.ndarray) -> None:
    result = vocabulary_hyperbolicity(matrix, points=12, trials=5, seed=7)
    assert (result.level, result.n, result.points, result.seed) == ("vocabulary", 5, 12, 7)
    assert result.exact
    again = vocabulary_hyperbolicity(matrix, points=12, trials=5, seed=7)
    assert again == result
    assert vocabulary_hyperbolicity(matrix, points=12, trials=5, seed=8).relative_deltas != result.relative_deltas
    x = matrix[list(result.witness.token_ids)]
    assert len(set(result.witness.token_ids)) == 4
    assert brute_force_two_delta(cdist(x, x)) <= 2 * max(result.relative_deltas) * cdist(matrix, matrix).max()


def test_the_base_of_a_subset_is_a_random_token(matrix: np.ndarray) -> None:
    """Not, say, the one with the smallest id, which byte-pair vocabularies give to bytes and frequent pieces."""
    bases = {
        vocabulary_hyperbolicity(matrix, points=30, trials=1, method="base", seed=seed).witness.token_ids[0]
        for seed in range(30)
    }
    assert len(bases) > 10  # of 30 draws out of 40 some 21 differ; the smallest of 30 is below 10 but for one in 10^5


def test_whole_vocabulary_is_one_cloud(matrix: np.ndarray) -> None:
    result = vocabulary_hyperbolicity(matrix, points=40, trials=3)
    assert result.relative_delta_sd == 0
    d = cdist(matrix, matrix)
    assert result.relative_delta == pytest.approx(brute_force_two_delta(d) / d.max(), rel=1e-12)


def test_result_survives_json(matrix: np.ndarray, tmp_path: Path) -> None:
    result = vocabulary_hyperbolicity(matrix, points=10, trials=2)
    result.save(tmp_path / "result.json")
    assert HyperbolicityDistribution.load(tmp_path / "result.json") == result


# --------------------------------------------------------------------- bad input


def test_bad_prompts(matrix: np.ndarray) -> None:
    with pytest.raises(CorpusError, match="there are no prompts"):
        prompt_hyperbolicity(matrix, [])
    with pytest.raises(CorpusError, match=r"none of the 2 prompts has 4 tokens or more; .* 0 by definition"):
        prompt_hyperbolicity(matrix, [[1, 2, 3], []])
    with pytest.raises(CorpusError, match="in each of the 1 prompts all points are equal"):
        prompt_hyperbolicity(matrix, [[3, 3, 3, 3]])
    with pytest.raises(PointsError, match="token id 40 has no row in the embedding matrix of 40 tokens"):
        prompt_hyperbolicity(matrix, [[1, 2, 3, 40]])
    with pytest.raises(PointsError, match="token id -1 has no row"):
        prompt_hyperbolicity(matrix, [[1, 2, 3, -1]])
    with pytest.raises(CorpusError, match="expected a list of prompts, got one text"):
        prompt_hyperbolicity(matrix, "one two three four")
    for bad in ([1, 2, 3, 4], [[1.5, 2.0, 3.0, 4.0]], [[[1, 2], [3, 4]]], [["a", "b", "c", "d"]]):
        with pytest.raises(CorpusError, match="prompt 0: expected a list of token ids"):
            prompt_hyperbolicity(matrix, bad)  # type: ignore[arg-type]
    zero = matrix.copy()
    zero[9] = 0
    with pytest.raises(PointsError, match=r"1 of 4 embeddings are zero .* that of token id 9"):
        prompt_hyperbolicity(zero, [[1, 2, 3, 9]], metric="angular")
    with pytest.raises(OptionError, match="texts need Embeddings with a tokenizer"):
        prompt_hyperbolicity(matrix, ["some text"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_embeddings_that_are_not_finite(matrix: np.ndarray, bad: float) -> None:
    broken = matrix.copy()
    broken[7, 2] = broken[9] = bad
    with pytest.raises(PointsError, match="2 of 5 embeddings hold NaN or inf; the first is that of token id 7"):
        prompt_hyperbolicity(broken, [[1, 7, 2, 9, 3]])
    assert prompt_hyperbolicity(broken, [[1, 2, 3, 4]]).n == 1  # an unused row does no harm
    with pytest.raises(PointsError, match="2 of 40 embeddings hold NaN or inf; the first is that of token id 7"):
        vocabulary_hyperbolicity(broken, points=40)


def test_equal_trials_are_left_out_and_counted() -> None:
    matrix = np.ones((40, 3))
    matrix[:3] = cloud(3, 3, 0)
    result = vocabulary_hyperbolicity(matrix, points=5, trials=20)
    assert 0 < result.n < 20
    assert result.n + result.left_out == 20
    assert np.isfinite(result.relative_delta)
    parallel = np.outer(np.arange(1, 9), [1.0, 2.0])  # one direction: all angles are 0
    for method in ("base", "exact", "sample", "bounds"):
        two = prompt_hyperbolicity(
            np.concatenate([parallel, cloud(8, 2, 1)]),
            [[0, 1, 2, 3], [8, 9, 10, 11, 12]],
            metric="angular",
            method=method,
        )
        assert (two.n, two.left_out) == (1, 1)


def test_bad_counts(matrix: np.ndarray) -> None:
    with pytest.raises(PointsError, match="41 points were asked for and the vocabulary has 40 tokens"):
        vocabulary_hyperbolicity(matrix, points=41)
    with pytest.raises(PointsError, match="0 by definition"):
        vocabulary_hyperbolicity(matrix, points=3)
    with pytest.raises(OptionError, match="trials must be a whole number of at least 1, got 0"):
        vocabulary_hyperbolicity(matrix, trials=0)
    with pytest.raises(PointsError, match=r"expected embeddings as a real matrix"):
        vocabulary_hyperbolicity(matrix[0])
    with pytest.raises(OptionError, match="unknown method"):
        prompt_hyperbolicity(matrix, [[1, 2, 3, 4]], method="guess")


# ------------------------------------------------------------------- real models


def test_demo_model_on_demo_texts() -> None:
    embeddings = load_embeddings("demo")
    texts = load_texts("demo", limit=20)
    result = prompt_hyperbolicity(embeddings, texts)
    assert (result.model, result.data, result.layer, result.n) == ("demo", "demo", "input", 20)
    ids = embeddings.tokenizer(list(texts))["input_ids"]
    assert all(prompt[0] == embeddings.tokenizer.bos_token_id for prompt in ids)
    expected = []
    for prompt in ids[:3]:
        x = embeddings.matrix[torch.tensor(prompt)].double().numpy()
        d = cdist(x, x)
        g = (d[:, [0]] + d[[0], :] - d) / 2
        expected.append(2 * (np.minimum(g[:, :, None], g[None]).max(1) - g).max() / d.max())
    np.testing.assert_allclose(result.relative_deltas[:3], expected, rtol=1e-12)
    assert len(result.witness.tokens) == 4
    assert result.provenance["tensor"] == "model.embed_tokens.weight"


@pytest.mark.parametrize(("model", "mean", "sd"), [("stories260k", 0.27052, 0.01766), ("minilm", 0.14814, 0.01115)])
def test_published_figures_on_gsm8k(assets: Path, minilm: Path, model: str, mean: float, sd: float) -> None:
    """Computed independently in float64, the tokenizer's own special tokens included, nothing cut off."""
    folder = minilm if model == "minilm" else assets / "models" / model
    result = prompt_hyperbolicity(load_embeddings(str(folder)), load_texts(assets / "data" / "gsm8k" / "test.json"))
    assert result.n == 1319
    assert round(result.relative_delta, 5) == mean
    assert round(result.relative_delta_sd, 5) == sd


def test_minilm_vocabulary(minilm: Path) -> None:
    """Real embeddings against brute force, on a subset that brute force can do."""
    embeddings = load_embeddings(str(minilm))
    result = vocabulary_hyperbolicity(embeddings, points=30, trials=2, seed=1)
    generator = np.random.default_rng(1)
    for value in result.relative_deltas:
        subset = generator.choice(len(embeddings), 30, replace=False)
        x = embeddings.matrix[torch.from_numpy(subset)].double().numpy()
        d = cdist(x, x)
        assert value == pytest.approx(brute_force_two_delta(d) / d.max(), rel=1e-12)
