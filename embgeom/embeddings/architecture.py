"""Which tensor is the embedding: asked of the architecture itself, built without weights on the meta device."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from embgeom.errors import ModelError

__all__ = ["EmbeddingParameter", "embedding_parameter", "match_checkpoint_key"]


class EmbeddingParameter:
    """The parameter that holds the embedding, in a weightless model.

    Attributes
    ----------
    name : str
        The parameter's name in the model, e.g. ``model.embed_tokens.weight``.
    shape : tuple of int
        (vocabulary, dimension).
    model : transformers.PreTrainedModel
        The model on the meta device; it knows how checkpoint names map to its own.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self.model = model
        self.shape: tuple[int, ...] = tuple(model.get_parameter(name).shape)


def embedding_parameter(config: Any, *, layer: str) -> EmbeddingParameter:
    """Return the parameter behind ``get_input_embeddings()`` or ``get_output_embeddings()``.

    With tied embeddings the output is the input's parameter.

    Parameters
    ----------
    config : transformers.PretrainedConfig
    layer : {"input", "output"}

    Raises
    ------
    ModelError
        If the architecture is unknown or has no such embedding.
    """
    for model in _weightless_models(config, layer=layer):
        inputs = _weight(model.get_input_embeddings())
        weight = inputs if layer == "input" else _weight(model.get_output_embeddings())
        if weight is None:
            continue
        if layer == "output" and inputs is not None and _is_tied(model.config) and inputs.shape == weight.shape:
            weight = inputs
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if parameter is weight:
                return EmbeddingParameter(name, model)
    raise ModelError(f"architecture {_architecture(config)} has no {layer} embeddings of tokens")


def match_checkpoint_key(parameter: EmbeddingParameter, keys: Iterable[str]) -> str | None:
    """Return the checkpoint's name for ``parameter``, or None.

    A checkpoint may have been saved from the bare base model, from another head, or under names of an older release;
    transformers knows all of these renamings, so they are asked of it.
    """
    keys = list(keys)
    if parameter.name in keys:
        return parameter.name
    leaf = parameter.name.rsplit(".", 1)[-1]
    candidates = [key for key in keys if key.rsplit(".", 1)[-1] == leaf]
    rename = _renaming(parameter.model)
    return next((key for key in candidates if rename(key) == parameter.name), None)


def _weightless_models(config: Any, *, layer: str) -> Iterable[Any]:
    """Yield models on the meta device: the architecture that the config names, or the generic ones if it names none.

    A named base model (``BertModel``) is not replaced by one with a head: its checkpoint has no output embeddings.
    """
    import torch
    import transformers

    named = [getattr(transformers, name, None) for name in (getattr(config, "architectures", None) or [])]
    generic = [transformers.AutoModel]
    if layer == "output":
        generic = [transformers.AutoModelForCausalLM, transformers.AutoModelForMaskedLM]
    for factory in list(filter(None, named)) or generic:
        try:
            with torch.device("meta"):
                build = getattr(factory, "_from_config", None) or factory.from_config
                yield build(config)
        except ValueError:  # an Auto class that does not know this config
            continue


def _weight(module: Any) -> Any:
    return getattr(module, "weight", None)


def _is_tied(config: Any) -> bool:
    # Composite models (text and vision) carry the flag in the text part's configuration.
    text = config.get_text_config()
    return bool(getattr(config, "tie_word_embeddings", False) or getattr(text, "tie_word_embeddings", False))


def _architecture(config: Any) -> str:
    return (getattr(config, "architectures", None) or [config.model_type])[0]


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
                key = re.sub(pattern, replacement, key)
            return _adjust_prefix(key, prefix, parameters)

        return rename
    renamings = [entry for entry in get_model_conversion_mapping(model) if isinstance(entry, WeightRenaming)]
    return lambda key: rename_source_key(key, renamings, [], prefix, parameters)[0]


def _adjust_prefix(key: str, prefix: str, parameters: dict[str, Any]) -> str:
    """Add or drop the base model's prefix where that, and only that, gives a parameter of the model."""
    bare = key.removeprefix(f"{prefix}.")
    return next((name for name in (key, bare, f"{prefix}.{key}") if name in parameters), key)
