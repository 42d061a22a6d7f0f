"""Token counts: by hand, against one text at a time, and in bounded memory."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from embgeom.corpus import Corpus, load_texts, stream_texts
from embgeom.counts import TokenCounts, token_counts
from embgeom.embeddings import load_tokenizer
from embgeom.errors import CorpusError, ModelError, OptionError

WORDS = {"<s>": 0, "a": 1, "b": 2, "c": 3, "<unk>": 4, "never": 5}


def word_tokenizer(**options: Any) -> Any:
    """A fast tokenizer of a few words that begins every text with <s>."""
    raw = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", unk_token="<unk>", **options)


class SlowTokenizer(transformers.PreTrainedTokenizer):
    """The same in Python, without a fast one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(bos_token="<s>", unk_token="<unk>", **options)

    @property
    def vocab_size(self) -> int:
        return len(WORDS)

    def get_vocab(self) -> dict[str, int]:
        return dict(WORDS)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return text.split()

    def _convert_token_to_id(self, token: str) -> int:
        return WORDS.get(token, 4)

    def _convert_id_to_token(self, index: int) -> str:
        return next(word for word, number in WORDS.items() if number == index)

    def build_inputs_with_special_tokens(self, token_ids_0: list[int], token_ids_1: Any = None) -> list[int]:
        return [0, *token_ids_0]


@pytest.fixture(scope="module")
def demo() -> Any:
    return load_tokenizer("demo")


def one_by_one(texts: list[str], tokenizer: Any, **options: Any) -> Counter[int]:
    """What must come out: every text that is not blank through the tokenizer's own call, alone."""
    return Counter(
        number for text in texts if text.strip() for number in tokenizer(text, verbose=False, **options)["input_ids"]
    )


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", [word_tokenizer(), SlowTokenizer()], ids=["fast", "slow"])
def test_a_tiny_corpus_by_hand(tokenizer: Any) -> None:
    texts = ["a b a", "c", "a x", " \n", ""]
    counts = token_counts(texts, tokenizer)
    assert counts.as_dict() == {0: 3, 1: 3, 2: 1, 3: 1, 4: 1}
    assert (counts.token_ids, counts.frequencies) == ((0, 1, 2, 3, 4), (3, 3, 1, 1, 1))
    assert (counts.texts, counts.total, counts.types, counts.vocabulary_size) == (3, 9, 5, 6)
    assert counts.dense().tolist() == [3, 3, 1, 1, 1, 0]
    assert counts.special_token_ids == (0, 4)
    bare = token_counts(texts, tokenizer, special_tokens=False)
    assert bare.as_dict() == {1: 3, 2: 1, 3: 1, 4: 1}
    assert (counts.special_tokens, bare.special_tokens) == (True, False)


def test_bytes_of_characters_that_are_no_tokens() -> None:
    vocabulary = {"<unk>": 0, **{f"<0x{byte:02X}>": 1 + byte for byte in range(256)}, "a": 257}
    raw = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    raw.decoder = decoders.ByteFallback()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>")
    counts = token_counts(["aé", "é🍎a"], tokenizer)
    expected = Counter(1 + byte for byte in "éé🍎".encode()) + Counter({257: 2})
    assert counts.as_dict() == dict(expected)


def test_dense_vectors_of_other_sizes() -> None:
    counts = token_counts(["a b a"], word_tokenizer())
    assert counts.dense().dtype == np.int64
    assert counts.dense(8).tolist() == [1, 2, 1, 0, 0, 0, 0, 0]
    assert counts.dense(3).tolist() == [1, 2, 1]
    with pytest.raises(OptionError, match="token id 2 occurs, which has no place among 2 ids"):
        counts.dense(2)


def test_the_record_survives_json(demo: Any) -> None:
    counts = token_counts(load_texts("demo", limit=20), demo)
    assert TokenCounts.from_json(counts.to_json()) == counts
    assert (counts.tokenizer, counts.data) == ("demo", "demo")
    assert counts.provenance["source"].startswith("pydoc_data.topics of Python")
    assert "tokenizers" in counts.provenance["versions"]
    named = token_counts(["a"], demo, name="mine")
    assert (named.tokenizer, named.data) == ("mine", None)


