"""Texts to measure embeddings on: from a name, a file or the Hugging Face Hub, with their provenance."""

from __future__ import annotations

from embgeom.corpus.load import Corpus, load_texts
from embgeom.corpus.registry import DATASETS

__all__ = ["DATASETS", "Corpus", "load_texts"]
