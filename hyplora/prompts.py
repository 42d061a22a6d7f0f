"""Records and the texts that a model is given of them: the same in training and in evaluation.

A rendered text is the whole truth: it has every special token in it, the BOS of a plain text as well as the marks of a
chat. So it is encoded *without* adding any (:func:`encode`, :func:`encode_pair`), and none comes twice.

Templates (:data:`TEMPLATES`):

``auto``
    The model's own chat template where its tokenizer has one, ``plain`` otherwise.
``plain``
    ``Question: …`` and ``Answer:`` on two lines. Short, because a small model's context and attention are short; close
    to what models have read in texts; and it ends without a space, so that the answer begins with the token
    ``" The"``, which is how tokenizers cut running text.
``alpaca``
    The wording of Stanford Alpaca, "Below is an instruction that describes a task. …", which the code of *Hyperbolic
    Fine-Tuning for Large Language Models* (arXiv 2410.04010) has for Llama 3: as the user's turn where the tokenizer
    has a chat template, as a text otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embgeom.errors import CorpusError, ModelError, choose, first_line

__all__ = [
    "TEMPLATES",
    "Chat",
    "Continuation",
    "Instruction",
    "PromptRecord",
    "cut",
    "encode",
    "encode_pair",
    "read_record",
    "render_completion",
    "render_prompt",
    "uses_chat_template",
]

TEMPLATES = ("auto", "plain", "alpaca")

_ALPACA = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
_ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class Instruction:
    """A record of the fields ``instruction``, ``input``, ``output`` and, where it is known, ``answer``."""

    instruction: str
    input: str = ""
    output: str = ""
    answer: str | None = None

    @property
    def question(self) -> str:
        """The instruction, with its input below."""
        return "\n\n".join(part for part in (self.instruction.strip(), self.input.strip()) if part)


@dataclass(frozen=True)
class Continuation:
    """A record of the fields ``prompt`` and ``completion``: texts as they stand, under no template."""

    prompt: str
    completion: str = ""

    @property
    def question(self) -> str:
        """The prompt."""
        return self.prompt


@dataclass(frozen=True)
class Chat:
    """A record of the field ``messages``: pairs of role and content; the last, the assistant's, is the completion."""

    messages: tuple[tuple[str, str], ...]

    @property
    def question(self) -> str:
        """What the user says, all turns."""
        return "\n\n".join(content for role, content in self.messages if role == "user")


PromptRecord = Instruction | Continuation | Chat


def read_record(fields: Mapping[str, Any], place: str = "record") -> PromptRecord:
    """Return the record that a line of a file is, told by the names of its fields.

    Parameters
    ----------
    fields : mapping
        With ``messages``, or ``prompt`` and ``completion``, or ``instruction`` (or ``question``), ``input``, ``output``
        and ``answer``. An output may be empty: a question can be asked all the same.
    place : str
        What to call the record in an error.

    Raises
    ------
    CorpusError
        It is none of the three, or a field does not hold text.
    """
    if not isinstance(fields, Mapping):
        raise CorpusError(f"{place} is no object with named fields")
    if fields.get("messages") is not None:
        return Chat(_messages(fields["messages"], place))
    if "prompt" in fields:
        if isinstance(fields["prompt"], list):  # conversational prompt and completion, as TRL has them
            completion = fields.get("completion") or []
            if not isinstance(completion, list):
                raise CorpusError(f"{place}: the prompt is a list of messages, so the completion must be one, too")
            return Chat(_messages([*fields["prompt"], *completion], place))
        return Continuation(_text(fields, "prompt", place), _text(fields, "completion", place, optional=True))
    for name in ("instruction", "question"):
        if name in fields:
            answer = fields.get("answer")
            return Instruction(
                _text(fields, name, place),
                _text(fields, "input", place, optional=True),
                _text(fields, "output", place, optional=True),
                None if answer is None else str(answer),
            )
    raise CorpusError(
        f"{place}: expected the fields instruction (input, output), prompt and completion, or messages; "
        f"it has: {', '.join(map(str, fields)) or 'none'}"
    )


def uses_chat_template(tokenizer: Any, template: str = "auto") -> bool:
    """Return whether prompts go through the tokenizer's own chat template."""
    choose("template", template, TEMPLATES)
    return template != "plain" and bool(getattr(tokenizer, "chat_template", None))


def render_prompt(record: PromptRecord, tokenizer: Any, *, template: str = "auto") -> str:
    """Return the text that the model is to continue, special tokens included; encode it with :func:`encode`.

    Raises
    ------
    CorpusError
        The prompt is blank, or the model's chat template refuses it.
    OptionError
        ``template`` is not one of :data:`TEMPLATES`.
    """
    chat = uses_chat_template(tokenizer, template)
    if not record.question.strip():
        raise CorpusError("the prompt is blank")
    if isinstance(record, Continuation):
        return _bos(tokenizer) + record.prompt
    turns = _turns(record, template)[:-1]
    if chat:
        return _apply(tokenizer, turns, add_generation_prompt=True)
    return _bos(tokenizer) + _plain(turns, template)


