"""Batches: everything once and in order, halved when memory runs out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embgeom.errors import OptionError
from hyplora.evaluate import Loaded
from hyplora.evaluate.batches import in_batches, padded, starting_size


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 10))
def test_all_is_done_once_in_order_and_within_memory(sizes: list[int], memory: int) -> None:
    items = iter(range(sum(sizes)))
    batches = [[next(items) for _ in range(size)] for size in sizes]
    attempts: list[int] = []
    said: list[str] = []

    def work(batch: Sequence[int]) -> list[int]:
        attempts.append(len(batch))
        if len(batch) > memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item**2 for item in batch]

    done = list(in_batches(batches, work, said.append))
    assert [item for batch, _ in done for item in batch] == list(range(sum(sizes)))
    assert [answer for _, answers in done for answer in answers] == [item**2 for item in range(sum(sizes))]
    too_much = [size for size in attempts if size > memory]
    assert len(said) == len(too_much)
    assert all(later <= earlier // 2 for earlier, later in itertools.pairwise(too_much))
    assert too_much or [len(batch) for batch, _ in done] == sizes


def test_the_line_that_says_so() -> None:
    said: list[str] = []

    def work(batch: Sequence[int]) -> Sequence[int]:
        if len(batch) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return batch

    list(in_batches([range(8), range(8)], work, said.append))
    assert said == [
        "out of memory with a batch of 8 questions: going on with 4",
        "out of memory with a batch of 4 questions: going on with 2",
    ]


def test_one_question_that_does_not_fit() -> None:
    def work(batch: Sequence[int]) -> Sequence[int]:
        raise torch.OutOfMemoryError("no")

    with pytest.raises(OptionError, match="out of memory with a batch of one question"):
        list(in_batches([[1, 2]], work, lambda line: None))


def test_other_errors_pass() -> None:
    def work(batch: Sequence[int]) -> Sequence[int]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches([[1, 2]], work, lambda line: None))


def test_starting_size(demo: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_memory(free: int, **options: int) -> int:
        monkeypatch.setattr("hyplora.evaluate.batches.free_memory", lambda device: free)
        return starting_size(demo, **{"length": 256, **options})

    assert with_memory(2**40) == 32
    assert with_memory(0) == 1
    some = with_memory(2**26)
    assert 1 < some < 32
    assert some & (some - 1) == 0
    assert with_memory(2**26, length=512) <= some / 2
    assert with_memory(2**26, rows=4) <= some / 2


def test_padded(demo: Loaded) -> None:
    found = padded([[5, 6, 7], [8]], demo)
    assert found["input_ids"].tolist() == [[5, 6, 7], [demo.pad, demo.pad, 8]]
    assert found["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
