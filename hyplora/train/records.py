"""Records to learn from: generated, out of a file, or from the Hub, each with its place for errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from embgeom.corpus.files import READERS, list_folder, read_records
from embgeom.corpus.hub import records_from_hub
from embgeom.corpus.registry import DATASETS, dataset_of_hub_id, find_dataset, find_in_root
from embgeom.errors import CorpusError, first_line
from hyplora.prompts import PromptRecord, read_record
from hyplora.train.options import DataOptions

__all__ = ["ARITHMETIC", "is_here", "read_training_records"]

ARITHMETIC = "arithmetic"
_ARITHMETIC_PROBLEMS = 10_000

_LAYOUTS = (("messages",), ("prompt", "completion"), ("instruction", "input", "output"), ("instruction", "output"))
_HUB_ID = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(?::(?P<config>[\w.-]+))?", re.ASCII)

OnBad = Callable[[CorpusError], None]


def read_training_records(
    options: DataOptions, *, split: str = "train", seed: int = 0, on_bad: OnBad | None = None
) -> Iterator[tuple[str, PromptRecord]]:
    """Yield the records of ``options.data``, each with what to call it in an error.

    Parameters
    ----------
    options : DataOptions
    split : {"train", "validation"}
        ``validation`` is for the built-in problems only, which share no numbers with those to learn from.
    seed : int
        Of the built-in problems.
    on_bad : callable, optional
        Called with the error of a record that cannot be read, which is then left out; by default the error is raised.

    Raises
    ------
    CorpusError
        The data cannot be found or read; there is no record; or one is no record, and there is no ``on_bad``.
    """

    def refuse(error: CorpusError) -> None:
        if on_bad is None:
            raise error
        on_bad(error)

    if options.data == ARITHMETIC:
        source, read = _arithmetic(split, _ARITHMETIC_PROBLEMS if split == "train" else options.validation, seed)
    else:
        source, read = _find(options.data, options.data_root)
    empty = True
    for place, fields in read(refuse):
        empty = False
        name = f"{source}: {place}"
        try:
            record = read_record(fields, name)  # type: ignore[arg-type]
        except CorpusError as error:
            refuse(error)
            continue
        yield name, record
    if empty:
        raise CorpusError(f"{source}: it is empty: no records to learn from")


def is_here(options: DataOptions) -> bool:
    """Return whether the data are built in or in a file here, so that reading them downloads nothing."""
    if options.data == ARITHMETIC or Path(options.data).expanduser().exists():
        return True
    root = options.data_root or os.environ.get("EMBGEOM_DATA")
    folder = Path(root).expanduser() if root and not _is_path(options.data) else None
    return folder is not None and folder.is_dir() and find_in_root(folder, options.data) is not None


Read = Callable[[Callable[[CorpusError], None]], Iterator[tuple[str, object]]]


def _arithmetic(split: str, count: int, seed: int) -> tuple[str, Read]:
    from hyplora.arithmetic import arithmetic_problems

    problems = arithmetic_problems(split, count, seed=seed)
    return ARITHMETIC, lambda _: ((f"problem {number}", problem) for number, problem in enumerate(problems, start=1))


def _find(data: str, data_root: str | None) -> tuple[str, Read]:
    """Return the name of the source, and what reads it."""
    dataset = None if _is_path(data) else find_dataset(data)
    if dataset is not None and dataset.split != "train":
        raise CorpusError(
            f"{data} is a test set of the paper, and training on it would spoil it; name a file, a Hub id, or one of: "
            + ", ".join([ARITHMETIC, *(d.name for d in DATASETS.values() if d.split == "train")])
        )
    root = data_root or os.environ.get("EMBGEOM_DATA")
    if root and not _is_path(data):
        folder = Path(root).expanduser()
        if not folder.is_dir():
            raise CorpusError(f"{'data_root' if data_root else 'EMBGEOM_DATA'} {root}: no such folder")
        if (found := find_in_root(folder, data)) is not None:
            return _file(found)
    if dataset is not None:
        advice = f"put {dataset.name}/{dataset.local_file} into a folder and give it as --data-root, or name a file"
        return dataset.hub_id, _hub(dataset.hub_id, dataset.config, dataset.revision, advice)
    path = Path(data).expanduser()
    if path.is_dir():
        return _file(_file_in(path))
    if path.exists():
        return _file(path)
    if path.suffix.lower() not in READERS and (hub := _HUB_ID.fullmatch(data)):
        known = dataset_of_hub_id(hub["id"], hub["config"])
        revision = known.revision if known else None
        return data, _hub(hub["id"], hub["config"], revision, f"name a local file or folder (there is none at {data})")
    raise CorpusError(
        f"no such file or folder: {data} (or one of: {ARITHMETIC}, "
        f"{', '.join(d.name for d in DATASETS.values() if d.split == 'train')})"
    )


def _is_path(data: str) -> bool:
    return data.startswith((".", "~")) or "/" in data or os.sep in data or Path(data).suffix.lower() in READERS


def _file_in(folder: Path) -> Path:
    if (folder / "train.json").is_file():
        return folder / "train.json"
    files = [entry.name for entry in list_folder(folder) if entry.suffix.lower() in READERS and entry.is_file()]
    there = f"name one of its files: {', '.join(files)}" if files else f"nor any {', '.join(READERS)} file"
    raise CorpusError(f"{folder}: a folder without train.json; {there}")


def _file(path: Path) -> tuple[str, Read]:
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return str(path), lambda refuse: _json_lines(path, refuse)
    if suffix == ".parquet":
        return str(path), lambda _: _parquet(path)
    return str(path), lambda _: read_records(path)


def _json_lines(path: Path, refuse: Callable[[CorpusError], None]) -> Iterator[tuple[str, object]]:
    """Like the reader of embgeom, but a line that is no JSON is one bad record among many."""
    try:
        with path.open("rb") as file:
            filled = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
            for count, (number, line) in enumerate(filled, start=1):
                place = f"record {count} (line {number})"
                try:
                    yield place, json.loads(line.decode("utf-8-sig"))
                except UnicodeDecodeError:
                    refuse(CorpusError(f"{path}: {place} is not UTF-8; convert it to UTF-8"))
                except (ValueError, RecursionError) as error:
                    refuse(CorpusError(f"{path}: {place}: malformed JSON: {first_line(error)}"))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parquet(path: Path) -> Iterator[tuple[str, object]]:
    """All columns of a row, where the reader of embgeom reads that of the text alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches(batch_size=1024) for row in batch.to_pylist())
            for number, row in enumerate(rows, start=1):
                yield f"record {number}", row
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{path}: malformed parquet: {first_line(error)}") from None


def _hub(hub_id: str, config: str | None, revision: str | None, advice: str) -> Read:
    def read(_: Any) -> Iterator[tuple[str, object]]:
        for layout in _LAYOUTS:
            try:
                found = records_from_hub(hub_id, config, split="train", fields=layout, revision=revision, advice=advice)
            except CorpusError as error:
                if "has no field" not in str(error):
                    raise
                lacking = error
            else:
                yield from found.read()
                return
        raise CorpusError(f"{lacking}; expected one of: {'; '.join(', '.join(layout) for layout in _LAYOUTS)}")

    return read
