"""An embedding matrix with its tokenizer and where it came from."""

from __future__ import annotations

from embgeom.embeddings.load import LAYERS, Embeddings, load_embeddings
from embgeom.embeddings.tokenizer import load_tokenizer

__all__ = ["LAYERS", "Embeddings", "load_embeddings", "load_tokenizer"]
