"""Where numbers came from, as records keep it: of embeddings, and of texts."""

from __future__ import annotations

from typing import Any

__all__ = ["of_embeddings", "of_texts"]


def of_embeddings(embeddings: Any) -> dict[str, str | None]:
    """Return revision, file, tensor and dtype of Embeddings; nothing of a bare matrix."""
    known = ("revision", "file", "tensor", "dtype")
    return {name: getattr(embeddings, name) for name in known} if hasattr(embeddings, "tensor") else {}


def of_texts(texts: Any) -> dict[str, str | None]:
    """Return source, field, split, revision and skipped records of a Corpus; nothing of bare texts."""
    if not hasattr(texts, "source"):
        return {}
    known: dict[str, str | None] = {name: getattr(texts, name) for name in ("source", "field", "split")}
    return known | {"data_revision": texts.revision, "skipped": str(texts.skipped)}
