"""Statistics against depth are those of each layer's clouds by themselves, and their nulls are nulls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from embgeom import CorpusError, OptionError, hyperbolicity, load_embeddings, prompt_hyperbolicity
from embgeom.demo import MODEL_DIR
from embgeom.layers import LAYER_NULLS, LAYER_STATISTICS, LayerProfile, layer_statistics
from embgeom.nulls import draw_clouds
from embgeom.nulls.batches import NullClouds
from embgeom.treelikeness import STATISTICS, prompt_tree_likeness, tree_likeness
from tests.embeddings.architectures import build

TEXTS = [
    "Once upon a time there was a dog, and the dog had a friend.",
    "Hi",
    "There were twelve apples in the basket, and Tom took three of them.",
    "He ran and ran and ran and ran.",
    "The sun was hot. The sun was big. The cat was not.",
]


# The trained model that the package carries, in a dtype in which padding does not matter.
DEMO: dict[str, Any] = {"dtype": "float32", "device": "cpu"}


@pytest.fixture(scope="module")
def profile() -> LayerProfile:
    return layer_statistics("demo", TEXTS, null="all", null_draws=2, **DEMO)


def clouds_of(texts: list[str], *, repeats: bool) -> list[list[np.ndarray]]:
    """The oracle: for every text with four distinct tokens, the cloud of each layer, from the model run on it alone."""
    model = transformers.AutoModel.from_pretrained(MODEL_DIR, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL_DIR)
    found = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        chosen = (
            list(range(len(ids))) if repeats else [place for place, token in enumerate(ids) if token not in ids[:place]]
        )
        with torch.no_grad():
            states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        if len(chosen) >= 4:
            found.append([state[0, chosen].double().numpy() for state in states])
    return found


@pytest.mark.parametrize("repeats", [False, True])
def test_each_layer_of_each_prompt_as_by_itself(repeats: bool) -> None:
    result = layer_statistics("demo", TEXTS, null=None, repeats=repeats, **DEMO)
    clouds = clouds_of(TEXTS, repeats=repeats)
    assert result.n == len(clouds)
    assert result.left_out == len(TEXTS) - len(clouds)
    assert result.points == pytest.approx(np.mean([len(layers[0]) for layers in clouds]))
    assert result.layers == tuple(range(6))
    for layer in result.layers:
        for prompt, layers in enumerate(clouds):
            alone = tree_likeness(layers[layer])
            for name in STATISTICS:
                value = result.at(layer, name).spread.values[prompt]
                assert value == pytest.approx(getattr(alone, name).value, abs=1e-4), (layer, prompt, name)
            base = hyperbolicity(layers[layer], method="base", base=0, device="cpu")
            assert result.at(layer, "fixed_base").spread.values[prompt] == pytest.approx(base.relative_delta, abs=1e-4)
    for measure in result.measures:
        for statistic in measure.statistics:
            spread = statistic.spread
            assert (spread.mean, spread.sd) == pytest.approx((np.mean(spread.values), np.std(spread.values)))


def test_layer_0_is_the_input_embeddings(profile: LayerProfile) -> None:
    """Of a model without position embeddings; those functions read the one tensor and run no model."""
    embeddings = load_embeddings("demo")
    q = prompt_tree_likeness(embeddings, TEXTS)
    assert profile.measures[0].prompts == q.clouds
    for name in STATISTICS:
        assert profile.at(0, name).spread.values == pytest.approx(getattr(q, name).values, rel=1e-9, abs=1e-12)
    base = prompt_hyperbolicity(embeddings, TEXTS, device="cpu")  # in which repetitions are points
    assert profile.at(0, "fixed_base").spread.values[-len(q.clouds) :] == pytest.approx(
        base.relative_deltas[-len(q.clouds) :]
    )


def test_the_nulls_are_beside_every_value(profile: LayerProfile) -> None:
    assert profile.nulls == LAYER_NULLS == ("directions", "permute", "spectrum")
    for layer in profile.layers:
        for name in LAYER_STATISTICS:
            found = profile.at(layer, name)
            assert [band.null for band in found.nulls] == list(LAYER_NULLS)
            for band in found.nulls:
                assert found.spread.mean - band.mean == pytest.approx(band.difference, abs=1e-12)
                assert abs(found.spread.sd - band.sd) <= band.difference_sd + 1e-12
                assert 0 <= band.below <= 1


def test_it_does_not_matter_which_prompts_are_measured_together() -> None:
    rng = np.random.default_rng(0)
    prompts = [
        rng.permutation(np.arange(3, 512))[:size].tolist() for size in (20, 210, 3, 9, 220, 12)
    ]  # two are sampled
    options: dict[str, Any] = {"layers": [0, 3], "null": "permute", "quadruples": 3000} | DEMO
    one = layer_statistics("demo", prompts, **options)
    other = layer_statistics("demo", prompts, tokens=15, **options)
    for layer in (0, 3):
        for name in LAYER_STATISTICS:
            a, b = one.at(layer, name), other.at(layer, name)
            assert a.spread.values == pytest.approx(b.spread.values, abs=1e-4)
            assert a.nulls[0].mean == pytest.approx(b.nulls[0].mean, abs=1e-4)


def test_spectrum_is_that_of_the_null_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud may be drawn up to a rotation: at every layer what comes out is that of :func:`embgeom.nulls.draw`."""
    prompts = [list(range(3, 15)), list(range(30, 39))]
    options: dict[str, Any] = {"layers": [0, 4], "null": "spectrum", "null_draws": 60} | DEMO
    fast = layer_statistics("demo", prompts, **options)
    monkeypatch.setattr(
        NullClouds, "draw", lambda self, name, r: draw_clouds(name, self._points, self._offsets, seed=1, draw=r)
    )
    slow = layer_statistics("demo", prompts, **options)
    for layer in (0, 4):
        for name in LAYER_STATISTICS:
            own, other = fast.at(layer, name), slow.at(layer, name)
            assert own.spread == other.spread
            assert own.nulls[0].mean == pytest.approx(other.nulls[0].mean, rel=0.1)
    assert fast != slow