# --- against the tokenizer's own call, one text at a time ------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8), st.integers(1, 4), st.booleans())
def test_any_texts_in_any_batches(texts: list[str], batch_size: int, special_tokens: bool) -> None:
    tokenizer = load_tokenizer_once()
    expected = one_by_one(texts, tokenizer, add_special_tokens=special_tokens)
    if not expected:
        with pytest.raises(CorpusError, match=r"^(there is no text|the tokenizer finds no token)"):
            token_counts(iter(texts), tokenizer, special_tokens=special_tokens, batch_size=batch_size)
        return
    counts = token_counts(iter(texts), tokenizer, special_tokens=special_tokens, batch_size=batch_size)
    assert counts.as_dict() == dict(expected)
    assert list(counts.token_ids) == sorted(expected)


_KEPT: list[Any] = []


def load_tokenizer_once() -> Any:
    if not _KEPT:
        _KEPT.append(load_tokenizer("demo"))
    return _KEPT[0]


def test_long_and_short_texts_among_each_other(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embgeom.counts._BATCH_CHARACTERS", 300)
    texts = list(load_texts("demo", limit=200))
    texts.insert(7, " ".join(texts))  # as one text: it is not split
    assert token_counts(texts, demo, batch_size=3).as_dict() == dict(one_by_one(texts, demo))


def test_nothing_is_cut_off_or_padded_and_nothing_is_said(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither by a limit of the tokenizer nor by one that its backend was saved with; no warning comes through."""
    logging.getLogger("transformers").propagate = True
    cut = word_tokenizer(model_max_length=4)
    cut.backend_tokenizer.enable_truncation(4)
    cut.backend_tokenizer.enable_padding(length=50)
    for tokenizer in (cut, SlowTokenizer(model_max_length=4)):
        counts = token_counts(["a " * 100, "b"], tokenizer)
        assert counts.as_dict() == {0: 2, 1: 100, 2: 1}
    logging.getLogger("transformers").propagate = False
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.text) == ("", "", "")


def test_a_tokenizer_that_does_more_than_its_backend() -> None:
    class Lower(transformers.PreTrainedTokenizerFast):
        def _encode_plus(self, text: Any, *arguments: Any, **options: Any) -> Any:
            lower = text.lower() if isinstance(text, str) else [each.lower() for each in text]
            return super()._encode_plus(lower, *arguments, **options)

    tokenizer = Lower(tokenizer_object=word_tokenizer().backend_tokenizer, bos_token="<s>", unk_token="<unk>")
    assert token_counts(["A B", "a"], tokenizer).as_dict() == {0: 2, 1: 2, 2: 1}


def test_special_tokens_written_out_are_tokens_of_the_text() -> None:
    counts = token_counts(["a <s> b"], word_tokenizer(), special_tokens=False)
    assert counts.as_dict() == {0: 1, 1: 1, 2: 1}


def test_minilm(minilm: Path) -> None:
    """BERT's: [CLS] and [SEP] around every text, saved with a truncation to 128 tokens."""
    tokenizer = load_tokenizer(minilm)
    texts = [*load_texts("demo", limit=50), "Zwölf Äpfel, 十二个苹果 🍎 " * 200]
    counts = token_counts(texts, tokenizer)
    assert counts.as_dict() == dict(one_by_one(texts, tokenizer, truncation=False))
    assert {counts.as_dict()[number] for number in tokenizer("")["input_ids"]} == {51}


@pytest.mark.parametrize("name", ["llama3", "llama2"])
def test_real_tokenizers(assets: Path, name: str) -> None:
    tokenizer = load_tokenizer(assets / "tokenizers" / name)
    corpus = stream_texts(assets / "data" / "mawps" / "test.json")
    counts = token_counts(corpus, tokenizer)
    raw = json.loads((assets / "data" / "mawps" / "test.json").read_bytes())
    assert counts.as_dict() == dict(one_by_one([record["instruction"] for record in raw], tokenizer))
    assert counts.as_dict()[tokenizer.bos_token_id] == counts.texts == 238
    assert set(tokenizer.all_special_ids) <= set(counts.special_token_ids)
    assert (counts.data, counts.provenance["field"]) == ("mawps", "instruction")
    if name == "llama3":  # all of them, not only those with a role
        assert counts.special_token_ids == tuple(range(128_000, 128_256))


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "^there is no text to count the tokens of$"),
        (["", " \t\n"], "^there is no text to count the tokens of$"),
        ("one text", "^expected an iterable of texts, got one text"),
        (["a", 5], "^text 1: expected a text, got int '5'$"),
        (["a", b"b"], "^text 1: expected a text, got bytes"),
        ([None], "^text 0: expected a text, got NoneType"),
        (["a", "b\ud83c"], r"^text 1 has a lone surrogate \(U\+D83C\) at character 1$"),
    ],
)
@pytest.mark.parametrize("tokenizer", [word_tokenizer(), SlowTokenizer()], ids=["fast", "slow"])
def test_texts_at_fault(tokenizer: Any, texts: Any, message: str) -> None:
    if "surrogate" in message and not tokenizer.is_fast:
        pytest.skip("a tokenizer in Python takes it as any character")
    with pytest.raises(CorpusError, match=message):
        token_counts(texts, tokenizer)


