"""Work that is kept cell by cell: what tells one cell from another, and the folder that holds them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from embgeom.embeddings.source import HubRepository, LocalFolder, find_source
from embgeom.errors import OptionError

__all__ = ["key_of", "make_folder", "model_identity"]

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


def key_of(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of plain values, the same for equal ones in any order of keys."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def make_folder(folder: Path) -> Path:
    """Return the folder, made if there is none.

    Raises
    ------
    OptionError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"cannot make the folder {folder}: {error.strerror or error}") from None
    if not os.access(folder, os.W_OK):
        raise OptionError(f"cannot write to the folder {folder}: permission denied")
    return folder
