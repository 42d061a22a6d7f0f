"""The door: a model's name in, its embedding matrix out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.embeddings.architecture import embedding_parameter, match_checkpoint_key
from embgeom.embeddings.checkpoint import read_tensor
from embgeom.embeddings.messages import quote
from embgeom.embeddings.source import Source, find_source
from embgeom.embeddings.tokenizer import tokenizer_of
from embgeom.errors import ModelError, OptionError, choose

if TYPE_CHECKING:
    import torch

__all__ = ["LAYERS", "Embeddings", "load_embeddings"]

LAYERS = ("input", "output")


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A model's token embeddings with their provenance.

    Attributes
    ----------
    matrix : torch.Tensor, shape (vocabulary, dimension)
        Memory-mapped, in the dtype that the checkpoint stores unless another was asked for.
    model : str
        As it was named by the caller.
    layer : {"input", "output"}
    revision : str or None
        Commit hash on the Hub; None for a local folder.
    file, tensor : str
        The file of the checkpoint and the tensor in it that the matrix is.
    dtype : str
        The dtype that the checkpoint stores, e.g. ``bfloat16``.
    """

    matrix: torch.Tensor
    model: str
    layer: str
    revision: str | None
    file: str
    tensor: str
    dtype: str
    _source: Source = field(repr=False)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, loaded when first used.

        Raises
        ------
        ModelError
            If the model has none that can be loaded.
        """
        return tokenizer_of(self._source)

    def __len__(self) -> int:
        """Return the number of tokens in the vocabulary."""
        return len(self.matrix)


def load_embeddings(
    model: str | PathLike[str],
    *,
    layer: str = "input",
    revision: str | None = None,
    dtype: str | torch.dtype | None = None,
) -> Embeddings:
    """Read a model's embedding matrix, and nothing else of its weights.

    The tensor is the one that the architecture's ``get_input_embeddings()`` (or ``get_output_embeddings()``) holds; the
    architecture is built on the meta device for that, without weights.

    Parameters
    ----------
    model : str or os.PathLike
        ``demo``, a local folder (single or sharded safetensors, or ``.bin``), or a Hub id; of a Hub id the shard that
        holds the tensor is fetched.
    layer : {"input", "output"}
        With tied embeddings both are the same tensor.
    revision : str, optional
        Branch, tag or commit of a Hub id.
    dtype : str or torch.dtype, optional
        A floating dtype to convert to; by default the stored one, memory-mapped.

    Raises
    ------
    ModelError
        If the model cannot be found or read, or has no such tensor.
    OptionError
        If ``layer`` or ``dtype`` is unknown.

    Examples
    --------
    >>> embeddings = load_embeddings("demo")
    >>> embeddings.tensor
    'model.embed_tokens.weight'
    """
    choose("layer", layer, LAYERS)
    target = None if dtype is None else _floating_dtype(dtype)
    model = fspath(model)
    source = find_source(model, revision=revision)
    parameter = embedding_parameter(_load_config(source), layer=layer, model=model)
    stored = read_tensor(source, partial(match_checkpoint_key, parameter))
    matrix = stored.tensor
    if matrix.ndim != 2 or not matrix.is_floating_point():
        shape = tuple(matrix.shape)
        raise ModelError(f"model {model!r}: {stored.name} is {matrix.dtype} of shape {shape}, not a floating matrix")
    return Embeddings(
        matrix=matrix if target is None else matrix.to(target),
        model=model,
        layer=layer,
        revision=source.revision,
        file=stored.file,
        tensor=stored.name,
        dtype=str(matrix.dtype).removeprefix("torch."),
        _source=source,
    )


def _config_path(source: Source) -> Path:
    path = source.find("config.json")
    if path is None:
        raise source.lacks("config.json, so its architecture is unknown")
    return path


def _load_config(source: Source) -> Any:
    from transformers import AutoConfig

    path = _config_path(source)
    try:
        return AutoConfig.from_pretrained(path.parent, trust_remote_code=False)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, … for a bad configuration
        raise ModelError(f"model {source.model!r}: {path.name} cannot be used: {quote(error)}") from None


def _floating_dtype(dtype: str | torch.dtype) -> torch.dtype:
    import torch

    found = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise OptionError(f"unknown dtype {dtype!r}; choose a floating one such as float32, bfloat16, float16, float64")
    return found