def test_the_seed_is_that_of_the_nulls(profile: LayerProfile) -> None:
    options: dict[str, Any] = {"null": "all", "null_draws": 2} | DEMO
    assert layer_statistics("demo", TEXTS, **options) == profile
    other = layer_statistics("demo", TEXTS, seed=1, **options)
    for layer in profile.layers:
        own, others = profile.at(layer, "mean_q"), other.at(layer, "mean_q")
        assert own.spread == others.spread
        assert all(a.mean != b.mean for a, b in zip(own.nulls, others.nulls, strict=True))


def test_json(profile: LayerProfile, tmp_path: Path) -> None:
    profile.save(tmp_path / "profile.json")
    assert LayerProfile.load(tmp_path / "profile.json") == profile


def test_provenance(profile: LayerProfile) -> None:
    assert (profile.model, profile.data, profile.depth, profile.last_is_normed) == ("demo", None, 5, True)
    assert (profile.scale.factor, profile.dtype, profile.device, profile.null_draws) == (1.0, "float32", "cpu", 2)
    assert profile.versions["transformers"] == transformers.__version__


@pytest.fixture
def with_embeddings(tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """A function that writes a small random model with these input embeddings, shape (40, 16)."""

    def write(matrix: np.ndarray) -> Path:
        model = build("llama-base")
        with torch.no_grad():
            model.embed_tokens.weight.copy_(torch.from_numpy(matrix))
        model.save_pretrained(tmp_path)
        return tmp_path

    return write


PROMPTS = [np.random.default_rng(seed).permutation(np.arange(3, 40))[:20].tolist() for seed in range(40)]


def test_noise_is_no_more_tree_like_than_its_nulls(with_embeddings: Callable[[np.ndarray], Path]) -> None:
    """Of one matrix of noise, permuted coordinates are noise of the same law: no difference but the matrix's own."""
    means = []
    for seed in range(4):
        folder = with_embeddings(np.random.default_rng(seed).normal(size=(40, 16)))
        result = layer_statistics(folder, PROMPTS[:8], layers=[0], null=["permute", "directions"], device="cpu")
        means.append([band.difference for band in result.at(0, "pooled_q").nulls])
    # One matrix differs by some 0.005 from its nulls, and the tree of the next test by more than 0.1.
    assert (np.abs(np.mean(means, axis=0)) < 0.01).all()


def test_a_tree_is_more_tree_like_than_every_null(with_embeddings: Callable[[np.ndarray], Path]) -> None:
    rng = np.random.default_rng(0)
    walk = np.zeros((40, 16))
    for node in range(1, 40):
        walk[node] = walk[(node - 1) // 2] + rng.normal(size=16)
    result = layer_statistics(with_embeddings(walk), PROMPTS, layers=[0], null="all", device="cpu")
    for band in result.at(0, "pooled_q").nulls:
        assert band.below == 1
        assert band.difference < -0.1


def test_equal_states(with_embeddings: Callable[[np.ndarray], Path]) -> None:
    matrix = np.ones((40, 16))
    matrix[30:] = np.random.default_rng(0).normal(size=(10, 16))
    folder = with_embeddings(matrix)
    result = layer_statistics(folder, [[5, 6, 7, 8], [5, 31, 32, 33]], layers=[0], null="permute", device="cpu")
    assert (result.n, result.measures[0].prompts) == (2, (1,))
    with pytest.raises(CorpusError, match="layer 0: in each of the 1 prompts all hidden states are equal"):
        layer_statistics(folder, [[5, 6, 7, 8]], layers=[0], null="permute", device="cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"null": "gaussian"}, "null gaussian draws from the vocabulary, and a hidden layer has none"),
        ({"null": ["permute", "vocabulary"]}, "null vocabulary draws from the vocabulary"),
        ({"null": "noise"}, "unknown null 'noise'; choose one of: directions, permute, spectrum"),
        ({"null_draws": 0}, "null_draws"),
        ({"quadruples": 1}, "quadruples"),
        ({"seed": -1}, "seed"),
        ({"layers": [9]}, "has the hidden layers 0 to 5"),
    ],
)
def test_options_at_fault(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        layer_statistics("demo", TEXTS, **DEMO, **options)


def test_prompts_at_fault() -> None:
    with pytest.raises(CorpusError, match="none of the 2 prompts fits into the model and has 4 distinct tokens"):
        layer_statistics("demo", [[5, 5, 6, 7], [8] * 600], **DEMO)
    result = layer_statistics("demo", [[5, 5, 6, 7], [8, 9, 10, 11, 12]], repeats=True, null=None, **DEMO)
    assert (result.n, result.null_draws, result.nulls) == (2, 0, ())


def test_what_is_not_there(profile: LayerProfile) -> None:
    with pytest.raises(OptionError, match="layer 7 was not measured; there are: 0, 1, 2, 3, 4, 5"):
        profile.at(7, "mean_q")
    with pytest.raises(OptionError, match="unknown statistic 'q'"):
        profile.at(0, "q")


def test_encoder(minilm: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = layer_statistics(minilm, TEXTS[:1], layers=[0, 6], null="permute", null_draws=1, device="cpu")
    assert (result.depth, result.last_is_normed, result.scale.factor) == (6, False, None)
    assert capfd.readouterr() == ("", "")
    layer_statistics(minilm, TEXTS[:1], layers=[6], null=None, device="cpu", progress=True)
    assert "1 layers of 1 prompts" in capfd.readouterr().err
