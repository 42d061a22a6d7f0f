"""Test questions against training questions: those of data that are named, or that the adapter was trained on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embgeom.corpus import load_texts
from embgeom.errors import CorpusError, InputError
from hyplora.contamination import Contamination, find_contaminations

if TYPE_CHECKING:
    from hyplora.evaluate.tasks import Task
    from hyplora.train.options import DataOptions

__all__ = ["compare_with_training"]

_ARITHMETIC = "arithmetic"


def compare_with_training(
    tasks: Sequence[Task],
    training_data: str | None,
    *,
    adapter: str | None = None,
    data_root: str | os.PathLike[str] | None = None,
) -> tuple[str | None, dict[str, Contamination], tuple[str, ...]]:
    """Compare the questions of tasks with those that a model was trained on.

    Parameters
    ----------
    tasks : sequence of Task
    training_data : str, optional
        A file, data set or Hub id; ``none`` compares with nothing. By default what training.yaml beside the adapter
        says, less the records that were left out of the training, if it is here: nothing is downloaded for it.
    adapter : str, optional
    data_root : path, optional

    Returns
    -------
    tuple
        What was compared with, or None; the findings by task; and lines on what was not compared.

    Raises
    ------
    CorpusError
        Training data that were named cannot be found or read.
    """
    from hyplora.train.options import DataOptions
    from hyplora.train.records import is_here

    root = None if data_root is None else os.fspath(data_root)
    if training_data == "none":
        return None, {}, ()
    excluded: tuple[int, ...] = ()
    if training_data is not None:
        options = DataOptions(data=training_data, data_root=root)
    else:
        try:
            learned = None if adapter is None else _learned_from(Path(adapter).expanduser(), root)
        except InputError as error:
            return None, {}, (f"not compared with the adapter's training data: {error}",)
        if learned is None:
            return None, {}, ()
        options, excluded = learned
        if not is_here(options):
            remark = f"not compared with {options.data}, which the adapter was trained on: not found here"
            return None, {}, (f"{remark}; name it with --training-data",)
    compared = [task for task in tasks if task.name != _ARITHMETIC]
    remarks: list[str] = []
    if len(compared) < len(tasks):
        other = "its problems have other pairs of numbers than those to train on, by construction"
        masked = "not compared: numbers are masked to compare, and it is nothing but numbers"
        remarks.append(f"{_ARITHMETIC}: {other if options.data == _ARITHMETIC else masked}")
    if not compared:
        if training_data not in (None, _ARITHMETIC):
            next(_questions(options, set()), None)  # data that were named are to be there, even if nothing is compared
        return options.data, {}, tuple(remarks)
    questions = {task.name: [question.record.question for question in task.questions] for task in compared}
    return options.data, find_contaminations(questions, _questions(options, set(excluded))), tuple(remarks)


def _learned_from(folder: Path, data_root: str | None) -> tuple[DataOptions, tuple[int, ...]] | None:
    """Return the data of the training that made an adapter, and the places of the records that it left out."""
    from dataclasses import replace

    from hyplora.train.contamination import CONTAMINATION, ContaminationReport
    from hyplora.train.folder import OutputFolder
    from hyplora.train.settings import resolve

    config = OutputFolder(folder).config
    if not config.is_file():
        return None
    options = resolve({}, config=config).data
    if data_root is not None:
        options = replace(options, data_root=data_root)
    report = folder / CONTAMINATION
    return options, ContaminationReport.load(report).excluded if report.is_file() else ()


def _questions(options: DataOptions, excluded: set[int]) -> Iterator[str]:
    """Yield the questions as a training reads them; of data that are no records to train on, the texts."""
    from hyplora.train.records import read_training_records

    records = (record for _, record in read_training_records(options, on_bad=lambda error: None))
    try:
        first = next(records, None)
    except CorpusError:
        first = None
    if first is None:
        yield from load_texts(options.data, data_root=options.data_root).texts
        return
    if 0 not in excluded:
        yield first.question
    yield from (record.question for index, record in enumerate(records, start=1) if index not in excluded)
