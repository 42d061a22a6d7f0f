"""Which prompts go through a model together: little padding, and no more than a bounded number of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fitting", "is_out_of_memory", "windows"]

# In one pass, no prompt is shorter than this share of the longest, so that little of it is padding.
_LEAST_SHARE = 0.8


def windows(numbers: Sequence[int], token_ids: Sequence[NDArray[np.integer[Any]]], tokens: int) -> Iterator[list[int]]:
    """Cut the prompts into runs of at most ``tokens`` tokens, or of one prompt."""
    window: list[int] = []
    held = 0
    for number in numbers:
        if window and held + len(token_ids[number]) > tokens:
            yield window
            window, held = [], 0
        window.append(number)
        held += len(token_ids[number])
    if window:
        yield window


def fitting(lengths: Sequence[int], tokens: int, pads: bool) -> int:
    """Return how many of the prompts, longest first, share a pass: similar ones, of ``tokens`` tokens with padding."""
    least = lengths[0] * _LEAST_SHARE if pads else lengths[0]
    most = max(1, tokens // lengths[0])
    return next((count for count, length in enumerate(lengths) if count == most or length < least), len(lengths))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the error is a lack of memory, of a GPU or of the CPU."""
    import torch

    # Of the CPU's allocator torch says it in words alone.
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or "allocate memory" in str(error)
