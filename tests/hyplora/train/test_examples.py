"""Token ids and labels: what is learned, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from embgeom.demo import MODEL_DIR
from embgeom.errors import CorpusError
from hyplora.prompts import Continuation, Instruction, PromptRecord, encode, render_completion, render_prompt
from hyplora.train import DataOptions
from hyplora.train.examples import IGNORED, Collator, Example, tokenize

QUESTIONS = (
    Instruction("What is 12 + 30?", "", "42"),
    Instruction("Translate.", "naïve café 東京", "Ünïcödé 🙂 done."),
    Instruction("Add:  two  spaces ", "", "\n1. a list\n2. of lines\n"),
    Continuation("def f(x):\n    return", " x + 1\n"),
    Continuation("An unfinished wo", "rd"),
    Continuation("Ends with a space ", "then goes on"),
)


@pytest.fixture(scope="module", params=["demo", "llama2", "llama3"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    if request.param == "demo":
        return AutoTokenizer.from_pretrained(MODEL_DIR)
    return AutoTokenizer.from_pretrained(request.getfixturevalue("assets") / "tokenizers" / request.param)


@pytest.fixture(scope="module")
def demo() -> Any:
    return AutoTokenizer.from_pretrained(MODEL_DIR)


def examples(tokenizer: Any, *records: PromptRecord, **options: Any) -> Any:
    def read(_: object) -> Iterator[tuple[str, PromptRecord]]:
        return ((f"record {number}", record) for number, record in enumerate(records, start=1))

    return tokenize(read, tokenizer, DataOptions(**({"cutoff": 4096} | options)))


@pytest.mark.parametrize("record", QUESTIONS, ids=lambda r: r.question[:12])
def test_the_completion_and_only_that_is_learned(tokenizer: Any, record: PromptRecord) -> None:
    prompt, completion = render_prompt(record, tokenizer), render_completion(record, tokenizer)
    (example,) = examples(tokenizer, record).examples
    batch = Collator(0)([example])
    labels = batch["labels"][0]
    learned = labels[labels != IGNORED]
    # a generation starts from the prompt's own tokens
    assert batch["input_ids"][0, : example.learned].tolist() == encode(prompt, tokenizer)
    assert learned.tolist() == example.ids[example.learned :].tolist()
    assert learned[-1] == tokenizer.eos_token_id
    # the learned tokens, after the prompt's, read as the completion does
    whole = tokenizer.decode(example.ids.tolist(), skip_special_tokens=False)
    before = tokenizer.decode(encode(prompt, tokenizer), skip_special_tokens=False)
    assert whole == before + completion
    assert example.ids[0] == tokenizer.bos_token_id
    assert (example.ids == tokenizer.bos_token_id).sum() == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(prompt=st.text(min_size=1, max_size=30), completion=st.text(min_size=1, max_size=30))
def test_no_token_crosses_the_border(demo: Any, prompt: str, completion: str) -> None:
    record = Continuation(prompt, completion)
    if not prompt.strip() or not completion.strip():
        with pytest.raises(CorpusError, match="blank"):
            examples(demo, record)
        return
    (example,) = examples(demo, record).examples
    assert example.ids[: example.learned].tolist() == encode(render_prompt(record, demo), demo)
    assert example.learned == example.prompt < len(example.ids)


def test_loss_on_everything(demo: Any) -> None:
    (example,) = examples(demo, QUESTIONS[0], loss_on="everything").examples
    batch = Collator(0)([example])
    assert torch.equal(batch["labels"][0, : len(example.ids)], batch["input_ids"][0, : len(example.ids)])


def test_cut_off(demo: Any) -> None:
    record = QUESTIONS[0]
    (whole,) = examples(demo, record).examples
    length = len(whole.ids)
    for cutoff in range(2, length + 2):
        if cutoff <= whole.learned:
            with pytest.raises(
                CorpusError, match=f"the cut-off of {cutoff} tokens leaves nothing of the completion of 1"
            ):
                examples(demo, record, cutoff=cutoff)
            continue
        found = examples(demo, record, cutoff=cutoff)
        assert found.examples[0].ids.tolist() == whole.ids[:cutoff].tolist()
        assert (found.truncated, found.cut_off) == (int(cutoff < length), 0)
    found = examples(demo, record, Instruction("word " * 200, "", "x"), cutoff=length)
    assert (len(found.examples), found.cut_off) == (1, 1)


def test_records_without_output(demo: Any) -> None:
    records = (QUESTIONS[0], Instruction("A question?", "", " "), Continuation("Text", ""), QUESTIONS[1])
    with pytest.raises(CorpusError, match=r"^record 2: the output is blank$"):
        examples(demo, *records)
    found = examples(demo, *records, skip_bad=True)
    assert (len(found.examples), found.skipped) == (2, 2)
    assert found.first_skipped == "record 2: the output is blank"
    with pytest.raises(CorpusError, match="no records to learn from: 2 cannot be used, the first because: record 1"):
        examples(demo, *records[1:3], skip_bad=True)


@given(
    st.lists(
        st.integers(2, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))), min_size=1, max_size=6
    ),
    st.sampled_from([1, 8]),
)
def test_batches(sizes: list[tuple[int, int]], multiple: int) -> None:
    import numpy as np

    rows = [Example(np.arange(5, 5 + length, dtype=np.int32), learned, learned) for length, learned in sizes]
    batch = Collator(3, multiple)(rows)
    width = batch["input_ids"].shape[1]
    assert width % multiple == 0
    assert width - max(length for length, _ in sizes) < multiple
    for row, (length, learned) in enumerate(sizes):
        assert batch["attention_mask"][row].tolist() == [1] * length + [0] * (width - length)
        assert batch["input_ids"][row].tolist() == [*range(5, 5 + length), *[3] * (width - length)]
        assert batch["labels"][row].tolist() == (
            [IGNORED] * learned + list(range(5 + learned, 5 + length)) + [IGNORED] * (width - length)
        )


def test_the_chat_template_is_used(demo: Any, tmp_path: Path) -> None:
    demo.save_pretrained(tmp_path)
    chatty = AutoTokenizer.from_pretrained(tmp_path)
    chatty.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    (example,) = examples(chatty, QUESTIONS[0]).examples
    assert chatty.decode(example.ids.tolist()) == "<s>[user]What is 12 + 30?</s>[assistant]42</s>"
    assert chatty.decode(example.ids[example.learned :].tolist()) == "42</s>"
    (plain,) = examples(chatty, QUESTIONS[0], template="plain").examples
    assert chatty.decode(plain.ids.tolist()) == "<s>Question: What is 12 + 30?\nAnswer: 42</s>"
