"""Texts to measure embeddings on: from a name, a file or the Hugging Face Hub, with their provenance."""

from __future__ import annotations

from embgeom.corpus.load import load_texts, stream_texts
from embgeom.corpus.registry import DATASETS
from embgeom.corpus.texts import Corpus, TextStream

__all__ = ["DATASETS", "Corpus", "TextStream", "load_texts", "stream_texts"]
