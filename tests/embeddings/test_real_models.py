"""Trained models, as they are published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from embgeom.embeddings import LAYERS, load_embeddings
from embgeom.errors import ModelError


def stored(folder: Path, name: str) -> torch.Tensor:
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        return file.get_tensor(name)


def test_minilm(minilm: Path) -> None:
    embeddings = load_embeddings(minilm)
    assert embeddings.tensor == "embeddings.word_embeddings.weight"
    assert (tuple(embeddings.matrix.shape), embeddings.dtype) == ((30522, 384), "float32")
    assert torch.equal(embeddings.matrix, stored(minilm, embeddings.tensor))
    assert len(embeddings.tokenizer) == len(embeddings)
    with pytest.raises(ModelError, match="BertModel has no output embeddings of tokens"):
        load_embeddings(minilm, layer="output")


@pytest.mark.parametrize(("name", "shape"), [("stories260k", (512, 64)), ("babyllama105", (105, 128))])
def test_small_llamas(assets: Path, name: str, shape: tuple[int, int]) -> None:
    folder = assets / "models" / name
    for layer in LAYERS:
        embeddings = load_embeddings(folder, layer=layer)
        assert (tuple(embeddings.matrix.shape), embeddings.file) == (shape, "model.safetensors")
        assert torch.equal(embeddings.matrix, stored(folder, embeddings.tensor))
        assert len(embeddings.tokenizer) == len(embeddings)
    assert load_embeddings(folder).tensor == "model.embed_tokens.weight"
