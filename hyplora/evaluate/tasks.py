"""The tasks: their questions, the answers there are, and how an answer is read from a text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from embgeom.corpus.files import read_records
from embgeom.corpus.hub import records_from_hub
from embgeom.corpus.registry import DATASETS, find_dataset, find_in_root
from embgeom.errors import CorpusError, OptionError, choose
from hyplora.answers import extract_label, extract_letter, extract_number, same_number
from hyplora.arithmetic import arithmetic_problems, pairs_of
from hyplora.evaluate.originals import ORIGINALS, from_original
from hyplora.prompts import Instruction, read_record

__all__ = ["TASKS", "Question", "Task", "load_task"]

_LETTERS = tuple("ABCDE")
_FORMAT = re.compile(r"Answer format:\s*(\w+(?:/\w+)+)\s*$")

# The kind of answer, the answers there are where a question does not list its own, and the tokens that a text may have.
# 512 and 32 are those of the released scripts for arithmetic and for common sense.
_KINDS: Mapping[str, tuple[str, tuple[str, ...], int]] = {
    "gsm8k": ("number", (), 512),
    "aqua": ("letter", _LETTERS, 512),
    "svamp": ("number", (), 512),
    "mawps": ("number", (), 512),
    "boolq": ("label", ("true", "false"), 32),
    "piqa": ("label", ("solution1", "solution2"), 32),
    "social_i_qa": ("label", ("answer1", "answer2", "answer3"), 32),
    "hellaswag": ("label", ("ending1", "ending2", "ending3", "ending4"), 32),
    "winogrande": ("label", ("option1", "option2"), 32),
    "arc_easy": ("label", ("answer1", "answer2", "answer3", "answer4"), 32),
    "arc_challenge": ("label", ("answer1", "answer2", "answer3", "answer4"), 32),
    "openbookqa": ("label", ("answer1", "answer2", "answer3", "answer4"), 32),
    "arithmetic": ("number", (), 16),
}

TASKS = tuple(_KINDS)
"""The names there are; upper case, ``-`` and ``_`` make no difference."""


@dataclass(frozen=True)
class Question:
    """One question of a task.

    Attributes
    ----------
    index : int
        Its place in the test set, from 0.
    record : Instruction
    kind : {"number", "letter", "label"}
    expected : float or str
        The right answer.
    choices : tuple of str
        The answers there are; none for a number.
    """

    index: int
    record: Instruction
    kind: str
    expected: float | str
    choices: tuple[str, ...] = ()

    def extract(self, text: str) -> float | str | None:
        """Return the answer that a generated text gives; None where it gives none."""
        if self.kind == "number":
            return extract_number(text)
        if self.kind == "letter":
            return extract_letter(text, "".join(self.choices))
        return extract_label(text, self.choices)

    def is_right(self, answer: float | str | None) -> bool:
        """Return whether an extracted answer is the right one."""
        if isinstance(self.expected, float):
            return same_number(answer if isinstance(answer, float) else None, self.expected)
        return answer == self.expected

    def sentence(self, choice: str) -> str:
        """Return one of the choices as the answer sentence of LLM-Adapters, whose likelihood stands for it."""
        return f"The answer is ({choice})." if self.kind == "letter" else f"the correct answer is {choice}"


@dataclass(frozen=True)
class Task:
    """The questions of a task, in order, and where they came from.

    Attributes
    ----------
    name : str
        One of :data:`TASKS`.
    source : str
    questions : tuple of Question
    max_new_tokens : int
        How long an answer may get, unless told.
    revision : str or None
        The commit of a data set on the Hub.
    """

    name: str
    source: str
    questions: tuple[Question, ...]
    max_new_tokens: int
    revision: str | None = None


def load_task(
    name: str, *, data_root: str | os.PathLike[str] | None = None, limit: int | None = None, seed: int = 0
) -> Task:
    """Return a task: from a data root, laid out as the authors' ``dataset/``, else from the Hub.

    Parameters
    ----------
    name : str
        One of :data:`TASKS`; ``arithmetic`` is built in.
    data_root : path, optional
        A folder with ``<name>/test.json``; by default the environment variable ``EMBGEOM_DATA``, if set.
    limit : int, optional
        The first questions only.
    seed : int
        Of the built-in problems.

    Raises
    ------
    OptionError
        For an unknown name or a limit below 1.
    CorpusError
        The questions cannot be found, or one of them is without an answer.
    """
    if limit is not None and limit < 1:
        raise OptionError(f"limit must be at least 1, not {limit}")
    if name != "arithmetic":
        dataset = find_dataset(name)
        name = dataset.name if dataset is not None else name
    choose("task", name, TASKS)
    revision = None
    records: Iterator[tuple[str, object]]
    if name == "arithmetic":
        source = f"built in (seed {seed})"
        problems = arithmetic_problems("test", len(pairs_of("test")), seed=seed)  # each pair once
        records = ((f"problem {number}", problem) for number, problem in enumerate(problems, start=1))
    elif (path := _local(name, data_root)) is not None:
        source, records = str(path), read_records(path)
    else:
        source, revision, records = _from_hub(name, data_root)
    questions = tuple(_question(name, index, *found, source) for index, found in enumerate(islice(records, limit)))
    if not questions:
        raise CorpusError(f"{source}: no questions: it is empty")
    return Task(name, source, questions, _KINDS[name][2], revision)


def _local(name: str, data_root: str | os.PathLike[str] | None) -> Path | None:
    given = os.fspath(data_root) if data_root is not None else os.environ.get("EMBGEOM_DATA")
    if not given:
        return None
    root = Path(given).expanduser()
    if not root.is_dir():
        raise CorpusError(f"{'data_root' if data_root is not None else 'EMBGEOM_DATA'} {root}: no such folder")
    return find_in_root(root, name)


def _from_hub(
    name: str, data_root: str | os.PathLike[str] | None
) -> tuple[str, str | None, Iterator[tuple[str, object]]]:
    dataset = DATASETS[name]
    there = (
        f"put {name}/test.json below {data_root}" if data_root else f"give a folder with {name}/test.json as data root"
    )
    found = records_from_hub(
        dataset.hub_id,
        dataset.config,
        split=dataset.split,
        fields=ORIGINALS[name][0],
        revision=dataset.revision,
        advice=there,
    )
    source = f"{dataset.hub_id}:{dataset.config}" if dataset.config else dataset.hub_id
    return source, found.revision, _reworded(name, found.read(), source)


def _reworded(name: str, rows: Iterator[tuple[str, Any]], source: str) -> Iterator[tuple[str, object]]:
    for place, row in rows:
        try:
            instruction, answer = from_original(name, row)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise CorpusError(
                f"{source}: {place} is not as {name} was known ({type(error).__name__}: {error})"
            ) from None
        yield place, {"instruction": instruction, "answer": answer}


def _question(name: str, index: int, place: str, fields: object, source: str) -> Question:
    place = f"{source}: {place}"
    record = read_record(fields, place) if isinstance(fields, Mapping) else None
    if not isinstance(record, Instruction) or not record.question:
        raise CorpusError(f"{place}: expected the fields instruction and answer")
    kind, choices, _ = _KINDS[name]
    if record.answer is None:
        raise CorpusError(f"{place}: has no answer to score against; its fields are: {', '.join(fields)}")  # type: ignore[arg-type]
    given = record.answer.strip()
    if kind == "number":
        value = extract_number(given)
        if value is None:
            raise CorpusError(f"{place}: the answer {given!r} is no number")
        return Question(index, record, kind, value)
    if kind == "label":
        listed = _FORMAT.search(record.question)
        choices = tuple(listed[1].split("/")) if listed else choices
    expected = given.upper() if kind == "letter" else given.lower()
    if expected not in choices:
        raise CorpusError(f"{place}: the answer {given!r} is none of: {', '.join(choices)}")
    return Question(index, record, kind, expected, choices)
