"""Work in batches that fit into memory: a size to start from, and half of it whenever it was too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from embgeom.device import free_memory
from embgeom.errors import OptionError

if TYPE_CHECKING:
    import torch

    from hyplora.evaluate.models import Loaded

__all__ = ["in_batches", "padded", "starting_size"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_LARGEST = {"cpu": 32, "cuda": 256}
_SHARE = 0.5  # of the free memory: the rest is for activations, and for what fragmentation loses


def in_batches(
    batches: Sequence[Sequence[Item]],
    work: Callable[[Sequence[Item]], Sequence[Answer]],
    announce: Callable[[str], None],
) -> Iterator[tuple[Sequence[Item], Sequence[Answer]]]:
    """Yield each batch with what ``work`` makes of it; a batch that does not fit into memory is halved.

    All batches after it are cut to the size that did fit. Every halving is announced with one line.

    Raises
    ------
    OptionError
        A single item does not fit.
    """
    largest = max(map(len, batches), default=1)
    pending = [list(batch) for batch in reversed(batches)]
    while pending:
        batch = pending.pop()
        if len(batch) > largest:
            pending.append(batch[largest:])
            batch = batch[:largest]
        answers = _within_memory(work, batch)
        if answers is not None:
            yield batch, answers
            continue
        if len(batch) == 1:
            raise OptionError(
                "out of memory with a batch of one question: take fewer beams or new tokens, a narrower dtype, "
                "or another device"
            )
        largest = len(batch) // 2
        announce(f"out of memory with a batch of {len(batch)} questions: going on with {largest}")
        pending.append(batch)


def _within_memory(
    work: Callable[[Sequence[Item]], Sequence[Answer]], batch: Sequence[Item]
) -> Sequence[Answer] | None:
    import torch

    try:
        return work(batch)
    except RuntimeError as error:  # of which OutOfMemoryError is a kind; a CPU's allocator has only the message
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
    # After the handler, which would hold on to the frames, and they to their tensors.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def starting_size(loaded: Loaded, length: int, *, rows: int = 1) -> int:
    """Return how many questions of ``length`` tokens, new ones included, should fit into the free memory.

    Each takes ``rows`` rows of a batch: its beams, or its choices. Counted are the keys and values that are cached,
    the logits of a step and some activations; a power of two, because what is computed should not depend on a few
    megabytes more or less.
    """
    config = loaded.model.config.get_text_config()

    def number(name: str, otherwise: int) -> int:
        return int(getattr(config, name, None) or otherwise)

    heads = number("num_attention_heads", 1)
    hidden = number("hidden_size", 1)
    cached = (
        2 * number("num_hidden_layers", 1) * number("num_key_value_heads", heads) * number("head_dim", hidden // heads)
    )
    of_token = cached * loaded.model.dtype.itemsize + 8 * 4 * hidden
    each = rows * (of_token * length + 3 * 4 * number("vocab_size", 1))
    fitting = max(1, int(_SHARE * free_memory(loaded.device)) // max(1, each))
    return int(min(_LARGEST.get(loaded.device.type, 32), 1 << (fitting.bit_length() - 1)))


def padded(rows: Sequence[Sequence[int]], loaded: Loaded) -> dict[str, torch.Tensor]:
    """Return ``input_ids`` and ``attention_mask`` (rows, longest), int64, filled up at the left."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([[loaded.pad] * (longest - len(row)) + list(row) for row in rows], device=loaded.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=loaded.device)
    found: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    return found