def test_no_tokens_in_any_text() -> None:
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0, "b": 1}, [])))
    with pytest.raises(CorpusError, match="the tokenizer finds no token in any of the 2 texts"):
        token_counts(["x", "y"], tokenizer)


def test_a_tokenizer_that_fails() -> None:
    raw = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="?"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw)
    with pytest.raises(ModelError, match=r"^the tokenizer fails on the texts: WordLevel error: Missing"):
        token_counts(["x"], tokenizer)


def test_ids_beyond_the_vocabulary() -> None:
    class Gap(SlowTokenizer):
        def _convert_token_to_id(self, token: str) -> int:
            return 6 if token == "c" else super()._convert_token_to_id(token)

    with pytest.raises(ModelError, match="gives the token id 6, and has 6 tokens from 0"):
        token_counts(["a c"], Gap())


@pytest.mark.parametrize("batch_size", [0, 1.5, "a", None, True])
def test_batch_size(batch_size: object) -> None:
    with pytest.raises(OptionError, match=f"batch_size must be a whole number of at least 1, got {batch_size!r}"):
        token_counts(["a"], word_tokenizer(), batch_size=batch_size)  # type: ignore[arg-type]


def test_texts_that_are_none() -> None:
    with pytest.raises(CorpusError, match="expected an iterable of texts, got NoneType"):
        token_counts(None, word_tokenizer())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokenizer", "shown"), [(None, "NoneType"), ("demo", "str 'demo'"), (print, "builtin_function_or_method")]
)
def test_a_tokenizer_that_is_none(tokenizer: object, shown: str) -> None:
    with pytest.raises(ModelError, match=f"expected a tokenizer of transformers, got {shown}; load one with"):
        token_counts(["a"], tokenizer)


# --- much text -------------------------------------------------------------------------------------------------------


def paragraphs(megabytes: float, peak: list[int]) -> Iterator[str]:
    """So much of the demo's text, no two alike; notes the largest resident memory on the way."""
    process, size, number = psutil.Process(), 0, 0
    texts = list(load_texts("demo"))
    while size < megabytes * 1e6:
        for text in texts:
            number += 1
            size += len(text)
            yield f"{number} {text}"
        peak.append(process.memory_info().rss)


def trial(megabytes: float, tokenizer: Any) -> None:
    token_counts(paragraphs(2, []), tokenizer)  # whatever is allocated once is allocated
    before, peak = psutil.Process().memory_info().rss, [0]
    counts = token_counts(paragraphs(megabytes, peak), tokenizer)
    assert counts.total > megabytes * 1e5
    # As lists of ids alone the tokens would take eight bytes each and more; the record of a batch takes a hundred.
    assert max(peak) - before < 100e6


def test_memory_does_not_grow_with_the_corpus(demo: Any) -> None:
    trial(30, demo)


@pytest.mark.slow
def test_a_gigabyte(demo: Any) -> None:
    trial(1000, demo)


def test_progress_on_standard_error_only(capfd: pytest.CaptureFixture[str], demo: Any) -> None:
    corpus = load_texts("demo", limit=20)
    token_counts(corpus, demo)
    assert capfd.readouterr() == ("", "")
    token_counts(corpus, demo, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "tokens of demo" in shown.err
    assert isinstance(corpus, Corpus)
