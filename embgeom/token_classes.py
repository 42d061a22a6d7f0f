"""What kind of token each id is: a word's start or its continuation, digits, punctuation, a byte, …; and its text.

How a vocabulary writes a token is said by the decoder of its tokenizer, which turns tokens back into text: ``Ġ`` for
the bytes of a space (GPT-2, Llama 3), ``▁`` for a space (SentencePiece: Llama 2, T5), ``##`` for the continuation of
a word (WordPiece: BERT), ``</w>`` for the end of one (CLIP), ``<0x0A>`` for a byte that no token writes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

__all__ = ["CLASSES", "readable_tokens", "token_classes", "token_texts"]

CLASSES = (
    "word-start",
    "continuation",
    "letters",
    "digits",
    "punctuation",
    "whitespace",
    "byte",
    "special",
    "other",
)
"""The classes of tokens; :func:`token_classes` says what each of them is."""

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
# Places that a vocabulary keeps for special tokens to come, which not every tokenizer calls special.
_RESERVED = re.compile(r"\[unused_?\d+\]|<(unused|reserved|extra_id)_?\d+>|<\|[^|]+\|>")


def token_texts(tokenizer: Any, ids: Iterable[int] | None = None) -> list[str | None]:
    """Return each token as the vocabulary writes it: the string that is the key of ``tokenizer.get_vocab()``.

    Nothing is lost: different ids have different strings, every string is valid Unicode, and from it the tokenizer can
    tell what the token stands for. Decoded text would lose both the mark of a word's start and the tokens that are
    part of a UTF-8 character only (``Ã``, a byte-level token, stands for the byte 0xC3).

    Parameters
    ----------
    tokenizer
        Of transformers, fast or slow.
    ids : iterable of int, optional
        By default all from 0 up to ``len(tokenizer)``.

    Returns
    -------
    list of str or None
        None for an id that has no token.
    """
    ids = range(len(tokenizer)) if ids is None else ids
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return [backend.id_to_token(int(number)) for number in ids]
    texts = {number: token for token, number in tokenizer.get_vocab().items()}
    return [texts.get(int(number)) for number in ids]


def token_classes(tokenizer: Any, ids: Iterable[int] | None = None) -> list[str | None]:
    """Tell of which class (:data:`CLASSES`) each token is.

    - ``special``: special for the tokenizer, or kept for a special token to come (``[unused7]``, ``<|reserved_1|>``);
    - ``byte``: a byte-fallback token (``<0x0A>``), or bytes that are no whole UTF-8 characters;
    - ``whitespace``: nothing else;
    - ``digits``: numerals only, of any script, with or without a space before;
    - ``punctuation``: punctuation and symbols only (emoji too), with or without a space before or after;
    - ``word-start``: has letters, and is marked as the start of a word (``Ġthe``, ``▁the``; WordPiece: no ``##``);
    - ``continuation``: has letters and is not marked so, which includes the first word of a line where a vocabulary
      marks the space before a word, and a word behind a bracket (``(get``);
    - ``letters``: has letters, in a vocabulary that does not mark words' starts: one of single characters, or one that
      marks their ends;
    - ``other``: the rest, such as ``1.`` and control characters.

    Parameters
    ----------
    tokenizer
        Of transformers, fast or slow.
    ids : iterable of int, optional
        By default all from 0 up to ``len(tokenizer)``.

    Returns
    -------
    list of str or None
        None for an id that has no token.
    """
    numbers = list(range(len(tokenizer)) if ids is None else map(int, ids))
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special = {*tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}
    writing = _Writing.of(tokenizer)
    classes: list[str | None] = []
    for number, token in zip(numbers, token_texts(tokenizer, numbers), strict=True):
        if token is None:
            classes.append(None)
        elif number in special or _RESERVED.fullmatch(token):
            classes.append("special")
        else:
            classes.append(writing.class_of(token, plain=number in added))
    return classes


def readable_tokens(tokens: Sequence[str], classes: Sequence[str]) -> list[str]:
    r"""Return the text that each token of a vocabulary stands for, as it can be told without its tokenizer.

    That of ``Ġthe`` is a space and ``the``. How the vocabulary writes a space, or the continuation of a word, is told
    from the commonest mark. Different tokens may have one text; bytes that are no text are shown by their numbers
    (``\xc3``).

    Parameters
    ----------
    tokens, classes : sequence of str
        All tokens, as :func:`token_texts` and :func:`token_classes` give them. Special tokens are left as they are.

    Returns
    -------
    list of str
    """
    writing = _Writing(tokens, **_commonest_mark(tokens))
    mark = writing.continuation

    def text_of(token: str, of_class: str) -> str:
        if of_class == "special":
            return token
        text = writing.decoded(token)
        if text is None:
            return bytes(map(_BYTE_OF.__getitem__, token)).decode(errors="backslashreplace")
        return text.removeprefix(mark) if mark is not None and text != mark else text

    return [text_of(*pair) for pair in zip(tokens, classes, strict=True)]


@dataclass(frozen=True)
class _Writing:
    """How a vocabulary writes its tokens.

    Attributes
    ----------
    vocabulary : sequence of str
    byte_level : bool
        Whether each character stands for a byte.
    space : str or None
        What stands for a space; None: a space.
    continuation, word_end : str or None
        The mark before a token that continues a word, and behind one that ends it.
    whole_words : bool
        Whether every token is a word.
    """

    vocabulary: Sequence[str]
    byte_level: bool = False
    space: str | None = None
    continuation: str | None = None
    word_end: str | None = None
    whole_words: bool = False

    @classmethod
    def of(cls, tokenizer: Any) -> _Writing:
        """Read it from the decoder of a fast tokenizer; where that says nothing, from the vocabulary."""
        vocabulary = list(tokenizer.get_vocab())
        backend = getattr(tokenizer, "backend_tokenizer", None)
        steps = _decoder_steps(backend)
        found: dict[str, Any] = {}
        for step in steps:
            match step:
                case {"type": "ByteLevel"}:
                    found["byte_level"] = True
                case {"type": "WordPiece", "prefix": mark}:
                    found["continuation"] = mark
                case {"type": "Metaspace", "replacement": mark} | {
                    "type": "Replace",
                    "pattern": {"String": mark},
                    "content": " ",
                }:
                    found["space"] = mark
                case {"type": "BPEDecoder", "suffix": mark}:
                    found["word_end"] = mark
        model = getattr(backend, "model", None)
        if suffix := getattr(model, "end_of_word_suffix", None):
            found["word_end"] = suffix
        if not found and type(model).__name__ == "WordLevel":
            found["whole_words"] = True
        return cls(vocabulary, **(found or _commonest_mark(vocabulary)))

    def class_of(self, token: str, *, plain: bool) -> str:
        """Return the class of a token that is not special; ``plain``: added later, not encoded byte by byte."""
        if _BYTE.fullmatch(token) and not self.byte_level:
            return "byte"
        text = token if plain and self.byte_level else self.decoded(token)
        if text is None:
            return "byte"
        continues = self.continuation is not None and text.startswith(self.continuation) and text != self.continuation
        body = (text[len(self.continuation or "") :] if continues else text).strip()
        kind = _kind(body) if body else ("whitespace" if text else "other")
        if kind != "letters":
            return kind
        if self.continuation is not None or self.whole_words:
            return "continuation" if continues else "word-start"
        if not self.marks_starts:
            return "letters"
        return "word-start" if text[0].isspace() else "continuation"

    def decoded(self, token: str) -> str | None:
        """Return the text that a token stands for; None for bytes that are no text."""
        if self.word_end and token.endswith(self.word_end):
            token = token[: -len(self.word_end)]
        if not self.byte_level:
            return token.replace(self.space, " ") if self.space else token
        try:
            return bytes(map(_BYTE_OF.__getitem__, token)).decode()
        except UnicodeDecodeError:
            return None
        except KeyError:  # a token that is written as it is
            return token

    @cached_property
    def marks_starts(self) -> bool:
        """Whether any token joins a space and the letters behind it."""
        space = "Ġ" if self.byte_level else self.space or " "
        return any(token[0] == space and token[1:2].isalpha() for token in self.vocabulary if len(token) > 1)


def _decoder_steps(backend: Any) -> list[dict[str, Any]]:
    decoder = getattr(backend, "decoder", None)
    if decoder is None:
        return []
    description: dict[str, Any] = json.loads(decoder.__getstate__())
    steps: list[dict[str, Any]] = description.get("decoders", [description])
    return steps


def _commonest_mark(vocabulary: Sequence[str]) -> dict[str, Any]:
    """Guess from how the tokens begin; a mark that a hundredth of them have is none by chance."""
    marks: dict[str, dict[str, Any]] = {
        "Ġ": {"byte_level": True},
        "▁": {"space": "▁"},
        "##": {"continuation": "##"},
    }
    shares = {mark: sum(map(str.startswith, vocabulary, [mark] * len(vocabulary))) for mark in marks}
    mark = max(shares, key=shares.__getitem__)
    return marks[mark] if shares[mark] > 0.01 * len(vocabulary) else {}


def _kind(text: str) -> str:
    """Return letters, digits, punctuation or other, of a text that is not empty."""
    if text.isalpha():
        return "letters"
    kinds = {unicodedata.category(character)[0] for character in text}
    if kinds & {"L", "M"}:
        return "letters"
    kinds -= {"Z", "C"}  # spaces between, and what joins the parts of an emoji
    if kinds == {"N"}:
        return "digits"
    return "punctuation" if kinds and kinds <= {"P", "S"} else "other"


def _bytes_by_character() -> dict[str, int]:
    """Return which byte each character of a byte-level vocabulary stands for.

    The printable characters of Latin-1 stand for themselves; the other bytes, in order, are written from U+0100 on
    (Radford et al. 2019, *Language Models are Unsupervised Multitask Learners*, and its released encoder).
    """
    themselves = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(themselves))
    return {chr(byte): byte for byte in themselves} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTE_OF = _bytes_by_character()
