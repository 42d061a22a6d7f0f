"""Frequency and norm of groups of words, from the general to the specific."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embgeom.checks import require_embeddings
from embgeom.errors import InputError, OptionError, first_line
from embgeom.hierarchy.records import GroupRow, GroupStatistics, LeftOut, Spread, WordNorm
from embgeom.hierarchy.trend import trend
from embgeom.words import frequencies_of, norms_of, provenance, word_tokens

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.embeddings import Embeddings

__all__ = ["PAPER_GROUPS", "group_statistics", "read_groups", "spread"]

PAPER_GROUPS: dict[str, tuple[str, ...]] = {
    "function words": ("to", "in", "have", "that", "and", "is", "for"),
    "question words": ("how", "much", "many", "time", "cost"),
    "general nouns": ("animal", "fruit", "number", "color", "size"),
    "specific words": ("dog", "cow", "apple", "banana", "380", "480", "purple", "red", "medium", "small", "large"),
}
"""The groups of *Hyperbolic Fine-Tuning for Large Language Models* (arXiv 2410.04010); their names are ours."""


def group_statistics(
    embeddings: Embeddings,
    groups: Mapping[str, Sequence[str]] | None = None,
    counts: TokenCounts | None = None,
    *,
    seed: int = 0,
) -> GroupStatistics:
    """Return frequency and norm of each group of words as mean [min ~ max], and whether they follow the groups' order.

    A word is the one token that it is in running text, after a space (:func:`embgeom.words.word_tokens`); words
    of several tokens are left out and named.

    Parameters
    ----------
    embeddings : Embeddings
        With a tokenizer.
    groups : mapping of str to sequence of str, optional
        Name → words, in the order to test; no word twice. Default: :data:`PAPER_GROUPS`.
    counts : TokenCounts, optional
        Of the same tokenizer; without them there are no frequencies.
    seed : int
        Of the permutations of the trend test.

    Raises
    ------
    OptionError
        If there are no groups, a group is empty, or a word occurs twice.
    CountsError
        If ``counts`` are none.
    ModelError
        If these are no embeddings, or the model has no tokenizer.
    PointsError
        If the embedding of a word is not finite.
    """
    require_embeddings(embeddings)
    groups = PAPER_GROUPS if groups is None else groups
    _check(groups)
    words = word_tokens(embeddings.tokenizer, list(chain.from_iterable(groups.values())))
    ids = list(words.found.values())
    tokens = map(str, embeddings.tokenizer.convert_ids_to_tokens(ids))
    measured = {
        word: WordNorm(word, number, token, frequency, float(norm))
        for word, number, token, frequency, norm in zip(
            words.found, ids, tokens, frequencies_of(counts, ids), norms_of(embeddings, ids), strict=True
        )
    }
    rows = tuple(
        _row(
            name,
            [measured[word] for word in members if word in measured],
            [LeftOut(word, words.split[word]) for word in members if word in words.split],
        )
        for name, members in groups.items()
    )
    places = [place for place, row in enumerate(rows) for _ in row.words]
    norms = [word.norm for row in rows for word in row.words]
    frequencies = [word.frequency for row in rows for word in row.words if word.frequency is not None]
    return GroupStatistics(
        groups=rows,
        norm_trend=trend(places, norms, seed=seed),
        frequency_trend=None if counts is None else trend(places, frequencies, seed=seed),
        model=embeddings.model,
        layer=embeddings.layer,
        data=None if counts is None else counts.data,
        seed=seed,
        provenance=provenance(embeddings, counts),
    )


def read_groups(path: str | PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read groups of words from a YAML or JSON file: a mapping of names to lists of words.

    Words are taken as they are written: ``380``, ``no`` and ``null`` are words, too.

    Raises
    ------
    InputError
        If the file cannot be read, or is no such mapping; with the line and the key.
    """
    import yaml

    name = fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        # JSON is YAML, but for tabs between its values; inside of its strings there are none.
        root = yaml.compose(text.expandtabs() if name.lower().endswith(".json") else text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"groups {name}: cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"groups {name}{line}: not YAML or JSON: {error.problem or first_line(error)}") from None
    except yaml.YAMLError as error:
        raise InputError(f"groups {name}: not YAML or JSON: {first_line(error)}") from None
    if root is None:
        raise InputError(f"groups {name}: the file is empty; expected names of groups, each with a list of words")

    def fail(node: Any, problem: str) -> InputError:
        return InputError(f"groups {name}, line {node.start_mark.line + 1}: {problem}")

    if not isinstance(root, yaml.MappingNode):
        raise fail(root, "expected names of groups, each with a list of words")
    groups: dict[str, tuple[str, ...]] = {}
    seen: dict[str, str] = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode) or not key.value.strip():
            raise fail(key, "expected the name of a group")
        if key.value in groups:
            raise fail(key, f"the group {key.value!r} occurs twice")
        if not isinstance(value, yaml.SequenceNode) or not value.value:
            raise fail(value, f"key {key.value!r}: expected a list of words such as [dog, cow]")
        words = []
        for item in value.value:
            if not isinstance(item, yaml.ScalarNode) or not item.value.strip():
                raise fail(item, f"key {key.value!r}: expected a word")
            word = _whole(item.value)
            if word in seen:
                raise fail(item, f"key {key.value!r}: the word {word!r} occurs already in {seen[word]!r}")
            seen[word] = key.value
            words.append(word)
        groups[key.value] = tuple(words)
    if not groups:
        raise fail(root, "there is no group; expected names of groups, each with a list of words")
    return groups


def spread(values: Sequence[float]) -> Spread | None:
    """Return mean, smallest and largest; None of nothing."""
    return Spread(float(np.mean(values)), float(min(values)), float(max(values))) if len(values) else None


def _row(name: str, words: list[WordNorm], left_out: list[LeftOut]) -> GroupRow:
    frequencies = [word.frequency for word in words if word.frequency is not None]
    return GroupRow(name, tuple(words), tuple(left_out), spread(frequencies), spread([word.norm for word in words]))


def _check(groups: Mapping[str, Sequence[str]]) -> None:
    if not isinstance(groups, Mapping):
        raise OptionError(f"expected groups as a mapping of names to lists of words, got {type(groups).__name__}")
    if not groups:
        raise OptionError("there are no groups; expected a mapping of names to lists of words")
    seen: dict[str, str] = {}
    for name, words in groups.items():
        if not isinstance(name, str):
            raise OptionError(f"expected the name of a group, got {name!r}")
        if isinstance(words, str) or not isinstance(words, Sequence) or not words:
            raise OptionError(f"group {name!r}: expected a list of words, got {words!r}")
        for word in words:
            if not isinstance(word, str):
                raise OptionError(f"group {name!r}: expected words, got {word!r}")
            if word in seen:
                raise OptionError(f"group {name!r}: the word {word!r} occurs already in {seen[word]!r}")
            seen[word] = name


def _whole(text: str) -> str:
    r"""Join the halves of a character that JSON writes as two escapes, such as ``\ud83d\ude00``."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
