"""Records as token ids and labels, cut to length, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.errors import CorpusError
from hyplora.prompts import PromptRecord, encode_pair, render_completion, render_prompt
from hyplora.train.options import DataOptions

if TYPE_CHECKING:
    import torch

__all__ = ["IGNORED", "Collator", "Example", "Examples", "tokenize"]

IGNORED = -100
"""The label of a token that is not to be learned, as torch's cross entropy has it."""


@dataclass(frozen=True)
class Example:
    """A record in tokens.

    Attributes
    ----------
    ids : ndarray of int32, (length,)
        Prompt and completion.
    learned : int
        Place of the first token that is to be learned: the prompt's length, or 0.
    prompt : int
        Length of the prompt.
    """

    ids: NDArray[np.int32]
    learned: int
    prompt: int


@dataclass(frozen=True)
class Examples:
    """What a training learns from, and what became of the rest.

    Attributes
    ----------
    examples : tuple of Example
    truncated : int
        Examples that lost their end to the cut-off.
    cut_off : int
        Records left out because the cut-off left nothing of their completion.
    skipped : int
        Records left out because they could not be used.
    first_skipped : str or None
        Why the first of them could not.
    """

    examples: tuple[Example, ...]
    truncated: int = 0
    cut_off: int = 0
    skipped: int = 0
    first_skipped: str | None = None


def tokenize(
    records: Callable[[Callable[[CorpusError], None] | None], Iterable[tuple[str, PromptRecord]]],
    tokenizer: Any,
    options: DataOptions,
    *,
    on_done: Callable[[], object] = lambda: None,
) -> Examples:
    """Encode records as evaluation encodes its prompts, the completion from its own first token on.

    Parameters
    ----------
    records : callable
        Given what to do with a record that cannot be used (None: raise), returns pairs of a record's place and the
        record.
    tokenizer : transformers.PreTrainedTokenizerBase
    options : DataOptions
    on_done : callable
        Called after each record.

    Raises
    ------
    CorpusError
        A record cannot be used, and ``skip_bad`` is not set; or none is left.
    ModelError
        The tokenizer has no EOS token.
    """
    skipped: list[str] = []

    def skip(error: CorpusError) -> None:
        skipped[1:] = [""] * len(skipped)  # the first reason, and one entry for each
        if not skipped:
            skipped.append(str(error))

    truncated = cut_off = 0
    examples: list[Example] = []
    for place, record in records(skip if options.skip_bad else None):
        on_done()
        try:
            before, after = _encode(record, tokenizer, options)
        except CorpusError as error:
            named = CorpusError(f"{place}: {error}")
            if not options.skip_bad:
                raise named from None
            skip(named)
            continue
        ids = np.asarray((before + after)[: options.cutoff], dtype=np.int32)
        learned = len(before) if options.loss_on == "completion" else 0
        if len(ids) <= len(before):
            cut_off += 1
            continue
        truncated += len(before) + len(after) > len(ids)
        examples.append(Example(ids, learned, len(before)))
    if not examples:
        raise CorpusError(_nothing_left(options, cut_off, skipped))
    return Examples(tuple(examples), truncated, cut_off, len(skipped), skipped[0] if skipped else None)


def _encode(record: PromptRecord, tokenizer: Any, options: DataOptions) -> tuple[list[int], list[int]]:
    prompt = render_prompt(record, tokenizer, template=options.template)
    return encode_pair(prompt, render_completion(record, tokenizer, template=options.template), tokenizer)


def _nothing_left(options: DataOptions, cut_off: int, skipped: Sequence[str]) -> str:
    reasons = []
    if cut_off:
        reasons.append(
            f"the cut-off of {options.cutoff} tokens leaves nothing of the completion of {cut_off}; take a longer one"
        )
    if skipped:
        reasons.append(f"{len(skipped)} cannot be used, the first because: {skipped[0]}")
    if not reasons:  # an empty file is refused before
        reasons.append("all of them are in a test set")
    return f"{options.data}: no records to learn from: {'; '.join(reasons)}"


@dataclass(frozen=True)
class Collator:
    """Makes a batch of examples, filled up on the right to the longest.

    Parameters
    ----------
    pad : int
        Any token: where it stands, attention is masked and nothing is learned.
    multiple : int
        The length of a batch is a multiple of this.
    """

    pad: int
    multiple: int = 8

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Return ``input_ids``, ``attention_mask`` and ``labels``, (batch, length), int64."""
        import torch

        longest = max(len(example.ids) for example in examples)
        width = -(-longest // self.multiple) * self.multiple
        ids = np.full((len(examples), width), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        labels = np.full_like(ids, IGNORED)
        for row, example in enumerate(examples):
            length = len(example.ids)
            ids[row, :length] = example.ids
            mask[row, :length] = 1
            labels[row, example.learned : length] = example.ids[example.learned :]
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(labels),
        }
