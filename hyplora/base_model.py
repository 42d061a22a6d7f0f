"""The base model, as training and evaluation load it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embgeom.embeddings.messages import quote
from embgeom.embeddings.source import HubRepository, Source
from embgeom.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["load_network"]


def load_network(source: Source, dtype: str | torch.dtype, **options: Any) -> Any:
    """Load a causal language model with its weights; ``options`` go to ``from_pretrained``.

    Raises
    ------
    ModelError
        If it cannot be loaded, or lacks weights, which transformers would draw at random.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    config = source.find("config.json")
    if config is None:
        raise source.lacks("config.json")
    online = isinstance(source, HubRepository) and source.online
    logging.disable_progress_bar()
    try:
        network, found = AutoModelForCausalLM.from_pretrained(
            source.model if online else str(config.parent),
            revision=source.revision if online else None,
            dtype=dtype,
            local_files_only=not online,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # transformers raises whatever its configurations and readers raise
        raise ModelError(
            f"model {source.model!r} cannot be loaded as a causal language model ({quote(error)})"
        ) from None
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"model {source.model!r} lacks {len(missing)} weights of a {type(network).__name__}, such as {missing[0]}; "
            "is it another kind of model?"
        )
    return network
