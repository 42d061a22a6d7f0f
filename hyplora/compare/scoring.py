"""Scores of a model on held-out records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hyplora.compare.material import Part

if TYPE_CHECKING:
    from hyplora.evaluate.models import Loaded
    from hyplora.train.examples import Example

__all__ = ["log_likelihood", "scores_of"]


def scores_of(model: Any, part: Part, loaded: Loaded, *, batch: int) -> dict[str, float]:
    """Return the scores of a part.

    Of texts ``bits_per_character``: −log₂ of the likelihood of all of them, the end of each included, given the token
    that begins it, over their number of characters (Unicode code points). It can be compared between tokenizers, as
    long as these keep every character. Of problems ``loss``, −ln of the likelihood of the answers per token (the EOS
    that ends an answer is one); and where there are questions, ``accuracy``, the share of those whose written answer,
    by greedy search, is the number that is right.

    Parameters
    ----------
    model : torch.nn.Module
    part : Part
    loaded : Loaded
        The tokenizer, and what else an evaluation needs; its model is not used.
    batch : int
    """
    model.eval()
    nats, tokens = log_likelihood(model, part.examples, pad=loaded.pad, batch=batch)
    if part.characters is not None:
        return {"bits_per_character": -nats / math.log(2.0) / part.characters}
    scores = {"loss": -nats / tokens}
    if part.task is not None:
        from hyplora.evaluate.run import evaluate_task

        here = replace(loaded, model=model, device=next(model.parameters()).device)
        predictions = evaluate_task(here, part.task)
        scores["accuracy"] = sum(prediction.correct for prediction in predictions) / len(predictions)
    return scores


def log_likelihood(model: Any, examples: Sequence[Example], *, pad: int, batch: int) -> tuple[float, int]:
    """Return the log-likelihood, in nats, of all tokens of examples that are to be learned, and their number."""
    import torch
    from torch.nn.functional import cross_entropy

    from hyplora.train.examples import IGNORED, Collator

    collate = Collator(pad)
    device = next(model.parameters()).device
    ordered = sorted(examples, key=lambda example: len(example.ids))  # batches of about the same length
    nats, tokens = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(ordered), batch):
            rows = {name: value.to(device) for name, value in collate(ordered[start : start + batch]).items()}
            labels = rows["labels"][:, 1:].flatten()
            logits = model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"], use_cache=False).logits[
                :, :-1
            ]
            losses = cross_entropy(logits.float().flatten(0, 1), labels, ignore_index=IGNORED, reduction="none")
            nats -= float(losses.double().sum())
            tokens += int((labels != IGNORED).sum())
    return nats, tokens
