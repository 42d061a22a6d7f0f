"""Prompts are what a model is to see: each special token once, and the same in training and in evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embgeom import load_tokenizer
from embgeom.errors import CorpusError, InputError, ModelError, OptionError
from hyplora.prompts import (
    TEMPLATES,
    Chat,
    Continuation,
    Instruction,
    cut,
    encode,
    encode_pair,
    read_record,
    render_completion,
    render_prompt,
    uses_chat_template,
)

SUM = Instruction("What is 2 + 3?", "", "The answer is 5.", "5")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_BOS = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m['role'] }}] {{ m['content'] | trim }} {% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"
)


def tokenizer(template: str | None = None, model: str | Path = "demo") -> Any:
    found = load_tokenizer(model)
    found.chat_template = template
    return found


def test_plain() -> None:
    plain = tokenizer()
    assert render_prompt(SUM, plain) == "<s>Question: What is 2 + 3?\nAnswer:"
    assert render_completion(SUM, plain) == " The answer is 5.</s>"
    assert encode(render_prompt(SUM, plain), plain) == plain("Question: What is 2 + 3?\nAnswer:")["input_ids"]


def test_alpaca_is_worded_as_in_the_code_of_the_paper() -> None:
    plain = tokenizer()
    assert render_prompt(SUM, plain, template="alpaca") == (
        "<s>Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\nWhat is 2 + 3?\n\n### Response:\n"
    )
    assert render_completion(SUM, plain, template="alpaca") == "The answer is 5.</s>"
    chat = tokenizer(CHATML)
    prompt = render_prompt(SUM, chat, template="alpaca")
    assert prompt.startswith("<|im_start|>user\nBelow is an instruction")
    assert prompt.endswith("### Response:\n<|im_end|>\n<|im_start|>assistant\n")


def test_the_chat_template_of_the_model() -> None:
    chat = tokenizer(CHATML)
    assert uses_chat_template(chat)
    assert render_prompt(SUM, chat) == "<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\n"
    assert render_completion(SUM, chat) == "The answer is 5.<|im_end|>\n"
    assert not uses_chat_template(chat, "plain")
    assert render_prompt(SUM, chat, template="plain") == render_prompt(SUM, tokenizer())


@pytest.mark.parametrize("template", [None, WITH_BOS])
@pytest.mark.parametrize("name", TEMPLATES)
def test_bos_and_eos_come_once(template: str | None, name: str) -> None:
    made = tokenizer(template)
    prompt, completion = render_prompt(SUM, made, template=name), render_completion(SUM, made, template=name)
    before, after = encode_pair(prompt, completion, made)
    ids = before + after
    assert (ids.count(made.bos_token_id), ids.count(made.eos_token_id)) == (1, 1)
    assert (ids[0], ids[-1]) == (made.bos_token_id, made.eos_token_id)


def test_a_chat_template_that_does_not_end_the_turn_gets_an_eos() -> None:
    endless = tokenizer("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    assert render_completion(SUM, endless) == "The answer is 5.</s>"


def test_a_chat_template_that_writes_past_turns_otherwise() -> None:
    thinking = tokenizer(CHATML.replace("assistant\n{% endif %}", "assistant\n<think>{% endif %}"))
    assert render_prompt(SUM, thinking).endswith("<think>")
    assert render_completion(SUM, thinking) == "The answer is 5.</s>"


def test_no_bos_where_the_tokenizer_adds_none(minilm: Path) -> None:
    other = load_tokenizer(minilm)  # its [CLS] is no BOS
    other.bos_token = None
    assert render_prompt(SUM, other).startswith("Question: ")


@pytest.mark.parametrize("model", ["stories260k", "babyllama105"])
def test_other_tokenizers(assets: Path, model: str) -> None:
    made = tokenizer(model=assets / "models" / model)
    prompt, completion = render_prompt(SUM, made), render_completion(SUM, made)
    before, after = encode_pair(prompt, completion, made)
    assert before == made("Question: What is 2 + 3?\nAnswer:")["input_ids"]
    assert before + after == [*made("Question: What is 2 + 3?\nAnswer: The answer is 5.")["input_ids"], 2]


def test_llama3(assets: Path) -> None:
    made = tokenizer(model=assets / "tokenizers" / "llama3")
    before, after = encode_pair(render_prompt(SUM, made), render_completion(SUM, made), made)
    assert made.decode(after[0]) == " The"
    assert before[0] == made.bos_token_id
    assert before.count(made.bos_token_id) == 1


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_prompt_has_the_tokens_of_a_generation(prompt: str, completion: str) -> None:
    made = tokenizer()
    before, after = encode_pair(prompt, completion, made)
    assert before == encode(prompt, made)
    whole = encode(prompt + completion, made)
    assert before + after == whole or after == encode(completion, made)


def test_chat_records() -> None:
    talk = Chat((("system", "Be brief."), ("user", "2 + 3?"), ("assistant", "5"), ("user", "+ 1?"), ("assistant", "6")))
    plain = tokenizer()
    assert render_prompt(talk, plain) == ("<s>Be brief.\n\nQuestion: 2 + 3?\nAnswer: 5\n\nQuestion: + 1?\nAnswer:")
    assert render_completion(talk, plain) == " 6</s>"
    chat = tokenizer(CHATML)
    assert render_prompt(talk, chat) + render_completion(talk, chat) == chat.apply_chat_template(
        [{"role": role, "content": content} for role, content in talk.messages], tokenize=False
    )
    assert talk.question == "2 + 3?\n\n+ 1?"


def test_a_chat_that_ends_with_the_user_can_be_asked_but_not_trained_on() -> None:
    asked = Chat((("user", "2 + 3?"),))
    assert render_prompt(asked, tokenizer()) == "<s>Question: 2 + 3?\nAnswer:"
    with pytest.raises(CorpusError, match="the output is blank"):
        render_completion(asked, tokenizer())


def test_continuations_stand_as_they_are() -> None:
    text = Continuation("Once upon ", "a time")
    chat = tokenizer(CHATML)
    assert render_prompt(text, chat) == "<s>Once upon "
    assert render_completion(text, chat) == "a time</s>"


def test_the_input_stands_below_the_instruction() -> None:
    assert render_prompt(Instruction("Sum.", "2, 3"), tokenizer()) == "<s>Question: Sum.\n\n2, 3\nAnswer:"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"instruction": "a", "input": "", "output": "b", "answer": 7}, Instruction("a", "", "b", "7")),
        ({"question": "a"}, Instruction("a")),
        ({"instruction": "a", "input": None, "output": None}, Instruction("a")),
        ({"prompt": "a", "completion": "b"}, Continuation("a", "b")),
        (
            {"messages": [{"role": "user", "content": " a "}, {"role": "assistant", "content": "b"}]},
            Chat((("user", "a"), ("assistant", "b"))),
        ),
        (
            {"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]},
            Chat((("user", "a"), ("assistant", "b"))),
        ),
    ],
)
def test_read_record(fields: dict[str, Any], expected: object) -> None:
    assert read_record(fields) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "a"}, "expected the fields instruction .*; it has: text"),
        ({}, "it has: none"),
        ("a", "no object"),
        ({"instruction": 3}, "'instruction' is to hold text, not 3"),
        ({"prompt": "a", "completion": ["b"]}, "'completion' is to hold text"),
        ({"messages": []}, "not empty"),
        ({"prompt": [{"role": "user", "content": "a"}], "completion": 5}, "the completion must be one, too"),
        ({"messages": "hello"}, "list of objects"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "message 1 is to have a role"),
        ({"messages": [{"role": "user"}]}, "message 1: the field 'content' is to hold text, not null"),
    ],
)
def test_records_that_are_none(fields: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as error:
        read_record(fields, "line 4")
    assert str(error.value).startswith("line 4")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("record", [Instruction("  "), Continuation(""), Chat((("assistant", "a"),))])
def test_blank_prompts(record: Any) -> None:
    with pytest.raises(CorpusError, match="the prompt is blank"):
        render_prompt(record, tokenizer())


def test_blank_outputs() -> None:
    for record in (Instruction("a", "", " \n"), Continuation("a", " ")):
        with pytest.raises(CorpusError, match="is blank"):
            render_completion(record, tokenizer())


def test_what_a_tokenizer_lacks_or_refuses() -> None:
    nameless = tokenizer()
    nameless.eos_token = None
    with pytest.raises(ModelError, match=r"no EOS token.*tokenizer_config.json"):
        render_completion(SUM, nameless)
    with pytest.raises(CorpusError, match=r"chat template refuses the messages \(no system role"):
        render_prompt(Chat((("system", "a"), ("user", "b"))), tokenizer(WITH_BOS))
    with pytest.raises(OptionError, match="unknown template 'chatml'"):
        render_prompt(SUM, tokenizer(), template="chatml")
    assert issubclass(CorpusError, InputError)


def test_cut() -> None:
    plain, chat = tokenizer(), tokenizer(CHATML)
    assert cut(" 5.\nQuestion: What is 7?\nAnswer: 7", plain) == "5."
    assert cut("Question: is it 5?\nYes", plain) == "Question: is it 5?\nYes"
    assert cut(" 5\n\n### Instruction:\nmore 7", plain, template="alpaca") == "5"
    assert cut("Let me see.\nQuestion: what is asked? 5", chat) == "Let me see.\nQuestion: what is asked? 5"
