"""What determines the numbers of a cell, as plain values, and their hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from embgeom.embeddings.source import HubRepository, LocalFolder, find_source
from embgeom.results import versions

if TYPE_CHECKING:
    from embgeom.corpus import Corpus

__all__ = ["cell_identity", "corpus_identity", "key_of", "model_identity"]

# Files that a model's numbers can come from: configuration, tokenizer and weights, not the notes beside them.
_SUFFIXES = (".bin", ".jinja", ".json", ".model", ".safetensors", ".tiktoken", ".txt")


def model_identity(model: str) -> dict[str, Any]:
    """Return what tells a model from others: of a local folder its files with size and time of change.

    Of a Hub id the commit. Weights are not read: to hash them would take longer than to measure them.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    source = find_source(model)
    if isinstance(source, HubRepository):
        revision = source.revision
        if revision is None:  # said once, not by every cell that tries to load it
            raise source.lacks("config.json, so its architecture is unknown")
        return {"hub": model, "revision": revision}
    assert isinstance(source, LocalFolder)
    folder = source.path.resolve()
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    return {
        "folder": str(folder),
        "files": [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files],
    }


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


def key_of(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of plain values, the same for equal ones in any order of keys."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
