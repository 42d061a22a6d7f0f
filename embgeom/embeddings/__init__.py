"""An embedding matrix with its tokenizer and where it came from."""

from __future__ import annotations

from embgeom.embeddings.load import LAYERS, Embeddings, load_embeddings

__all__ = ["LAYERS", "Embeddings", "load_embeddings"]
