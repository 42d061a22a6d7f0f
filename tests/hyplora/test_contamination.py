"""Contamination is found where it is, and nowhere else."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyplora.contamination import Contamination, find_contamination, mask, words

LONG = "on a fine day in may the old man went down to the harbour to buy {} fresh fish for his {} cats"


def questions(path: Path) -> list[str]:
    return [record["instruction"] for record in json.loads(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("name", ["gsm8k", "AQuA", "SVAMP", "mawps", "boolq", "ARC-Challenge"])
def test_finds_exactly_the_known_leakage(assets: Path, name: str) -> None:
    held_out = json.loads((assets / "data" / "heldout_not_in_math_train.json").read_text())["indices"]
    training = questions(assets / "data" / "math_train" / "train.json")
    found = find_contamination(questions(assets / "data" / name / "test.json"), training)
    assert list(found.clean) == held_out[name]
    assert len(found.same) + len(found.clean) == found.questions
    if name in ("boolq", "ARC-Challenge"):
        assert not found.found
        assert found.sentence().startswith("no test question of ")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How many?", "how  many"),
        ("It costs $1,023.65.", "It costs $7"),
        ("3 cats and 4 dogs", "12 cats and 5.5 dogs"),
        ("Łódź: gdzie?", "łódź gdzie"),
        ("a_b", "a b"),
    ],
)
def test_the_same_but_for_case_punctuation_spaces_numbers(one: str, other: str) -> None:
    assert find_contamination([one], [other]).same == (0,)


@pytest.mark.parametrize(("one", "other"), [("Many cats?", "Many cuts?"), ("cats", "3 cats"), ("1 + 2", "3 + 4")])
def test_other_questions_are_clean(one: str, other: str) -> None:
    assert find_contamination([one], [other]).clean == (0,)


def test_a_run_of_13_words_overlaps_and_12_do_not() -> None:
    thirteen = " ".join(LONG.split()[:13])
    twelve = " ".join(LONG.split()[:12])
    test = [LONG.format(3, 4)]
    assert find_contamination(test, ["so " + thirteen + " then"]).overlapping == (0,)
    assert find_contamination(test, ["so " + twelve + " then"]).overlapping == ()
    assert find_contamination(test, ["so " + twelve + " then"], ngram=12).overlapping == (0,)


def test_numbers_count_as_one_word() -> None:
    found = find_contamination([LONG.format(3, 4) + " now"], [LONG.format("1,000.5", 22)])
    assert found.overlapping == (0,)
    assert found.same == ()
    assert found.examples[0].training_index == 0
    assert " # " in found.examples[0].shared or found.examples[0].shared.count(" ") == 12


def test_examples_come_from_both_kinds_and_name_the_first_training_question() -> None:
    test = ["One cat?", "Two cats?", LONG.format(1, 2) + " again"]
    found = find_contamination(test, ["two dogs", "ONE CAT", "one cat", LONG.format(5, 6)], examples=1)
    assert [(example.index, example.training_index) for example in found.examples] == [(0, 1), (2, 3)]
    assert Contamination.from_json(found.to_json()) == found


def test_a_repeated_test_question_counts_each_time() -> None:
    assert find_contamination(["a b", "c d", "A b!"], ["a, b"]).same == (0, 2)


def test_nothing_to_compare() -> None:
    assert find_contamination([], ["a"]).same == ()
    found = find_contamination(["a"], [])
    assert found.clean == (0,)
    assert found.training_questions == 0


@given(st.lists(st.text(max_size=30), max_size=6), st.lists(st.text(max_size=30), max_size=6))
def test_laws(test: list[str], training: list[str]) -> None:
    found = find_contamination(test, iter(training), ngram=2)
    masks = {mask(question) for question in training}
    assert set(found.same) == {i for i, q in enumerate(test) if mask(q) in masks and mask(q).strip("#")}

    def pairs(question: str) -> set[tuple[str, str]]:
        seen = words(question)
        return set(itertools.pairwise(seen))

    known = set().union(*map(pairs, training)) if training else set()
    assert set(found.overlapping) == {i for i, q in enumerate(test) if pairs(q) & known}
