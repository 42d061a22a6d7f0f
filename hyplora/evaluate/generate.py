"""Answers that a model generates: greedy search, or beams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hyplora.evaluate.batches import padded

if TYPE_CHECKING:
    from hyplora.evaluate.models import Loaded

__all__ = ["generate"]


def generate(loaded: Loaded, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, beams: int = 1) -> list[str]:
    """Return what the model says to each prompt, decoded without special tokens.

    Parameters
    ----------
    loaded : Loaded
    prompts : sequence of sequence of int
        Token ids. They are one batch, filled up at the left.
    max_new_tokens : int
        Where to stop if the model does not; earlier where its context ends.
    beams : int
        1 is greedy search.
    """
    import torch
    from transformers import GenerationConfig

    longest = max(map(len, prompts))
    room = max_new_tokens if loaded.context is None else min(max_new_tokens, loaded.context - longest)
    config = GenerationConfig(
        do_sample=False,
        num_beams=beams,
        max_new_tokens=room,
        pad_token_id=loaded.pad,
        eos_token_id=list(loaded.stops) or None,
    )
    with torch.inference_mode():
        sequences = loaded.model.generate(**padded(prompts, loaded), generation_config=config)
    return [loaded.tokenizer.decode(sequence, skip_special_tokens=True) for sequence in sequences[:, longest:].tolist()]
