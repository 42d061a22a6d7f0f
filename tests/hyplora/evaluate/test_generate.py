"""Generation is greedy search, or the beam search that it is called, whatever else is in the batch."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import torch
from transformers import GenerationConfig

from hyplora.evaluate import Loaded
from hyplora.evaluate.generate import generate
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def loaded(model: torch.nn.Module, stops: tuple[int, ...] = (2,), context: int = 64) -> Loaded:
    model.generation_config = GenerationConfig()  # as load_model leaves it
    numbers = SimpleNamespace(decode=lambda ids, **_: " ".join(map(str, ids)))
    return Loaded(model, numbers, "tiny", None, torch.device("cpu"), 0, stops, context)


def greedy(model: torch.nn.Module, prompt: list[int], count: int) -> str:
    ids = list(prompt)
    for _ in range(count):
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return " ".join(map(str, ids[len(prompt) :]))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "space"])
def test_greedy_search_in_any_batch(kind: str) -> None:
    model = {"llama": tiny.llama, "gpt2": tiny.gpt2}.get(kind, lambda: tiny.adapted(form=kind))()
    prompts = [tiny.tokens(1, length, seed=length)[0].tolist() for length in (4, 11, 1, 7)]
    expected = [greedy(model, prompt, 6) for prompt in prompts]
    assert generate(loaded(model, stops=()), prompts, max_new_tokens=6) == expected
    assert [generate(loaded(model, stops=()), [prompt], max_new_tokens=6)[0] for prompt in prompts] == expected


def test_a_stop_ends_the_answer() -> None:
    model, prompt = tiny.llama(), [5, 6, 7]
    free = generate(loaded(model, stops=()), [prompt], max_new_tokens=8)[0].split()
    stop = int(free[2])
    stopped = generate(loaded(model, stops=(stop,)), [prompt], max_new_tokens=8)[0].split()
    assert stopped == free[: free.index(str(stop)) + 1]


def test_enough_beams_find_the_likeliest_answer() -> None:
    """With as many beams as tokens, two steps of beam search are an exhaustive search."""
    model, prompt = tiny.llama(), [5, 6, 7]
    with torch.no_grad():
        first = model(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
        rows = torch.tensor([[*prompt, token] for token in range(tiny.VOCABULARY)])
        second = model(input_ids=rows).logits[:, -1].log_softmax(-1)
    total = first[:, None] + second
    best = max(itertools.product(range(tiny.VOCABULARY), repeat=2), key=lambda pair: float(total[pair]))
    found = generate(loaded(model, stops=()), [prompt, [9, 4]], max_new_tokens=2, beams=tiny.VOCABULARY)
    assert found[0] == f"{best[0]} {best[1]}"


def test_the_end_of_the_context_ends_the_answer() -> None:
    found = generate(loaded(tiny.llama(), stops=(), context=10), [[5] * 7, [5] * 2], max_new_tokens=6)
    assert [len(text.split()) for text in found] == [3, 3]
