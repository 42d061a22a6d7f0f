"""The one door to texts: :func:`load_texts`."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from embgeom.corpus.fields import Collected, collect_texts
from embgeom.corpus.files import READERS, list_folder, read_records
from embgeom.corpus.hub import texts_from_hub
from embgeom.corpus.registry import DATASETS, PaperDataset, dataset_of_hub_id, find_dataset, find_in_root
from embgeom.errors import CorpusError, OptionError

__all__ = ["Corpus", "load_texts"]

_SPLIT_NAMES = ("test", "validation", "valid", "val", "dev", "train")
_HUB_ID = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(?::(?P<config>[\w.-]+))?", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Texts and where they came from.

    Attributes
    ----------
    texts
        In the order of the source, as they stand there; none is blank.
    name
        A short name for tables: ``gsm8k`` for ``data/gsm8k/test.json``, ``x`` for ``x.jsonl``.
    source
        The path, or the Hub id (with ``:config``), or a description of the built-in texts.
    field
        The field the texts were taken from (``"goal + sol1 + sol2"`` where several were joined); None for plain texts.
    split
        ``"test"``, ``"validation"``, ``"train"`` ...; None where the source does not say.
    revision
        The commit on the Hub; None for local data, and where a cached copy was read without network.
    skipped
        Blank records left out, up to the last text that was read.
    """

    texts: tuple[str, ...] = dataclasses.field(repr=False)
    name: str
    source: str
    field: str | None = None
    split: str | None = None
    revision: str | None = None
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)


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
    if limit is not None and limit < 1:
        raise OptionError(f"limit must be at least 1, got {limit}")
    name = name_or_path if isinstance(name_or_path, str) else ""
    if name == "demo":
        return _load_demo(field, limit)
    if _is_bare(name):
        dataset, root = find_dataset(name), _checked_root(data_root)
        if root is not None and (local := find_in_root(root, name)) is not None:
            return _load_file(local, field, limit, name=dataset.name if dataset else name)
        if dataset is not None:
            return _load_paper(dataset, field, limit, root)
    path = Path(os.path.expanduser(name_or_path))
    if str(name_or_path) and os.path.exists(path):  # Path("") is the current folder
        path = _file_in_folder(path) if path.is_dir() else path
        return _load_file(path, field, limit, name=_short_name(path))
    if path.suffix.lower() not in READERS and (hub := _HUB_ID.fullmatch(name)):
        return _load_hub_id(hub["id"], hub["config"], field, limit)
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


def _load_demo(field: str | None, limit: int | None) -> Corpus:
    from embgeom.demo.texts import demo_texts

    records = ((f"text {number}", text) for number, text in enumerate(demo_texts(), start=1))
    found = collect_texts(records, source="demo", fields=_named(field), limit=limit)
    # The texts belong to the Python that runs, so its version is part of where they came from.
    source = f"pydoc_data.topics of Python {platform.python_version()}"
    return _corpus(found, name="demo", source=source)


def _load_file(path: Path, field: str | None, limit: int | None, *, name: str) -> Corpus:
    found = collect_texts(read_records(path, field), source=str(path), fields=_named(field), limit=limit)
    split = path.stem.lower() if path.stem.lower() in _SPLIT_NAMES else None
    return _corpus(found, name=name, source=str(path), split=split)


def _load_paper(dataset: PaperDataset, field: str | None, limit: int | None, root: Path | None = None) -> Corpus:
    wanted = f"{dataset.name}/{dataset.local_file}"
    advice = f"put {wanted} below {root}" if root else f"give a folder with {wanted} as --data-root (data_root=...)"
    hub = texts_from_hub(
        dataset.hub_id,
        dataset.config,
        split=dataset.split,
        fields=_named(field) or dataset.fields,
        revision=dataset.revision,
        limit=limit,
        advice=f"{advice}, or name a file",
    )
    source = f"{dataset.hub_id}:{dataset.config}" if dataset.config else dataset.hub_id
    return _corpus(hub.collected, name=dataset.name, source=source, split=hub.split, revision=hub.revision)


def _load_hub_id(hub_id: str, config: str | None, field: str | None, limit: int | None) -> Corpus:
    if (dataset := dataset_of_hub_id(hub_id, config)) is not None:
        return _load_paper(dataset, field, limit)
    # It looks like a path as well, and a mistyped path is the likelier reason for failure.
    advice = f"name a local file or folder (there is none at {hub_id})"
    hub = texts_from_hub(hub_id, config, fields=_named(field), limit=limit, advice=advice)
    name, source = hub_id.rpartition("/")[2], f"{hub_id}:{config}" if config else hub_id
    return _corpus(hub.collected, name=name, source=source, split=hub.split, revision=hub.revision)


def _named(field: str | None) -> tuple[str, ...]:
    return () if field is None else (field,)


def _corpus(
    found: Collected, *, name: str, source: str, split: str | None = None, revision: str | None = None
) -> Corpus:
    field = " + ".join(found.fields) or None
    return Corpus(found.texts, name, source, field, split, revision, found.skipped)


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
