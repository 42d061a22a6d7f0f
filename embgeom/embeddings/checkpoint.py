"""One tensor out of a checkpoint, memory-mapped: single or sharded safetensors, or ``.bin`` read as tensors only."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.embeddings.messages import quote
from embgeom.embeddings.source import Source
from embgeom.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["StoredTensor", "read_tensor"]

# In the order in which transformers looks for them.
_SINGLE = ("model.safetensors", "pytorch_model.bin")
_INDEX = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# What Git leaves of a large file where `git lfs` is not installed.
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor with the file and the name that it was stored under."""

    tensor: torch.Tensor
    file: str
    name: str


def read_tensor(source: Source, choose: Callable[[Iterable[str]], str | None]) -> StoredTensor:
    """Read the one tensor whose name ``choose`` picks from the checkpoint's names.

    The file is memory-mapped, so that no more is read than is used; of a sharded checkpoint only the shard that holds
    the tensor is touched.

    Raises
    ------
    ModelError
        If there are no weights, they are damaged, or ``choose`` finds none of their names.
    """
    for single, index in zip(_SINGLE, _INDEX, strict=True):
        if (path := source.find(single)) is not None:
            tensors = _open(path)
            name = _chosen(choose, tensors, source.model, single)
            return StoredTensor(tensors[name], single, name)
        if (path := source.find(index)) is not None:
            shards = _weight_map(path)
            name = _chosen(choose, shards, source.model, index)
            shard = source.find(shards[name])
            if shard is None:
                raise source.lacks(f"{shards[name]}, in which {index} places {name}")
            tensors = _open(shard)
            if name not in tensors:
                raise ModelError(f"model {source.model!r}: {shards[name]} lacks {name}, which {index} places there")
            return StoredTensor(tensors[name], shards[name], name)
    raise source.lacks(f"weights (expected one of {', '.join(_SINGLE + _INDEX)})")


def _chosen(choose: Callable[[Iterable[str]], str | None], names: Iterable[str], model: str, file: str) -> str:
    names = list(names)
    name = choose(names)
    if name is None:
        alike = [candidate for candidate in names if "embed" in candidate or "head" in candidate] or names
        raise ModelError(
            f"model {model!r}: the embedding that its architecture names is not in {file}; "
            f"nearest of its {len(names)} tensors: {', '.join(alike[:5]) or 'none'}"
        )
    return name


def _weight_map(path: Path) -> dict[str, str]:
    try:
        shards = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: not an index of shards with a `weight_map` ({type(error).__name__}: {error})"
        ) from None
    if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
        raise ModelError(f"{path}: its `weight_map` does not map the names of tensors to files")
    return shards


def _open(path: Path) -> Any:
    """Return a mapping from names to tensors that reads a tensor when it is asked for."""
    return _Safetensors(path) if path.suffix == ".safetensors" else _load_bin(path)


class _Safetensors:
    """The tensors of a safetensors file, by name."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            self._file: Any = safe_open(path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise _damaged(path, f"not a whole safetensors file ({quote(error)})") from None
        self._names = list(self._file.keys())  # type: ignore[no-untyped-call]

    def __iter__(self) -> Any:
        return iter(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._file.get_tensor(name)


def _load_bin(path: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols; what matters is raised
            try:
                tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError:  # files older than torch 1.6 cannot be mapped
                tensors = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise _damaged(
            path,
            "not plain tensors, and unpickling anything else could run code; if it is whole, convert it to safetensors",
        ) from None
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise _damaged(path, f"not a whole PyTorch file ({quote(error)})") from None
    if not isinstance(tensors, dict):
        raise ModelError(f"{path}: expected a dictionary of tensors, got {type(tensors).__name__}")
    return {
        name: tensor for name, tensor in tensors.items() if isinstance(name, str) and isinstance(tensor, torch.Tensor)
    }


def _damaged(path: Path, problem: str) -> ModelError:
    try:
        with path.open("rb") as file:
            head = file.read(len(_LFS_POINTER))
    except OSError:
        head = b""
    if head == _LFS_POINTER:
        return ModelError(f"{path}: a pointer of Git LFS in place of the file; run `git lfs pull` there")
    return ModelError(f"{path}: {problem}; if it was downloaded, remove it and fetch it again")
