"""Which test questions are in the training data: found before the training, written beside its adapter."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from embgeom.corpus import TextStream, stream_texts
from embgeom.corpus.registry import find_dataset, find_in_root
from embgeom.errors import CorpusError, InputError, OptionError
from embgeom.results import Record
from hyplora.contamination import Contamination, find_contaminations
from hyplora.evaluate.tasks import TASKS, load_task
from hyplora.train.options import DataOptions
from hyplora.train.records import ARITHMETIC, read_training_records

__all__ = ["CONTAMINATION", "ContaminationReport", "TestSet", "check_contamination"]

CONTAMINATION = "contamination.json"
"""The file of a training's folder that the :class:`ContaminationReport` is written to."""

_BY_CONSTRUCTION = "its test problems have other pairs of numbers, by construction"


@dataclass(frozen=True)
class TestSet(Record):
    """A test set that the training data were compared with.

    Attributes
    ----------
    name, source : str
    contamination : Contamination
    """

    __test__ = False  # no test of pytest's

    name: str
    source: str
    contamination: Contamination


@dataclass(frozen=True)
class ContaminationReport(Record):
    """What the training data have in common with test sets, and with which of them they were not compared.

    Attributes
    ----------
    compared : tuple of TestSet
    not_compared : tuple of str
        One line for each reason, with the names.
    excluded : tuple of int
        Places of the training records, from 0, that are left out because their question is in a test set.
    """

    compared: tuple[TestSet, ...] = ()
    not_compared: tuple[str, ...] = ()
    excluded: tuple[int, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Return the findings, a line for each test set, and what was not compared."""
        found = [f"{each.name}: {each.contamination.sentence()}" for each in self.compared]
        if self.excluded:
            found.append(f"{len(self.excluded)} training records left out, because their questions are in a test set")
        return (*found, *self.not_compared)

    def quotations(self) -> tuple[str, ...]:
        """Return one example of each kind for every test set that has any."""
        return tuple(
            f"{each.name}: {' | '.join(example.lines())}"
            for each in self.compared
            for example in each.contamination.quoted
        )


def check_contamination(
    options: DataOptions, *, seed: int = 0, on_done: Callable[[], object] = lambda: None
) -> ContaminationReport:
    """Compare the training data with the test sets of ``options.check_against``.

    ``auto`` are the tasks of :mod:`hyplora.evaluate` whose files are here: below the data root, or beside the training
    data where those are in such a folder themselves. Nothing is downloaded for it, and what was not found is named.

    Parameters
    ----------
    options : DataOptions
    seed : int
        Of the built-in problems.
    on_done : callable
        Called after each training record.

    Raises
    ------
    CorpusError
        The training data, or a test set that was named, cannot be found or read.
    OptionError
        There is nothing to exclude by, because the data are compared with no test set; or a name that says nothing.
    """
    tests, missing = _test_sets(options)
    if options.exclude_contaminated and not tests:
        raise OptionError(
            "exclude_contaminated has no test set to compare the training data with; name some with --check-against"
        )
    if not tests:
        return ContaminationReport(not_compared=missing)

    def training() -> Iterator[str]:
        skip = (lambda error: None) if options.skip_bad else None
        for _, record in read_training_records(options, seed=seed, on_bad=skip):
            on_done()
            yield record.question

    found = find_contaminations({name: questions for name, (_, questions) in tests.items()}, training())
    places = {place for each in found.values() for place in each.training_same}
    return ContaminationReport(
        tuple(TestSet(name, source, found[name]) for name, (source, _) in tests.items()),
        missing,
        tuple(sorted(places)) if options.exclude_contaminated else (),
    )


_Found = dict[str, tuple[str, Sequence[str]]]


def _test_sets(options: DataOptions) -> tuple[_Found, tuple[str, ...]]:
    """Return source and questions of every test set that there is, and lines on those that there are not."""
    named = options.check_against
    if named == ("none",):
        return {}, ("compared with no test set, as --check-against none says",)
    if named != ("auto",):
        if alone := sorted({"auto", "none"} & set(named)):
            raise OptionError(f"check_against: {alone[0]} says it all; name it alone")
        found: _Found = {}
        for name in named:
            found |= _named(name, options.data_root)
        return found, ()
    if options.data == ARITHMETIC:
        return {}, (f"{ARITHMETIC}: {_BY_CONSTRUCTION}",)
    return _nearby(options)


def _named(name: str, data_root: str | None) -> _Found:
    if name == ARITHMETIC:
        raise OptionError(f"check_against: numbers are masked to compare, and {ARITHMETIC} is nothing but numbers")
    if find_dataset(name) is not None and Path(name).name == name:
        task = load_task(name, data_root=data_root)
        return {task.name: (task.source, [question.record.question for question in task.questions])}
    stream = stream_texts(name, data_root=data_root)
    return {stream.name: (stream.source, _questions(stream))}


def _questions(stream: TextStream) -> Sequence[str]:
    """Return the questions of a file as a training reads them, with their input; of other data, the texts."""
    if Path(stream.source).is_file():
        with contextlib.suppress(CorpusError):  # no records to train on, or the texts have the better error
            return [record.question for _, record in read_training_records(DataOptions(data=stream.source))]
    return stream.collect().texts


def _nearby(options: DataOptions) -> tuple[_Found, tuple[str, ...]]:
    roots = _roots(options)
    if not roots:
        return {}, (
            "compared with no test set: there is no --data-root to look for them in; --check-against TASK … names some",
        )
    found: _Found = {}
    absent, faults = [], []
    for name in TASKS:
        if name == ARITHMETIC:
            continue
        root = next((root for root in roots if find_in_root(root, name) is not None), None)
        if root is None:
            absent.append(name)
            continue
        try:
            found |= _named(name, str(root))
        except InputError as error:
            faults.append(f"not compared with {name}: {error}")
    if absent:
        where = " or ".join(map(str, roots))
        faults.append(f"not compared with {', '.join(absent)}: not in {where}; --check-against TASK … fetches them")
    return found, tuple(faults)


def _roots(options: DataOptions) -> list[Path]:
    given = options.data_root or os.environ.get("EMBGEOM_DATA")
    roots = [Path(given).expanduser()] if given else []
    data = Path(options.data).expanduser()
    file = data / "train.json" if data.is_dir() else data
    if file.is_file() and file.stem == "train":
        roots.append(file.absolute().parent.parent)
    return [root for root in dict.fromkeys(root.absolute() for root in roots) if root.is_dir()]
