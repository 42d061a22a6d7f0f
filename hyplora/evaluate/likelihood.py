"""How likely a model finds given answers: the sum of the log-probabilities of an answer's tokens, given its prompt.

The sum is the probability of the text, whatever number of tokens it has; it is not divided by that number. The answers
that are compared differ in one word or letter at their end ("the correct answer is answer3"), and what they begin with
in common adds the same to each, so that the comparison is of that word alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embgeom.errors import ModelError
from hyplora.evaluate.batches import padded

if TYPE_CHECKING:
    from hyplora.evaluate.models import Loaded

__all__ = ["log_likelihoods"]


def log_likelihoods(loaded: Loaded, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
    """Return log p(answer | prompt) in nats for each pair of token ids, as one batch filled up at the left.

    Raises
    ------
    ModelError
        The model's logits are not finite.
    """
    import torch

    batch = padded([[*prompt, *answer] for prompt, answer in pairs], loaded)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    longest = max(len(answer) for _, answer in pairs)
    options: dict[str, Any] = {"use_cache": False}
    accepted = _options_of(loaded.model)
    if "position_ids" in accepted:  # a row's own tokens count from 0, wherever they stand in the batch
        options["position_ids"] = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    if "logits_to_keep" in accepted:  # with a vocabulary of 100,000, the others would be most of the memory
        options["logits_to_keep"] = longest + 1
    with torch.inference_mode():
        logits = loaded.model(input_ids=ids, attention_mask=mask, **options).logits
        # The logits at one place are of the token at the next.
        logits = logits[:, -longest - 1 : -1].float()
        of_token = torch.log_softmax(logits, dim=-1).gather(-1, ids[:, -longest:, None]).squeeze(-1)
    sums = [float(row[-len(answer) :].double().sum()) for row, (_, answer) in zip(of_token, pairs, strict=True)]
    if not all(map(_is_number, sums)):
        raise ModelError(f"model {loaded.name!r} gives log-likelihoods that are no numbers; try dtype float32")
    return sums


def _options_of(model: Any) -> set[str]:
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return set(inspect.signature(base.forward).parameters)


def _is_number(value: float) -> bool:
    return value == value
