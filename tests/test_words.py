"""A word is the token that running text has for it, whatever the tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from embgeom.errors import OptionError, PointsError
from embgeom.words import AFTER_PUNCTUATION, norms_of, word_tokens
from tests.hierarchy.planted import byte_tokenizer, embeddings_of, word_tokenizer


def tokens(tokenizer: Any, words: list[str], **options: str) -> dict[str, str]:
    found = word_tokens(tokenizer, words, **options).found
    return {word: tokenizer.convert_ids_to_tokens(number) for word, number in found.items()}


def test_byte_level_takes_the_form_after_a_space() -> None:
    tokenizer = byte_tokenizer([("Ġ", "d"), ("d", "o"), ("do", "g"), ("Ġd", "o"), ("Ġdo", "g"), ("Ġ", "7")])
    assert tokens(tokenizer, ["dog", "7", "8"]) == {"dog": "Ġdog", "7": "Ġ7", "8": "8"}
    assert tokens(tokenizer, ["dog", "7", "8"], context=AFTER_PUNCTUATION) == {"dog": "dog", "7": "7", "8": "8"}
    assert word_tokens(tokenizer, ["dogs", "dog"]).split == {"dogs": ("Ġdog", "s")}


def test_a_token_that_holds_two_words_is_neither_of_them() -> None:
    tokenizer = byte_tokenizer([("a", "Ġ"), ("aĠ", "x")], across_words=True)
    assert word_tokens(tokenizer, ["x", "y"]).found == {}
    assert word_tokens(tokenizer, ["x"]).split == {"x": ("aĠx",)}


def test_unknown_words_are_not_found() -> None:
    result = word_tokens(word_tokenizer(["dog"]), ["dog", "cat"])
    assert result.found == {"dog": 3}
    assert result.split == {"cat": ("[UNK]",)}
    assert word_tokens(word_tokenizer(["dog"]), []).found == {}


@pytest.mark.parametrize(
    ("folder", "expected", "split"),
    [
        (
            "tokenizers/llama2",
            {"to": "▁to", "dog": "▁dog", "7": "7"},
            {"380": ("3", "8", "0"), "banana": ("▁ban", "ana")},
        ),
        ("tokenizers/llama3", {"to": "Ġto", "dog": "Ġdog", "7": "7", "380": "380"}, {"wasp": ("Ġwas", "p")}),
        ("models/stories260k", {"to": "▁to", "7": "7"}, {"dog": ("▁do", "g")}),
        ("models/babyllama105", {"a": "a", "7": "7"}, {"to": ("t", "o")}),
    ],
)
def test_real_tokenizers(assets: Path, folder: str, expected: dict[str, str], split: dict[str, Any]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(assets / folder))
    assert tokens(tokenizer, [*expected, *split]) == expected
    assert word_tokens(tokenizer, list(split)).split == split


def test_wordpiece(minilm: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(minilm))
    assert tokens(tokenizer, ["to", "7", "380", "tulip"]) == {"to": "to", "7": "7", "380": "380"}
    assert word_tokens(tokenizer, ["tulip"]).split == {"tulip": ("tu", "##lip")}
    assert word_tokens(tokenizer, ["☃"]).split == {"☃": ("[UNK]",)}


@pytest.mark.parametrize(("word", "message"), [("  ", "blank"), ("", "blank"), ("\ud83d", "surrogate")])
def test_what_is_no_word(word: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        word_tokens(word_tokenizer(["dog"]), [word])


def test_norms() -> None:
    embeddings = embeddings_of(word_tokenizer(["dog", "cat"]), {"dog": 3.0, "cat": 4.0})
    assert norms_of(embeddings, [4, 3, 4]) == pytest.approx([4, 3, 4])
    assert norms_of(embeddings, []).shape == (0,)
    embeddings.matrix[3] = torch.nan
    assert norms_of(embeddings, [4]) == pytest.approx([4])
    with pytest.raises(PointsError, match="token id 3"):
        norms_of(embeddings, [3, 4])
    with pytest.raises(PointsError, match="no row"):
        norms_of(embeddings, [99])
    assert norms_of(embeddings, np.array([4])).dtype == np.float64