def render_completion(record: PromptRecord, tokenizer: Any, *, template: str = "auto") -> str:
    """Return the text that follows :func:`render_prompt`'s in training, up to and with the token that ends it.

    Raises
    ------
    CorpusError
        There is no output, or the model's chat template refuses it.
    ModelError
        The tokenizer has no EOS token, so nothing would say that the answer is over.
    """
    if isinstance(record, Continuation):
        if not record.completion.strip():
            raise CorpusError("the completion is blank")
        return record.completion + _eos(tokenizer)
    turns = _turns(record, template)
    content = turns[-1]["content"]
    if not content:
        raise CorpusError("the output is blank")
    if not uses_chat_template(tokenizer, template):
        return (" " if template != "alpaca" else "") + content + _eos(tokenizer)
    prompt = _apply(tokenizer, turns[:-1], add_generation_prompt=True)
    whole = _apply(tokenizer, turns, add_generation_prompt=False)
    # A template may write a past turn otherwise than it asks for a new one (thinking that is left out, for instance).
    completion = whole[len(prompt) :] if whole.startswith(prompt) else content
    return completion if completion.strip() != content else content + _eos(tokenizer)


def encode(text: str, tokenizer: Any) -> list[int]:
    """Return the token ids of a rendered text, no special token added to those in it."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def encode_pair(prompt: str, completion: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the token ids of a rendered prompt, exactly those of :func:`encode`, and of what follows it.

    Both are encoded as one text, which gives the completion the tokens that it has in running text; where a token
    would lie across the border, the completion is encoded by itself, because a generation starts from the prompt's own
    tokens.
    """
    before = encode(prompt, tokenizer)
    whole = encode(prompt + completion, tokenizer)
    if whole[: len(before)] == before:
        return before, whole[len(before) :]
    # By itself, but not at the start of a text, where SentencePiece would put a space before it.
    line, after = encode("\n", tokenizer), encode("\n" + completion, tokenizer)
    return before, after[len(line) :] if after[: len(line)] == line else encode(completion, tokenizer)


def cut(completion: str, tokenizer: Any, *, template: str = "auto") -> str:
    """Return a generated text up to where it begins a plain template anew, as untrained models do."""
    if not uses_chat_template(tokenizer, template):
        completion = completion.partition("\n### Instruction:" if template == "alpaca" else "\nQuestion:")[0]
    return completion.strip()


def _turns(record: Instruction | Chat, template: str) -> list[dict[str, str]]:
    """Return the messages, of which the last is the assistant's: blank where there is no output."""
    if isinstance(record, Chat):
        messages = record.messages
        if messages[-1][0] != "assistant":
            messages = (*messages, ("assistant", ""))
    else:
        messages = (("user", record.question), ("assistant", record.output.strip()))
    if template == "alpaca":
        messages = tuple((role, _alpaca(text) if role == "user" else text) for role, text in messages)
    return [{"role": role, "content": text} for role, text in messages]


def _alpaca(question: str) -> str:
    return f"{_ALPACA}\n\n### Instruction:\n{question}\n\n### Response:\n"


def _plain(turns: Sequence[Mapping[str, str]], template: str) -> str:
    """Return a conversation as a text that ends where the assistant is to speak."""
    text = ""
    for turn in turns:
        if turn["role"] == "user":
            text += turn["content"] if template == "alpaca" else f"Question: {turn['content']}\nAnswer:"
        elif turn["role"] == "assistant":
            text += ("" if template == "alpaca" else " ") + turn["content"] + "\n\n"
        else:
            text += turn["content"] + "\n\n"
    return text


def _apply(tokenizer: Any, turns: Sequence[Mapping[str, str]], *, add_generation_prompt: bool) -> str:
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
    except Exception as error:  # whatever the template, a program of its own, raises: roles that do not alternate, ...
        raise CorpusError(f"the model's chat template refuses the messages ({first_line(error)})") from None
    return text


def _bos(tokenizer: Any) -> str:
    """Return the BOS token if the tokenizer puts one before a text of its own accord."""
    first = tokenizer("")["input_ids"][:1]
    return tokenizer.bos_token if tokenizer.bos_token is not None and first == [tokenizer.bos_token_id] else ""


def _eos(tokenizer: Any) -> str:
    if tokenizer.eos_token is None:
        raise ModelError(
            f"model {tokenizer.name_or_path!r}: its tokenizer has no EOS token, which ends an answer; "
            "set eos_token in its tokenizer_config.json"
        )
    token: str = tokenizer.eos_token
    return token


def _text(fields: Mapping[str, Any], name: str, place: str, *, optional: bool = False) -> str:
    value = fields.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise CorpusError(f"{place}: the field {name!r} is to hold text, not {json.dumps(value, default=str)[:60]}")
    return value


def _messages(value: Any, place: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise CorpusError(f"{place}: messages are to be a list of objects with role and content, and not empty")
    messages: list[tuple[str, str]] = []
    for number, message in enumerate(value, start=1):
        where = f"{place}: message {number}"
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise CorpusError(f"{where} is to have a role ({', '.join(_ROLES)}) and a content")
        content = _text(message, "content", where)
        messages.append((message["role"], content.strip()))
    return tuple(messages)
