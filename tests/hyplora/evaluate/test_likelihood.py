"""Log-likelihoods are those of the definition, whatever else is in the batch."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from embgeom import load_tokenizer
from embgeom.errors import CorpusError, ModelError
from hyplora.evaluate import Loaded, Question, Settings, Task, evaluate_task
from hyplora.evaluate.likelihood import log_likelihoods
from hyplora.prompts import Instruction, encode_pair
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def loaded(model: torch.nn.Module) -> Loaded:
    return Loaded(model, SimpleNamespace(), "tiny", None, torch.device("cpu"), 0, (2,), 64)


def definition(model: torch.nn.Module, prompt: list[int], answer: list[int]) -> float:
    """Σ log p(token | all before it), each from a run of its own over the tokens before it."""
    total = 0.0
    for place, token in enumerate(answer):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *answer[:place]]])).logits[0, -1].double()
        total += float(logits.log_softmax(-1)[token])
    return total


@pytest.mark.parametrize("kind", ["llama", "gpt2", "space", "time", "simplified"])
def test_against_the_definition_in_any_batch(kind: str) -> None:
    model = {"llama": tiny.llama, "gpt2": tiny.gpt2}.get(kind, lambda: tiny.adapted(form=kind))()
    generator = torch.Generator().manual_seed(5)
    pairs = []
    for prompt, answer in [(3, 1), (17, 4), (5, 2), (9, 1), (1, 1), (30, 6), (12, 3), (2, 5)]:
        ids = torch.randint(3, tiny.VOCABULARY, (prompt + answer,), generator=generator).tolist()
        pairs.append((ids[:prompt], ids[prompt:]))
    expected = [definition(model, *pair) for pair in pairs]
    one_by_one = [log_likelihoods(loaded(model), [pair])[0] for pair in pairs]
    assert one_by_one == pytest.approx(expected, abs=1e-5)
    assert log_likelihoods(loaded(model), pairs) == pytest.approx(one_by_one, abs=1e-5)
    assert min(abs(a - b) for a, b in itertools.pairwise(expected)) > 1e-3


def test_probabilities_of_all_answers_add_up_to_one() -> None:
    model = loaded(tiny.llama())
    everything = [([5, 6, 7], [token]) for token in range(tiny.VOCABULARY)]
    total = torch.tensor(log_likelihoods(model, everything)).exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-5)


def test_a_model_without_the_options() -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny.gpt2()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, use_cache: bool) -> object:
            places = (attention_mask.cumsum(-1) - 1).clamp(min=0)
            return self.inner(input_ids=input_ids, attention_mask=attention_mask, position_ids=places)

    pairs = [([5, 6, 7], [8, 9]), ([5], [6])]
    assert log_likelihoods(loaded(Plain()), pairs) == pytest.approx(log_likelihoods(loaded(tiny.gpt2()), pairs))


CHAT = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


@pytest.mark.parametrize(("chat", "space"), [(None, " "), (CHAT, "")])
@pytest.mark.parametrize("kind", ["label", "letter"])
def test_what_is_compared(demo: Loaded, chat: str | None, space: str, kind: str) -> None:
    """Sentences of LLM-Adapters, right after the prompt and without the token that ends them."""
    tokenizer = load_tokenizer("demo")
    tokenizer.chat_template = chat
    model = replace(demo, tokenizer=tokenizer)
    choices = ("answer1", "answer2", "answer3") if kind == "label" else ("A", "B")
    question = Question(0, Instruction("Which?"), kind, choices[1], choices)
    (found,) = evaluate_task(model, Task("t", "here", (question,), 8), Settings(scoring="likelihood"))
    prompt = "[user] Which?</s>[assistant] " if chat else "<s>Question: Which?\nAnswer:"
    sentences = [f"the correct answer is {c}" if kind == "label" else f"The answer is ({c})." for c in choices]
    pairs = [encode_pair(prompt, space + sentence, tokenizer) for sentence in sentences]
    expected = [definition(demo.model, *pair) for pair in pairs]
    assert found.log_likelihoods == pytest.approx(expected, abs=1e-4)
    assert found.extracted == choices[max(range(len(choices)), key=expected.__getitem__)]
    assert found.correct == (found.extracted == choices[1])


def test_a_chat_template_that_changes_what_is_said(demo: Loaded) -> None:
    tokenizer = load_tokenizer("demo")
    tokenizer.chat_template = CHAT.replace("m['content']", "m['content'] | upper")
    question = Question(0, Instruction("Which?"), "label", "true", ("true", "false"))
    with pytest.raises(CorpusError, match="does not repeat an answer as it is: 'the correct answer is true'"):
        evaluate_task(
            replace(demo, tokenizer=tokenizer), Task("t", "here", (question,), 8), Settings(scoring="likelihood")
        )


def test_logits_that_are_no_numbers() -> None:
    broken = tiny.llama()
    with torch.no_grad():
        broken.lm_head.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="no numbers"):
        log_likelihoods(loaded(broken), [([5], [6])])
