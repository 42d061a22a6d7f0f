"""Numbers by digits: what is counted, in which form."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from embgeom import load_embeddings
from embgeom.hierarchy import DigitNorms, digit_norms
from tests.hierarchy.planted import byte_tokenizer, embeddings_of, word_tokenizer


def rows(result: DigitNorms) -> list[tuple[int, str, int]]:
    return [(row.digits, row.form, len(row.numbers)) for row in result.rows]


def test_planted_norms() -> None:
    numbers = [*range(10), 10, 99, 100, 380, 999]
    tokenizer = word_tokenizer([str(number) for number in numbers] + ["007", "1000"])
    result = digit_norms(embeddings_of(tokenizer, {str(number): 1.0 + number for number in numbers}))
    assert rows(result) == [(1, "any", 10), (2, "any", 2), (3, "any", 3)]
    assert [row.of for row in result.rows] == [10, 90, 900]
    one, two, three = result.rows
    assert (one.norm.mean, one.norm.minimum, one.norm.maximum) == pytest.approx((5.5, 1, 10))
    assert (two.numbers, two.norms) == ((10, 99), pytest.approx((11, 100)))
    assert (three.norm.mean, three.norm.minimum, three.norm.maximum) == pytest.approx((1482 / 3, 101, 1000))
    assert result.multi_digit
    assert DigitNorms.from_json(result.to_json()) == result


def test_two_forms() -> None:
    tokenizer = byte_tokenizer([("Ġ", "7"), ("4", "2"), ("Ġ", "42")])
    result = digit_norms(embeddings_of(tokenizer, {"Ġ7": 2.0, "7": 3.0, "Ġ42": 4.0, "42": 5.0}))
    spaced, bare = "after a space", "without a space"
    assert rows(result) == [(1, spaced, 10), (2, spaced, 1), (3, spaced, 0), (1, bare, 10), (2, bare, 1), (3, bare, 0)]
    by_form = {(row.digits, row.form): dict(zip(row.numbers, row.norms, strict=True)) for row in result.rows}
    assert by_form[1, spaced][7] == pytest.approx(2)
    assert by_form[1, bare][7] == pytest.approx(3)
    assert by_form[2, spaced] == {42: pytest.approx(4)}
    assert by_form[2, bare] == {42: pytest.approx(5)}
    assert result.rows[-1].norm is None


def test_digit_by_digit() -> None:
    result = digit_norms(load_embeddings("demo"))
    assert rows(result) == [(1, "any", 10), (2, "any", 0), (3, "any", 0)]
    assert not result.multi_digit


def test_no_digits_at_all() -> None:
    result = digit_norms(embeddings_of(word_tokenizer(["dog"]), {}))
    assert rows(result) == [(1, "any", 0), (2, "any", 0), (3, "any", 0)]
    assert [row.norm for row in result.rows] == [None] * 3


@pytest.mark.parametrize(("name", "found"), [("llama2", (10, 0, 0)), ("llama3", (10, 90, 900))])
def test_real_tokenizers(assets: Path, name: str, found: tuple[int, ...]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(assets / "tokenizers" / name))
    result = digit_norms(embeddings_of(tokenizer, {}))
    assert rows(result) == [(digits, "any", count) for digits, count in zip((1, 2, 3), found, strict=True)]
    assert result.multi_digit == (found[1] > 0)


def test_wordpiece_by_its_vocabulary(minilm: Path) -> None:
    embeddings = load_embeddings(str(minilm))
    vocabulary = embeddings.tokenizer.get_vocab()
    expected = [sum(str(number) in vocabulary for number in numbers) for numbers in (range(10), range(10, 100))]
    result = digit_norms(embeddings)
    assert [len(row.numbers) for row in result.rows[:2]] == expected
    assert set(result.rows[2].numbers) == {number for number in range(100, 1000) if str(number) in vocabulary}
    row = embeddings.matrix[vocabulary["380"]].double()
    assert dict(zip(result.rows[2].numbers, result.rows[2].norms, strict=True))[380] == pytest.approx(float(row.norm()))
