"""Which tensor is the embedding: asked of the architecture itself, built without weights on the meta device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from embgeom.embeddings.messages import quote
from embgeom.errors import ModelError

__all__ = ["EmbeddingParameter", "embedding_parameter", "match_checkpoint_key"]


@dataclass(frozen=True)
class EmbeddingParameter:
    """The parameter that holds the embedding, in a weightless model.

    Attributes
    ----------
    names : tuple of str
        The names it goes by in the model, e.g. ``model.embed_tokens.weight``: that of the layer that was asked for
        first, then those tied to it. A checkpoint need not hold tied tensors more than once.
    model : transformers.PreTrainedModel
        The model on the meta device; it knows how checkpoint names map to its own.
    """

    names: tuple[str, ...]
    model: Any


def embedding_parameter(config: Any, *, layer: str, model: str) -> EmbeddingParameter:
    """Return the parameter behind ``get_input_embeddings()`` or ``get_output_embeddings()``.

    Parameters
    ----------
    config : transformers.PretrainedConfig
    layer : {"input", "output"}
    model : str
        The model's name, for messages.

    Raises
    ------
    ModelError
        If the architecture is unknown, cannot be built or has no such embedding.
    """
    import torch

    architecture = _architecture(config)
    build = _builder(config, layer=layer)
    if build is not None:
        try:
            with torch.device("meta"):
                weightless = build(config)
        except Exception as error:  # whatever the many architectures raise for a configuration that does not fit
            raise ModelError(
                f"model {model!r}: its architecture {architecture} cannot be built from its config.json: {quote(error)}"
            ) from None
        names = _names(weightless, layer=layer)
        if names:
            return EmbeddingParameter(names, weightless)
    raise ModelError(f"model {model!r}: its architecture {architecture} has no {layer} embeddings of tokens")


def match_checkpoint_key(parameter: EmbeddingParameter, keys: Iterable[str]) -> str | None:
    """Return the checkpoint's name for ``parameter``, or None.

    A checkpoint may have been saved from the bare base model, from another head, or under names of an older release;
    transformers knows all of these renamings, so they are asked of it.
    """
    keys = list(keys)
    if parameter.names[0] in keys:
        return parameter.names[0]
    leaves = tuple({"." + name.rsplit(".", 1)[-1] for name in parameter.names})
    rename = _renaming(parameter.model)
    stored = {rename(key): key for key in keys if f".{key}".endswith(leaves)}
    candidates = (name if name in keys else stored.get(name) for name in parameter.names)
    return next((key for key in candidates if key is not None), None)


def _builder(config: Any, *, layer: str) -> Callable[[Any], Any] | None:
    """Return what builds the architecture that the config names, or a generic one if it names none that there is.

    A named base model (``BertModel``) is not replaced by one with a head: its checkpoint has no output embeddings.
    """
    import transformers

    for name in _architectures(config):
        named = getattr(transformers, name, None)
        if isinstance(named, type) and issubclass(named, transformers.PreTrainedModel):
            return partial(_from_config, named)
    generic = [transformers.AutoModel]
    if layer == "output":
        generic = [
            transformers.AutoModelForSeq2SeqLM,
            transformers.AutoModelForMaskedLM,
            transformers.AutoModelForCausalLM,
        ]
    for auto in generic:
        if type(config) in auto._model_mapping:
            return partial(auto.from_config, trust_remote_code=False, attn_implementation="eager")
    return None


def _from_config(architecture: Any, config: Any) -> Any:
    # No kernel is ever run, so that a configuration may ask for one that is not installed.
    return architecture._from_config(config, attn_implementation="eager")


def _names(model: Any, *, layer: str) -> tuple[str, ...]:
    """Return the names of the layer's parameter, its own first; none if there is no such layer."""
    try:
        module = model.get_input_embeddings() if layer == "input" else model.get_output_embeddings()
    except NotImplementedError:  # how a model without tokens, or with several kinds of them, says so
        return ()
    weight = getattr(module, "weight", None)
    if weight is None:
        return ()
    own = [f"{name}.weight" for name, candidate in model.named_modules(remove_duplicate=False) if candidate is module]
    tied = [name for name, candidate in model.named_parameters(remove_duplicate=False) if candidate is weight]
    return tuple(dict.fromkeys(own + tied))


def _architectures(config: Any) -> list[str]:
    named = getattr(config, "architectures", None)
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def _architecture(config: Any) -> str:
    return (_architectures(config) or [str(config.model_type)])[0]


def _renaming(model: Any) -> Any:
    """Return the function from checkpoint keys to parameter names that loading would apply."""
    prefix = model.base_model_prefix
    parameters = dict(model.named_parameters(remove_duplicate=False))
    try:  # transformers >= 5
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightRenaming, rename_source_key
    except ImportError:
        patterns = getattr(model, "_checkpoint_conversion_mapping", None) or {}

        def rename(key: str) -> str:
            for pattern, replacement in patterns.items():
                key, found = re.subn(pattern, replacement, key)
                if found:  # the first that matches, and no other
                    break
            return _adjust_prefix(key, prefix, parameters)

        return rename
    renamings = [entry for entry in get_model_conversion_mapping(model) if isinstance(entry, WeightRenaming)]
    return lambda key: rename_source_key(key, renamings, [], prefix, parameters)[0]


def _adjust_prefix(key: str, prefix: str, parameters: dict[str, Any]) -> str:
    """Add or drop the base model's prefix where that, and only that, gives a parameter of the model."""
    bare = key.removeprefix(f"{prefix}.")
    return next((name for name in (key, bare, f"{prefix}.{key}") if name in parameters), key)
