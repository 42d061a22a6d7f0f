"""The one door to texts: :func:`load_texts`, and :func:`stream_texts` for more of them than memory holds."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from embgeom.corpus.files import READERS, list_folder, read_records
from embgeom.corpus.hub import records_from_hub
from embgeom.corpus.registry import DATASETS, PaperDataset, dataset_of_hub_id, find_dataset, find_in_root
from embgeom.corpus.texts import Corpus, TextStream
from embgeom.errors import CorpusError, OptionError

__all__ = ["load_texts", "stream_texts"]

_SPLIT_NAMES = ("test", "validation", "valid", "val", "dev", "train")
_HUB_ID = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(?::(?P<config>[\w.-]+))?", re.ASCII)


def load_texts(
    name_or_path: str | os.PathLike[str],
    *,
    field: str | None = None,
    limit: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
) -> Corpus:
    """Load texts by name, from a file or from the Hugging Face Hub.

    Parameters
    ----------
    name_or_path
        The first of these that fits:

        - ``"demo"``: English prose out of ``pydoc_data.topics``, which every Python carries;
        - a name below ``data_root``: ``<name>/test.json`` or ``<name>.json``, with the paper's training sets in
          ``train.json``; upper case, ``-`` and ``_`` make no difference (``ARC-Easy`` is ``arc_easy``);
        - a data set of the paper (:data:`embgeom.corpus.DATASETS`), from the Hub;
        - a file (.json, .jsonl, .ndjson, .txt, .csv, .tsv, .parquet), or a folder with ``test.json``;
        - a Hub id, ``"owner/name"`` or ``"owner/name:config"``: split test, else validation, else train.

        A ``Path`` is always a file or folder.
    field
        The field that holds the text. None: the first of :data:`embgeom.corpus.fields.USUAL_FIELDS` that is there
        (instruction, question, prompt, text, ...), else the only field with strings; for a data set of the paper on
        the Hub, the fields that make up its question and choices, joined by one space. A list of texts is joined.
    limit
        The first ``limit`` texts only; where the format allows it, no more is read.
    data_root
        A folder with data sets, looked in before the Hub. None: the environment variable ``EMBGEOM_DATA``, if set.

    Returns
    -------
    Corpus
        At least one text.

    Raises
    ------
    CorpusError
        Nothing of that name; unreadable or malformed data (with its line); field missing, not text or ambiguous
        (with the fields there are); no text at all; the Hub out of reach, or the data set gated.
    OptionError
        ``limit`` below 1.

    Notes
    -----
    A .json file holds a list of records or strings; an object of columns (``{"text": [...]}``); an object around one
    list of records (``{"data": [...]}``); or JSON lines. An object without a list is one record. The first row of a
    .csv or .tsv names the fields. In a .txt file each line that is not blank is a text.

    The paper's own files (LLM-Adapters) wrap each question in an instruction template, which the data sets on the
    Hub do not have: figures differ a little between the two.
    """
    return stream_texts(name_or_path, field=field, limit=limit, data_root=data_root).collect()


def stream_texts(
    name_or_path: str | os.PathLike[str],
    *,
    field: str | None = None,
    limit: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
) -> TextStream:
    """Find the texts that :func:`load_texts` would load, to be read one by one, each time they are iterated over.

    Of a file with lines, of parquet and of a data set of the Hub (which is kept on disk) no more than a batch is in
    memory at a time; a .json file of one document is parsed whole.

    Parameters
    ----------
    name_or_path, field, limit, data_root
        As :func:`load_texts` takes them.

    Returns
    -------
    TextStream
        What is wrong inside of a file is found only when its texts are read.

    Raises
    ------
    CorpusError
        Nothing of that name; the Hub out of reach, or the data set gated.
    OptionError
        ``limit`` below 1.
    """
    if limit is not None and limit < 1:
        raise OptionError(f"limit must be at least 1, got {limit}")
    name = name_or_path if isinstance(name_or_path, str) else ""
    if name == "demo":
        return _demo(field, limit)
    if _is_bare(name):
        dataset, root = find_dataset(name), _checked_root(data_root)
        if root is not None and (local := find_in_root(root, name)) is not None:
            return _file(local, field, limit, name=dataset.name if dataset else name)
        if dataset is not None:
            return _paper(dataset, field, limit, root)
    path = Path(os.path.expanduser(name_or_path))
    if str(name_or_path) and os.path.exists(path):  # Path("") is the current folder
        path = _file_in_folder(path) if path.is_dir() else path
        return _file(path, field, limit, name=_short_name(path))
    if path.suffix.lower() not in READERS and (hub := _HUB_ID.fullmatch(name)):
        return _hub_id(hub["id"], hub["config"], field, limit)
    raise CorpusError(_nothing_found(os.fspath(name_or_path)))


def _is_bare(name: str) -> bool:
    is_path = name.startswith((".", "~")) or "/" in name or os.sep in name or Path(name).suffix.lower() in READERS
    return bool(name) and not is_path


def _checked_root(data_root: str | os.PathLike[str] | None) -> Path | None:
    given = os.fspath(data_root) if data_root is not None else os.environ.get("EMBGEOM_DATA")
    if not given:
        return None
    root = Path(os.path.expanduser(given))
    if not root.is_dir():
        origin = "data_root" if data_root is not None else "EMBGEOM_DATA"
        raise CorpusError(f"{origin} {root}: no such folder")
    return root


def _demo(field: str | None, limit: int | None) -> TextStream:
    # The texts belong to the Python that runs, so its version is part of where they came from.
    source = f"pydoc_data.topics of Python {platform.python_version()}"
    return TextStream(_demo_records, name="demo", source=source, called="demo", fields=_named(field), limit=limit)


def _demo_records() -> Iterator[tuple[str, object]]:
    from embgeom.demo.texts import demo_texts

    return ((f"text {number}", text) for number, text in enumerate(demo_texts(), start=1))


def _file(path: Path, field: str | None, limit: int | None, *, name: str) -> TextStream:
    split = path.stem.lower() if path.stem.lower() in _SPLIT_NAMES else None
    read = partial(read_records, path, field)
    return TextStream(read, name=name, source=str(path), fields=_named(field), limit=limit, split=split)


def _paper(dataset: PaperDataset, field: str | None, limit: int | None, root: Path | None = None) -> TextStream:
    wanted = f"{dataset.name}/{dataset.local_file}"
    advice = f"put {wanted} below {root}" if root else f"give a folder with {wanted} as --data-root (data_root=...)"
    return _hub(
        dataset.hub_id,
        dataset.config,
        name=dataset.name,
        split=dataset.split,
        fields=_named(field) or dataset.fields,
        revision=dataset.revision,
        limit=limit,
        advice=f"{advice}, or name a file",
    )


def _hub_id(hub_id: str, config: str | None, field: str | None, limit: int | None) -> TextStream:
    if (dataset := dataset_of_hub_id(hub_id, config)) is not None:
        return _paper(dataset, field, limit)
    # It looks like a path as well, and a mistyped path is the likelier reason for failure.
    advice = f"name a local file or folder (there is none at {hub_id})"
    return _hub(hub_id, config, name=hub_id.rpartition("/")[2], fields=_named(field), limit=limit, advice=advice)


def _hub(hub_id: str, config: str | None, *, name: str, limit: int | None, **options: Any) -> TextStream:
    found = records_from_hub(hub_id, config, **options)
    source = f"{hub_id}:{config}" if config else hub_id
    fields, split, revision = found.fields, found.split, found.revision
    return TextStream(found.read, name=name, source=source, fields=fields, limit=limit, split=split, revision=revision)


def _named(field: str | None) -> tuple[str, ...]:
    return () if field is None else (field,)


def _file_in_folder(folder: Path) -> Path:
    if (folder / "test.json").is_file():
        return folder / "test.json"
    files = sorted(entry.name for entry in list_folder(folder) if entry.suffix.lower() in READERS and entry.is_file())
    there = f"name one of its files: {', '.join(files)}" if files else f"nor any {', '.join(READERS)} file"
    raise CorpusError(f"{folder}: a folder without test.json; {there}")


def _short_name(path: Path) -> str:
    """``gsm8k/test.json`` is gsm8k: a name that every data set's file has tells nothing in a table."""
    parent = path.absolute().parent.name
    return parent if path.stem.lower() in _SPLIT_NAMES and parent else path.stem


def _nothing_found(name: str) -> str:
    import difflib

    if os.sep in name or "/" in name or Path(name).suffix.lower() in READERS:
        return f"no such file or folder: {name}"
    names = ["demo", *DATASETS]
    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = name if len(name) <= 80 else f"{name[:77]}..."  # a whole text, passed by mistake
    return f"no file, folder or data set {shown!r}{hint} (data sets: {', '.join(names)})"
