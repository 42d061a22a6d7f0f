"""What each token is, in every way that vocabularies write tokens."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from embgeom.embeddings import load_tokenizer
from embgeom.token_classes import CLASSES, token_classes, token_texts


def wrapped(backend: Tokenizer, **options: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=backend, **options)


def numbered(*tokens: str) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def classes_by_token(tokenizer: Any) -> dict[str | None, str | None]:
    texts = token_texts(tokenizer)
    assert len(set(texts)) == len(texts) == len(tokenizer)
    return dict(zip(texts, token_classes(tokenizer), strict=True))


def byte_level(*tokens: str) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE(vocab=numbered(*tokens), merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    return wrapped(backend)


def sentencepiece(*tokens: str) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE(vocab=numbered(*tokens), merges=[], byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return wrapped(backend)


# ---------------------------------------------------------------- small vocabularies


def test_byte_level() -> None:
    # Ġ is a space and Ċ a line feed; é is the two bytes Ã©, 中 the three bytes ä¸Ń, 🙂 four bytes.
    tokenizer = byte_level(
        *("Ġthe", "the", "ĊThe", "Ã©", "Ġä¸Ń", "(get"),
        *("Ġ42", "7", "Û´Û²", "Â²", "Ġ", "ĊĊ", "ĉ", "Ġ,", ",Ċ", "ðŁĻĤ", "âĤ¬"),
        *("Ã", "Ġä¸", "ðŁ", "1.", "Ā", "xÂ²"),
    )
    tokenizer.add_tokens(["ab cd", AddedToken("   ", normalized=False)])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<call>"]})
    assert classes_by_token(tokenizer) == {
        "Ġthe": "word-start", "the": "continuation", "ĊThe": "word-start", "Ã©": "continuation",
        "Ġä¸Ń": "word-start", "(get": "continuation",
        "Ġ42": "digits", "7": "digits", "Û´Û²": "digits", "Â²": "digits",
        "Ġ": "whitespace", "ĊĊ": "whitespace", "ĉ": "whitespace",
        "Ġ,": "punctuation", ",Ċ": "punctuation", "ðŁĻĤ": "punctuation", "âĤ¬": "punctuation",
        "Ã": "byte", "Ġä¸": "byte", "ðŁ": "byte", "1.": "other", "Ā": "other", "xÂ²": "continuation",
        "ab cd": "continuation", "   ": "whitespace", "<call>": "special",
    }  # fmt: skip


def test_sentencepiece_with_byte_fallback() -> None:
    tokenizer = sentencepiece("▁the", "the", "▁", "▁▁", "<0x0A>", "<0xE4>", "<0xag>", "▁7", "٣", ",", "▁(", "Ġ", "के")
    found = classes_by_token(tokenizer)
    assert found == {
        "▁the": "word-start", "the": "continuation", "▁": "whitespace", "▁▁": "whitespace",
        "<0x0A>": "byte", "<0xE4>": "byte", "<0xag>": "continuation",
        "▁7": "digits", "٣": "digits", ",": "punctuation", "▁(": "punctuation",
        "Ġ": "continuation",  # here a letter of Maltese
        "के": "continuation",
    }  # fmt: skip


def test_wordpiece() -> None:
    backend = Tokenizer(models.WordPiece(numbered("[UNK]", "the", "##ing", "##", "#", "中", "##7", "1990", ".", "##!")))
    backend.decoder = decoders.WordPiece()
    backend.add_tokens(["[unused7]"])
    assert classes_by_token(wrapped(backend, unk_token="[UNK]")) == {
        "[UNK]": "special", "the": "word-start", "##ing": "continuation", "##": "punctuation", "#": "punctuation",
        "中": "word-start", "##7": "digits", "1990": "digits", ".": "punctuation", "##!": "punctuation",
        "[unused7]": "special",
    }  # fmt: skip


def test_whole_words() -> None:
    backend = Tokenizer(models.WordLevel(numbered("[UNK]", "cat", "9", "!"), unk_token="[UNK]"))
    found = classes_by_token(wrapped(backend, unk_token="[UNK]"))
    assert found == {"[UNK]": "special", "cat": "word-start", "9": "digits", "!": "punctuation"}


def test_marks_of_word_ends_tell_nothing_of_starts() -> None:
    tokens = numbered("a", "b", "a</w>", "9</w>", "!</w>")
    backend = Tokenizer(models.BPE(vocab=tokens, merges=[], end_of_word_suffix="</w>"))
    backend.decoder = decoders.BPEDecoder("</w>")
    found = classes_by_token(wrapped(backend))
    assert found == {"a": "letters", "b": "letters", "a</w>": "letters", "9</w>": "digits", "!</w>": "punctuation"}


def test_single_characters_tell_nothing_of_starts() -> None:
    assert classes_by_token(sentencepiece("▁", "a", "b", "3"))["a"] == "letters"
    assert classes_by_token(byte_level("Ġ", "a", "b", "3"))["a"] == "letters"


@pytest.mark.parametrize(
    ("token", "kind"),
    [("Ġthe", "word-start"), ("▁the", "word-start"), ("##s", "continuation"), ("cat", "letters")],
)
def test_without_a_backend_the_vocabulary_tells(token: str, kind: str) -> None:
    """A slow tokenizer, with a gap in its ids."""
    vocabulary = {"<s>": 0, token: 1, "7": 3}
    slow = SimpleNamespace(get_vocab=lambda: vocabulary, all_special_ids=[0], added_tokens_decoder={})
    assert token_texts(slow, [3, 2, 1, 99]) == ["7", None, token, None]
    assert token_classes(slow, [3, 2, 1, 0]) == ["digits", None, kind, "special"]


def test_ids_beyond_the_vocabulary_have_no_token() -> None:
    tokenizer = byte_level("a", "Ġa")
    assert token_texts(tokenizer, [1, 2, 5000]) == ["Ġa", None, None]
    assert token_classes(tokenizer, [1, 2]) == ["word-start", None]


# ------------------------------------------------------------------ real vocabularies


def real_tokenizer(name: str, request: pytest.FixtureRequest) -> Any:
    if name == "demo":
        return load_tokenizer(name)
    if name == "minilm":
        return load_tokenizer(request.getfixturevalue("minilm"))
    return load_tokenizer(request.getfixturevalue("assets") / name)


EXPECTED = {
    "demo": {"Ġthe": "word-start", "tion": "continuation", "7": "digits", "<s>": "special", "Ã": "byte"},
    "tokenizers/llama3": {
        "Ġthe": "word-start", "ing": "continuation", "123": "digits", "Ġ{": "punctuation", "ĊĊ": "whitespace",
        "<|begin_of_text|>": "special", "<|reserved_special_token_9|>": "special", "Ã": "byte",
        ".assign": "continuation",
    },
    "tokenizers/llama2": {
        "▁the": "word-start", "ing": "continuation", "7": "digits", "<0x0A>": "byte", "<s>": "special",
        "▁(": "punctuation", "▁▁": "whitespace", "黃": "continuation",
    },
    "models/stories260k": {"▁the": "word-start", "ing": "continuation", "<0x41>": "byte", "</s>": "special"},
    "models/babyllama105": {"▁": "whitespace", "e": "letters", "3": "digits", "<unk>": "special", "!": "punctuation"},
    "minilm": {
        "the": "word-start", "##ing": "continuation", "1990": "digits", "##?": "punctuation", "[CLS]": "special",
        "[unused3]": "special", "£5": "other",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_real_vocabularies(name: str, request: pytest.FixtureRequest) -> None:
    tokenizer = real_tokenizer(name, request)
    found = classes_by_token(tokenizer)
    assert {token: found[token] for token in EXPECTED[name]} == EXPECTED[name]
    assert set(found.values()) <= set(CLASSES)
    assert token_texts(tokenizer) == [tokenizer.convert_ids_to_tokens(number) for number in range(len(tokenizer))]


@pytest.mark.parametrize("name", ["demo", "tokenizers/llama3", "tokenizers/llama2", "models/stories260k"])
def test_marks_agree_with_what_the_tokenizer_decodes(name: str, request: pytest.FixtureRequest) -> None:
    """Behind another token, a word's start decodes to a space and the word; a byte to no whole character."""
    tokenizer = real_tokenizer(name, request)
    classes = token_classes(tokenizer)
    first = tokenizer.convert_tokens_to_ids("a")
    for number in range(0, len(tokenizer), max(1, len(tokenizer) // 3000)):
        text = tokenizer.decode([first, number], clean_up_tokenization_spaces=False)[1:]
        if classes[number] == "word-start":
            assert text[0].isspace()
            assert text.strip()
        elif classes[number] == "continuation":
            assert not text[0].isspace()
        elif classes[number] == "byte":
            assert "\ufffd" in text or len(text) == 1
        elif classes[number] == "digits":
            assert text.strip().isnumeric()


@given(st.text(min_size=1).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))
def test_tokens_survive_a_table(text: str) -> None:
    """Every token of the demo, and any text made of several, comes out of a CSV file as it went in."""
    backend = load_demo()
    tokens = token_texts(backend, backend(text)["input_ids"])
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([[token, "x"] for token in tokens])
    raw = stream.getvalue().encode().decode()
    assert [row[0] for row in csv.reader(io.StringIO(raw, newline=""))] == tokens
    assert backend.decode(backend.convert_tokens_to_ids(tokens), skip_special_tokens=True) == text


_demo: list[Any] = []


def load_demo() -> Any:
    if not _demo:
        _demo.append(load_tokenizer("demo"))
    return _demo[0]


def test_a_folder_with_a_tokenizer_only(tmp_path: Path) -> None:
    byte_level("a", "Ġa", "Ġ").save_pretrained(tmp_path)
    assert token_classes(load_tokenizer(tmp_path))[:3] == ["continuation", "word-start", "whitespace"]
