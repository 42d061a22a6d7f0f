"""A curvature from a measured δ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel, get_peft_model
from torch import nn

import embgeom
import hyplora
from hyplora import HypLoraError
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def test_the_rule_of_khrulkov_et_al() -> None:
    found = hyplora.suggest_curvature("demo")
    measured = embgeom.vocabulary_hyperbolicity(embgeom.load_embeddings("demo"), points=300, trials=10, method="exact")
    assert found.relative_delta == measured.relative_delta
    assert found.curvature == pytest.approx(1 / (0.144 / measured.relative_delta) ** 2)
    assert (found.level, found.clouds, found.points, found.dimension, found.model) == (
        "vocabulary",
        10,
        300,
        160,
        "demo",
    )
    assert hyplora.SuggestedCurvature.from_json(found.to_json()) == found


def test_a_live_model_gives_the_same_number_every_time() -> None:
    # 600 tokens, so that subsets are drawn
    model = tiny.llama(vocab_size=600)
    found = hyplora.suggest_curvature(model)
    assert hyplora.suggest_curvature(model) == found
    assert hyplora.suggest_curvature(model, seed=1).curvature != found.curvature
    assert found.model is None
    assert found.points == 300


def test_with_texts_it_is_the_papers_figure() -> None:
    texts = ["The tree of language has many leaves.", "A number is a number is a number, said the poet."]
    found = hyplora.suggest_curvature("demo", texts)
    embeddings = embgeom.load_embeddings("demo")
    measured = embgeom.prompt_hyperbolicity(embeddings, texts)
    assert found.curvature == pytest.approx((measured.relative_delta / 0.144) ** 2)
    assert found.level == "prompts"
    assert hyplora.suggest_curvature(embeddings, texts) == found
    ids = embeddings.tokenizer(texts)["input_ids"]
    live = nn.Module()
    live.get_input_embeddings = lambda: nn.Embedding.from_pretrained(embeddings.matrix.float())
    assert hyplora.suggest_curvature(live, ids).curvature == pytest.approx(found.curvature)
    with pytest.raises(HypLoraError, match="a live model has no tokenizer: give token ids"):
        hyplora.suggest_curvature(live, texts)


def test_auto_becomes_a_number_when_the_adapter_is_created(tmp_path: Path) -> None:
    expected = hyplora.suggest_curvature(tiny.llama()).curvature
    config = tiny.options(curvature="auto")
    model = get_peft_model(tiny.llama(), config)
    assert model.peft_config["default"].curvature == expected
    assert config.curvature == "auto"  # the caller's: the next model gets a number of its own
    assert all(layer.lora_curvature["default"].start == expected for layer in tiny.layers(model).values())
    tiny.train(model)
    model.save_pretrained(tmp_path)
    assert hyplora.HypLoraConfig.from_pretrained(tmp_path).curvature == expected
    other = tiny.llama()
    with torch.no_grad():
        other.get_input_embeddings().weight[:30] *= 4  # what is loaded does not look at the model again
    loaded = PeftModel.from_pretrained(other, tmp_path)
    assert all(layer.lora_curvature["default"].start == expected for layer in tiny.layers(loaded).values())


def test_auto_in_transformers_and_for_a_second_adapter() -> None:
    expected = hyplora.suggest_curvature(tiny.llama()).curvature
    model = tiny.llama()
    model.add_adapter(tiny.options(curvature="auto"), "first")
    assert model.peft_config["first"].curvature == expected
    model = tiny.adapted()
    model.add_adapter("second", tiny.options(curvature="auto"))
    assert model.peft_config["second"].curvature == expected
    model = get_peft_model(tiny.llama(), tiny.options(curvature="auto", modules_to_save=["embed_tokens"]))
    model.add_adapter("third", tiny.options(curvature="auto"))
    assert model.peft_config["third"].curvature == expected


def line(of: nn.Module | str) -> str:
    with pytest.raises(HypLoraError) as caught:
        hyplora.suggest_curvature(of)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_models_that_suggest_nothing(tmp_path: Path) -> None:
    assert "a Linear has no input embeddings to measure" in line(nn.Linear(2, 2))
    assert "not a floating matrix that is here" in line(tiny.llama().to("meta"))
    assert "no curvature can be suggested: " in line(str(tmp_path / "nowhere"))
    equal = tiny.llama()
    nn.init.constant_(equal.get_input_embeddings().weight, 0.5)
    assert "all 64 points are equal" in line(equal)
    on_a_line = tiny.llama()
    weight = on_a_line.get_input_embeddings().weight.data
    weight.copy_(torch.outer(torch.arange(64.0), torch.ones(32)))
    assert "δ is 0, that of a tree" in line(on_a_line)
    weight[3] = torch.nan
    assert "no curvature can be suggested" in line(on_a_line)
    base = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(HypLoraError, match="no input embeddings to measure; give a number"):
        get_peft_model(base, hyplora.HypLoraConfig(curvature="auto", target_modules=["0"]))
    assert type(base[0]) is nn.Linear


def test_scale_does_not_matter_and_dimension_does() -> None:
    """Relative δ, and K with it, does not change when the embeddings are scaled; noise in more dimensions has less."""
    found = []
    for dimension, scale in ((8, 1.0), (8, 50.0), (512, 1.0)):
        model = nn.Module()
        points = torch.tensor(scale * np.random.default_rng(1).normal(size=(100, dimension)))
        model.get_input_embeddings = lambda points=points: nn.Embedding.from_pretrained(points)
        found.append(hyplora.suggest_curvature(model).curvature)
    assert found[0] == pytest.approx(found[1])
    assert found[2] < found[0]
