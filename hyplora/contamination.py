"""Are the questions of a test set in the training set? Two definitions, side by side.

*The same question*: equal once case, punctuation, white space and the values of numbers are set aside. *Overlap*: a run
of 13 words in common (Brown et al. 2020, arXiv 2005.14165, appendix C), every number counting as the same word. Overlap
is the wider net: it also catches what two questions of one template share, and the form of the answer choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embgeom.results import Record

__all__ = ["NGRAM", "Contamination", "Example", "find_contamination", "mask", "words"]

NGRAM = 13
"""Words in a run that count as overlap, unless told."""

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
    """

    questions: int
    training_questions: int
    same: tuple[int, ...]
    overlapping: tuple[int, ...]
    ngram: int
    examples: tuple[Example, ...] = ()

    @property
    def clean(self) -> tuple[int, ...]:
        """Places of the test questions that are not in the training set."""
        same = set(self.same)
        return tuple(index for index in range(self.questions) if index not in same)

    @property
    def found(self) -> bool:
        """Whether there is any contamination, of either kind."""
        return bool(self.same or self.overlapping)

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
    by_mask: dict[str, list[int]] = {}
    by_run: dict[tuple[str, ...], list[int]] = {}
    for index, question in enumerate(test):
        masked = mask(question)
        if masked.strip("#"):  # a question of numbers alone is no question in words
            by_mask.setdefault(masked, []).append(index)
        for run in _runs(question, ngram):
            by_run.setdefault(run, []).append(index)

    same: dict[int, Example] = {}
    overlapping: dict[int, Example] = {}
    training_questions = 0
    for place, other in enumerate(training):
        training_questions += 1
        for index in by_mask.pop(mask(other), ()):
            same[index] = Example(index, test[index], place, other, "the same question")
        for run in _runs(other, ngram):
            for index in by_run.pop(run, ()):
                overlapping.setdefault(index, Example(index, test[index], place, other, " ".join(run)))
    only_overlapping = [overlapping[index] for index in sorted(overlapping) if index not in same]
    return Contamination(
        questions=len(test),
        training_questions=training_questions,
        same=tuple(sorted(same)),
        overlapping=tuple(sorted(overlapping)),
        ngram=ngram,
        examples=(*[same[index] for index in sorted(same)][:examples], *only_overlapping[:examples]),
    )


def _runs(question: str, ngram: int) -> set[tuple[str, ...]]:
    found = words(question)
    return {tuple(found[start : start + ngram]) for start in range(len(found) - ngram + 1)}
