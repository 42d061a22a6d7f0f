"""Are the questions of a test set in the training set? Two definitions, side by side.

*The same question*: equal once case, punctuation, white space and the values of numbers are set aside. *Overlap*: a run
of 13 words in common (Brown et al. 2020, arXiv 2005.14165, appendix C), every number counting as the same word. Overlap
is the wider net: it also catches what two questions of one template share, and the form of the answer choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from embgeom.results import Record

__all__ = ["NGRAM", "Contamination", "Example", "find_contamination", "find_contaminations", "mask", "words"]

NGRAM = 13
"""Words in a run that count as overlap, unless told."""

_QUOTED = 70  # characters of a question in a line
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NOT_A_LETTER = re.compile(r"[^\w#]+|_")
_WORD = re.compile(r"#|[^\W_]+")


@dataclass(frozen=True)
class Example(Record):
    """A question of the test set beside what it shares with the training set.

    Attributes
    ----------
    index : int
        The question's place in the test set, from 0.
    question : str
    training_index : int
        Place of the training question, from 0: the first that has it.
    training_question : str
    shared : str
        What they share: ``"the same question"``, or the run of words.
    """

    index: int
    question: str
    training_index: int
    training_question: str
    shared: str

    def lines(self) -> tuple[str, str, str]:
        """Return the question, the training question, and what they share, each shortened to a line."""
        ours, theirs, shared = map(_short, (self.question, self.training_question, self.shared))
        return f"test {self.index}: {ours}", f"training {self.training_index}: {theirs}", f"share: {shared}"


@dataclass(frozen=True)
class Contamination(Record):
    """Which questions of a test set occur in a training set.

    Attributes
    ----------
    questions, training_questions : int
        How many there are in each.
    same : tuple of int
        Places, from 0, of the test questions that are in the training set but for case, punctuation, spaces, numbers.
    overlapping : tuple of int
        Places of those that share a run of ``ngram`` words with a training question; mostly a superset of ``same``,
        but a shorter question can only be the same.
    ngram : int
    examples : tuple of Example
        The first few of each kind, the same questions first.
    training_same : tuple of int
        Places of the training questions that are in the test set, with the same things set aside.
    """

    questions: int
    training_questions: int
    same: tuple[int, ...]
    overlapping: tuple[int, ...]
    ngram: int
    examples: tuple[Example, ...] = ()
    training_same: tuple[int, ...] = ()

    @property
    def clean(self) -> tuple[int, ...]:
        """Places of the test questions that are not in the training set."""
        same = set(self.same)
        return tuple(index for index in range(self.questions) if index not in same)

    @property
    def found(self) -> bool:
        """Whether there is any contamination, of either kind."""
        return bool(self.same or self.overlapping)

    @property
    def quoted(self) -> tuple[Example, ...]:
        """One example of each kind that there is."""
        same = set(self.same)
        alike = [example for example in self.examples if example.index in same]
        near = [example for example in self.examples if example.index not in same]
        return (*alike[:1], *near[:1])

    def sentence(self) -> str:
        """Return the finding in one line."""
        if not self.found:
            return f"no test question of {self.questions} is in the training set or shares {self.ngram} words with it"
        share = len(self.same) / self.questions
        return (
            f"{len(self.same)} of {self.questions} test questions ({share:.0%}) are in the training set but for case, "
            f"punctuation and numbers; {len(self.overlapping)} share a run of {self.ngram} words with it"
        )


def mask(question: str) -> str:
    """Return the question without case, punctuation and spaces, every number a ``#``."""
    return _NOT_A_LETTER.sub("", _NUMBER.sub("#", question.lower()))


def words(question: str) -> list[str]:
    """Return the words of a question in lower case, every number a ``#``."""
    return _WORD.findall(_NUMBER.sub(" # ", question.lower()))


def find_contamination(
    test: Sequence[str], training: Iterable[str], *, ngram: int = NGRAM, examples: int = 3
) -> Contamination:
    """Compare the questions of a test set with those of a training set.

    Parameters
    ----------
    test : sequence of str
    training : iterable of str
        Read once; only the runs of words that the test set has are kept, so that it may be much larger than memory.
    ngram : int
        Words in a run that count as overlap.
    examples : int
        How many of each kind to quote.
    """
    return find_contaminations({"": test}, training, ngram=ngram, examples=examples)[""]


def find_contaminations(
    tests: Mapping[str, Sequence[str]], training: Iterable[str], *, ngram: int = NGRAM, examples: int = 3
) -> dict[str, Contamination]:
    """Compare several test sets, by name, with one training set that is read once; see :func:`find_contamination`."""
    by_mask: dict[str, list[tuple[str, int]]] = {}
    by_run: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for name, test in tests.items():
        for index, question in enumerate(test):
            masked = mask(question)
            if masked.strip("#"):  # a question of numbers alone is no question in words
                by_mask.setdefault(masked, []).append((name, index))
            for run in _runs(question, ngram):
                by_run.setdefault(run, []).append((name, index))

    same: dict[str, dict[int, Example]] = {name: {} for name in tests}
    overlapping: dict[str, dict[int, Example]] = {name: {} for name in tests}
    training_same: dict[str, dict[int, None]] = {name: {} for name in tests}
    training_questions = 0
    for place, other in enumerate(training):
        training_questions += 1
        for name, index in by_mask.get(mask(other), ()):
            training_same[name][place] = None
            if index not in same[name]:
                same[name][index] = Example(index, tests[name][index], place, other, "the same question")
        for run in _runs(other, ngram):
            for name, index in by_run.pop(run, ()):
                shared = Example(index, tests[name][index], place, other, " ".join(run))
                overlapping[name].setdefault(index, shared)

    def finding(name: str) -> Contamination:
        alike, near = same[name], overlapping[name]
        return Contamination(
            questions=len(tests[name]),
            training_questions=training_questions,
            same=tuple(sorted(alike)),
            overlapping=tuple(sorted(near)),
            ngram=ngram,
            examples=(
                *[alike[index] for index in sorted(alike)][:examples],
                *[near[index] for index in sorted(near) if index not in alike][:examples],
            ),
            training_same=tuple(training_same[name]),
        )

    return {name: finding(name) for name in tests}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1] + "…"


def _runs(question: str, ngram: int) -> list[tuple[str, ...]]:
    """Return every run once, in the order of the question."""
    found = words(question)
    return list(dict.fromkeys(tuple(found[start : start + ngram]) for start in range(len(found) - ngram + 1)))
