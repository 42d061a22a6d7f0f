"""Token clouds of a model, with its tokenizer and where they came from: embedding matrices, and hidden states."""

from __future__ import annotations

from embgeom.embeddings.hidden import HiddenStates, PromptStates, hidden_states
from embgeom.embeddings.load import LAYERS, Embeddings, load_embeddings
from embgeom.embeddings.scale import EmbeddingScale, as_seen, embedding_scale
from embgeom.embeddings.tokenizer import load_tokenizer

__all__ = [
    "LAYERS",
    "EmbeddingScale",
    "Embeddings",
    "HiddenStates",
    "PromptStates",
    "as_seen",
    "embedding_scale",
    "hidden_states",
    "load_embeddings",
    "load_tokenizer",
]
