"""A model with its weights, run for its hidden states alone."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embgeom.embeddings.messages import quote
from embgeom.embeddings.scale import EmbeddingScale, measure_scale, probing_ids
from embgeom.embeddings.source import HubRepository, Source
from embgeom.errors import ModelError, OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["Network", "load_network"]


@dataclass(frozen=True, eq=False)
class Network:
    """A model that is ready to run, and what one run of it on a few tokens has shown.

    Attributes
    ----------
    module : torch.nn.Module
        The base model in evaluation mode; of an encoder–decoder its encoder.
    depth : int
        Number of blocks, L: there are hidden states 0 … L.
    vocabulary : int
        Number of rows of the input embeddings.
    longest : int or None
        Most tokens that the configuration provides for; None where it names no limit.
    pads : bool
        Whether the model can be told what is padding. If not, only prompts of one length can share a pass.
    last_is_normed : bool or None
        Whether state L has gone through a final norm after the last block; None if that could not be seen.
    scale : EmbeddingScale
        How state 0 comes from the embeddings.
    """

    module: Any
    depth: int
    vocabulary: int
    longest: int | None
    pads: bool
    last_is_normed: bool | None
    scale: EmbeddingScale

    def states(self, ids: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """Return the hidden states 0 … L of a batch, each (prompts, tokens, d), on the model's device."""
        import torch

        with torch.inference_mode():
            return _states(self.module, ids, mask)


def load_network(source: Source, *, device: torch.device, dtype: torch.dtype | None) -> Network:
    """Load a model with its weights, and run it once on a few tokens.

    Raises
    ------
    ModelError
        If it cannot be loaded, lacks weights, is none that turns tokens into one state each, or does not fit.
    """
    import torch

    module = _load(source, dtype)
    if getattr(module.config, "is_encoder_decoder", False):
        module = module.get_encoder()
    try:
        module = module.to(device).eval()
    except RuntimeError as error:
        raise ModelError(f"model {source.model!r} cannot be moved to {device}: {quote(error)}") from None
    config = module.config.get_text_config()
    try:
        weight = module.get_input_embeddings().weight
        ids = probing_ids(config, len(weight)).to(device)
        with torch.inference_mode(), _blocks(module, config) as (entered, left):
            states = _states(module, ids, torch.ones_like(ids) if _takes_mask(module) else None)
    except Exception as error:  # whatever the many architectures raise when given tokens and nothing else
        raise ModelError(f"model {source.model!r} cannot be run on tokens alone: {quote(error)}") from None
    if any(state.shape[:2] != ids.shape for state in states):
        raise ModelError(f"model {source.model!r} has not one hidden state per token in every layer")
    if any(state.shape == states[0].shape and not torch.equal(state, states[0]) for state in entered):  # Mamba's do not
        raise ModelError(f"model {source.model!r}: its hidden states do not begin with what enters the first block")
    return Network(
        module=module,
        depth=len(states) - 1,
        vocabulary=len(weight),
        longest=_longest(module, config),
        pads=_takes_mask(module),
        last_is_normed=None if not left else not torch.equal(left[0], states[-1]),
        scale=measure_scale(weight.detach()[ids[:, 0]], states[0][:, 0]),
    )


def _load(source: Source, dtype: torch.dtype | None) -> Any:
    import torch
    from transformers import AutoModel

    config = source.find("config.json")
    if config is None:
        raise source.lacks("config.json, so its architecture is unknown")
    online = isinstance(source, HubRepository) and source.online
    try:
        with _quietly(), torch.random.fork_rng(devices=[]):  # weights that are missing are drawn
            module, loaded = AutoModel.from_pretrained(
                source.model if online else str(config.parent),
                revision=source.revision,
                local_files_only=not online,
                trust_remote_code=False,
                dtype="auto" if dtype is None else dtype,
                output_loading_info=True,
            )
    except Exception as error:  # transformers raises OSError, ValueError, ImportError, … by what is wrong
        raise ModelError(f"model {source.model!r}: its weights cannot be loaded: {quote(error)}") from None
    # What a checkpoint lacks is drawn at random, with no more than a note. A pooler comes after the last state.
    missing = sorted(key for key in loaded["missing_keys"] if "pooler" not in key)
    if missing:
        raise ModelError(
            f"model {source.model!r}: {len(missing)} tensors are not in its checkpoint, the first is {missing[0]}; "
            "hidden states would be those of random weights"
        )
    return module


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers' own bar, and its report of weights that are not used, away while weights load."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _takes_mask(module: Any) -> bool:
    return "attention_mask" in inspect.signature(module.forward).parameters


def _states(module: Any, ids: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
    options = {} if mask is None else {"attention_mask": mask}
    if "use_cache" in inspect.signature(module.forward).parameters:
        options["use_cache"] = False  # keys and values are of no use after the pass
    states = module(input_ids=ids, output_hidden_states=True, return_dict=True, **options).hidden_states
    if not states:
        raise OptionError("it returns no hidden states")
    return tuple(states)


@contextmanager
def _blocks(module: Any, config: Any) -> Iterator[tuple[list[torch.Tensor], list[torch.Tensor]]]:
    """Collect what enters the first block and what leaves the last: of the list of as many modules as there are blocks.

    Nothing is collected where there is no such list.
    """
    from torch.nn import ModuleList

    count = getattr(config, "num_hidden_layers", None)
    stacks = [child for child in module.modules() if isinstance(child, ModuleList) and len(child) == count]
    entered: list[torch.Tensor] = []
    left: list[torch.Tensor] = []

    def enter(_block: Any, arguments: Any) -> None:
        entered.extend(arguments[:1])

    def leave(_block: Any, _arguments: Any, output: Any) -> None:
        left.append(output[0] if isinstance(output, tuple) else output)

    hooks = [
        hook
        for stack in stacks[:1]
        for hook in (stack[0].register_forward_pre_hook(enter), stack[-1].register_forward_hook(leave))
    ]
    try:
        yield entered, left
    finally:
        for hook in hooks:
            hook.remove()


def _longest(module: Any, config: Any) -> int | None:
    """Return the most positions that there are; RoBERTa and its like count theirs from after the padding's index."""
    named = getattr(config, "max_position_embeddings", None)
    if not isinstance(named, int) or named < 1:
        return None
    offsets = [
        child.padding_idx + 1
        for name, child in module.named_modules()
        if name.endswith("position_embeddings") and getattr(child, "padding_idx", None) is not None
    ]
    return named - max(offsets, default=0)
