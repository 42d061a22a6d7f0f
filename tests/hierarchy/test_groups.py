"""Groups of words: planted norms and frequencies, and files of groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from embgeom.errors import CountsError, InputError, ModelError, OptionError, PointsError
from embgeom.hierarchy import (
    PAPER_GROUPS,
    GroupStatistics,
    digit_norms,
    general_specific,
    group_statistics,
    read_groups,
)
from embgeom.trees import token_tree
from tests.hierarchy.planted import counts_of, embeddings_of, word_tokenizer

GROUPS = {"small": ("to", "in"), "middle": ("how", "many", "xyz"), "large": ("dog", "380")}
NORMS = {"to": 1.0, "in": 2.0, "how": 3.0, "many": 4.0, "dog": 5.0, "380": 6.0}
FREQUENCIES = {"to": 60, "in": 50, "how": 40, "many": 30, "dog": 20, "380": 0}


@pytest.fixture
def tokenizer():  # type: ignore[no-untyped-def]
    return word_tokenizer(list(NORMS))


def test_planted(tokenizer) -> None:  # type: ignore[no-untyped-def]
    result = group_statistics(embeddings_of(tokenizer, NORMS), GROUPS, counts_of(tokenizer, FREQUENCIES))
    small, middle, large = result.groups
    assert [row.name for row in result.groups] == ["small", "middle", "large"]
    assert (small.norm.mean, small.norm.minimum, small.norm.maximum) == pytest.approx((1.5, 1, 2))
    assert (middle.norm.mean, middle.norm.minimum, middle.norm.maximum) == pytest.approx((3.5, 3, 4))
    assert (large.frequency.mean, large.frequency.minimum, large.frequency.maximum) == (10, 0, 20)
    assert [word.frequency for row in result.groups for word in row.words] == list(FREQUENCIES.values())
    assert [(word.word, word.pieces) for word in middle.left_out] == [("xyz", ("[UNK]",))]
    # Six words in three groups of two, in order: τ_b = 12/√(15·12), and of 6!/2!³ = 90 arrangements one is as high.
    assert result.norm_trend.tau == pytest.approx(12 / (15 * 12) ** 0.5)
    assert result.norm_trend.p_value == pytest.approx(2 / 90)
    assert result.norm_trend.exact
    assert result.frequency_trend.tau == pytest.approx(-result.norm_trend.tau)
    assert GroupStatistics.from_json(result.to_json()) == result


def test_without_counts(tokenizer) -> None:  # type: ignore[no-untyped-def]
    result = group_statistics(embeddings_of(tokenizer, NORMS), GROUPS)
    assert result.frequency_trend is None
    assert result.data is None
    assert all(row.frequency is None for row in result.groups)
    assert all(word.frequency is None for row in result.groups for word in row.words)


def test_scale_changes_norms_and_no_trend(tokenizer) -> None:  # type: ignore[no-untyped-def]
    one, ten = (group_statistics(embeddings_of(tokenizer, NORMS, scale=scale), GROUPS) for scale in (1.0, 10.0))
    assert ten.norm_trend == one.norm_trend
    assert [row.norm.mean for row in ten.groups] == pytest.approx([10 * row.norm.mean for row in one.groups])


def test_a_tokenizer_without_any_of_the_words() -> None:
    result = group_statistics(embeddings_of(word_tokenizer(["zebra"]), {}))
    assert [len(row.words) for row in result.groups] == [0, 0, 0, 0]
    assert [row.norm for row in result.groups] == [None] * 4
    assert result.norm_trend is None
    named = [word.word for row in result.groups for word in row.left_out]
    assert named == [word for words in PAPER_GROUPS.values() for word in words]


def test_the_papers_groups() -> None:
    assert [len(words) for words in PAPER_GROUPS.values()] == [7, 5, 5, 11]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "there are no groups"),
        ({"one": ()}, "group 'one': expected a list of words"),
        ({"one": "dog"}, "group 'one': expected a list of words"),
        ({"one": (380,)}, "group 'one': expected words, got 380"),
        ({"one": ("dog",), "two": ("dog",)}, "group 'two': the word 'dog' occurs already in 'one'"),
    ],
)
def test_bad_groups(tokenizer, groups, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=message):
        group_statistics(embeddings_of(tokenizer, NORMS), groups)


def test_embeddings_that_are_not_finite(tokenizer) -> None:  # type: ignore[no-untyped-def]
    embeddings = embeddings_of(tokenizer, NORMS)
    embeddings.matrix[3] = torch.inf
    with pytest.raises(PointsError, match="the first is that of token id 3"):
        group_statistics(embeddings, GROUPS)


# ------------------------------------------------------------------------- files


def test_yaml_takes_words_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "groups.yaml"
    path.write_text("# mine\ngeneral: [animal, no, null]\nspecific:\n  - 380\n  - 1.50\n  - dog\n", encoding="utf-8")
    assert read_groups(path) == {"general": ("animal", "no", "null"), "specific": ("380", "1.50", "dog")}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json(tmp_path: Path, indent: int | str | None) -> None:
    groups = {"one": ["dog", "a/b", "😀", 'q"', "x: y"], "two": ["ünï", "380"]}
    path = tmp_path / "groups.json"
    path.write_text(json.dumps(groups, indent=indent), encoding="utf-8-sig")
    assert read_groups(path) == {name: tuple(words) for name, words in groups.items()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("{}", "line 1: there is no group"),
        ("- dog\n- cat\n", "line 1: expected names of groups"),
        ("just words", "line 1: expected names of groups"),
        ("one: [dog]\ntwo: cat\n", "line 2: key 'two': expected a list of words"),
        ("one: [dog]\ntwo:\n", "line 2: key 'two': expected a list of words"),
        ("one: [dog]\ntwo: []\n", "line 2: key 'two': expected a list of words"),
        ("one:\n- dog\n- [cat]\n", "line 3: key 'one': expected a word"),
        ("one:\n- dog\n-\n", "line 3: key 'one': expected a word"),
        ("one: [dog]\none: [cat]\n", "line 2: the group 'one' occurs twice"),
        ("one: [dog]\n\ntwo: [cat,\n dog]\n", "line 4: key 'two': the word 'dog' occurs already in 'one'"),
        ("? [a]\n: [dog]\n", "line 1: expected the name of a group"),
        ("one: [dog\ntwo: [cat]", "line 2: not YAML or JSON"),
        ("one: [dog]\n---\ntwo: [cat]\n", "line 2: not YAML or JSON"),
        ("one: [d\x00g]", "not YAML or JSON"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "groups.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as error:
        read_groups(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_groups(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="directory"):
        read_groups(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("one: [Bär]".encode("latin-1"))
    with pytest.raises(InputError, match="no UTF-8"):
        read_groups(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["dog"], "expected groups as a mapping of names to lists of words, got list"),
        ({"a": {"dog"}}, "group 'a': expected a list of words"),
        ({"a": None}, "group 'a': expected a list of words, got None"),
        ({1: ["dog"]}, "expected the name of a group, got 1"),
        ({"a": [1]}, "group 'a': expected words, got 1"),
    ],
)
def test_groups_that_are_none(tokenizer, groups: object, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=message):
        group_statistics(embeddings_of(tokenizer, {}), groups)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["demo", None, np.ones((3, 3))], ids=str)
def test_embeddings_that_are_none(wrong: object) -> None:
    """The same line from all that needs words: an array has no words."""
    for measure in (group_statistics, digit_norms, general_specific, lambda given: token_tree(given, ["a", "b", "c"])):
        with pytest.raises(ModelError, match=r"expected Embeddings, .* got (str 'demo'|NoneType|ndarray)$"):
            measure(wrong)


def test_counts_that_are_none(tokenizer) -> None:  # type: ignore[no-untyped-def]
    for measure in (group_statistics, general_specific):
        with pytest.raises(CountsError, match="expected TokenCounts, as token_counts returns them, got dict"):
            measure(embeddings_of(tokenizer, {}), counts={1: 2})
