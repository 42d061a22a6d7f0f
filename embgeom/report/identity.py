"""What determines the numbers of a cell, as plain values."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from embgeom.results import versions

if TYPE_CHECKING:
    from embgeom.corpus import Corpus

__all__ = ["cell_identity", "corpus_identity"]


def corpus_identity(corpus: Corpus) -> dict[str, Any]:
    """Return what tells a corpus from others: the hash of its texts, in which field and limit are contained."""
    digest = hashlib.sha256()
    for text in corpus:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return {
        "name": corpus.name,
        "source": corpus.source,
        "field": corpus.field,
        "revision": corpus.revision,
        "texts": len(corpus),
        "sha256": digest.hexdigest(),
    }


def cell_identity(model: dict[str, Any], corpus: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return everything that determines a cell: model, corpus, options (layer, nulls, draws, seed, …) and versions."""
    return {"model": model, "corpus": corpus, "options": options, "versions": versions()}
