"""Readers of text files: each turns one format into records, lazily where the format allows it.

A record comes with its place in the file, for errors: ``("record 3 (line 5)", {"text": ...})``. Text files are
UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from embgeom.corpus.fields import find_field
from embgeom.errors import CorpusError

__all__ = ["READERS", "list_folder", "read_records"]

Records = Iterator[tuple[str, object]]

_UTF8 = "utf-8-sig"  # drops the byte order mark if there is one


def read_records(path: Path, field: str | None = None) -> Records:
    """Yield the records of a file, in order.

    Parameters
    ----------
    path
        The file; its suffix names the format (:data:`READERS`).
    field
        The field that is wanted, so that formats with columns need not read the others.

    Yields
    ------
    tuple[str, object]
        The place of the record, and the record: a string or a mapping.

    Raises
    ------
    CorpusError
        Unknown suffix, unreadable file, not UTF-8, or malformed; names the line where there is one.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise CorpusError(f"{path}: unknown kind of file; the suffix must be one of: {', '.join(READERS)}")
    try:
        yield from reader(path, field)
    except UnicodeDecodeError:
        raise CorpusError(_describe_bad_bytes(path)) from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error


def list_folder(folder: Path) -> list[Path]:
    """Return what is in a folder, by name; raise :class:`CorpusError` if it may not be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _read_txt(path: Path, _field: str | None) -> Records:
    """One text per line that is not blank."""
    with path.open(encoding=_UTF8) as file:
        for number, line in _filled(file, path):
            yield f"line {number}", line.rstrip("\n")


def _read_jsonl(path: Path, _field: str | None) -> Records:
    with path.open(encoding=_UTF8) as file:
        yield from _json_lines(file, path)


def _filled(lines: Iterable[str], path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers; raise if there are lines, and all of them are."""
    number, found = 0, False
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found = True
            yield number, line
    if number and not found:
        blank = "its only line is blank" if number == 1 else f"all {number} lines are blank"
        raise CorpusError(f"{path}: no texts: {blank}")


def _json_lines(lines: Iterable[str], path: Path) -> Records:
    for count, (number, line) in enumerate(_filled(lines, path), start=1):
        yield f"record {count} (line {number})", _parse_json(line, path, line=number)


def _read_json(path: Path, field: str | None) -> Records:
    """A list of records or strings; an object of columns, or around one list of records; or JSON lines."""
    text = path.read_text(encoding=_UTF8)
    if not text.strip():
        yield from _json_lines(text.splitlines(), path)  # none of them, or all blank
        return
    if _has_several_documents(text):  # many tools write JSON lines under the suffix .json
        yield from _json_lines(text.split("\n"), path)
        return
    document = _parse_json(text, path)
    if isinstance(document, dict):
        document = _records_of_object(document, path, field)
    if not isinstance(document, list):
        raise CorpusError(f"{path}: expected a list of records or strings, or an object that holds one")
    for number, record in enumerate(document, start=1):
        yield f"record {number}", record


def _has_several_documents(text: str) -> bool:
    """Tell JSON lines from one document: the first line is an object of its own, and there is more after it."""
    first, _, rest = text.strip().partition("\n")
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _records_of_object(document: dict[str, Any], path: Path, field: str | None) -> list[object]:
    """Return the records in an object: of its one list of objects, else of its columns, else the object itself."""
    lists = {name: value for name, value in document.items() if isinstance(value, list)}
    if not lists:
        return [document]
    tables = [name for name, value in lists.items() if value and isinstance(value[0], dict)]
    if len(tables) > 1:
        names = ", ".join(tables)
        raise CorpusError(f"{path}: holds several lists of records ({names}); save the one to use in its own file")
    if tables:
        return lists[tables[0]]
    if not any(lists.values()):
        return []
    if field is None:
        kinds = {name: bool(value) and isinstance(value[0], str | None) for name, value in lists.items()}
        field = find_field(kinds, str(path))
    elif field not in lists:
        raise CorpusError(f"{path}: has no field {field!r}; its fields are: {', '.join(lists)}")
    return [{field: value} for value in lists[field]]


def _parse_json(text: str, path: Path, line: int | None = None) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {line or error.lineno}, column {error.colno}"
        raise CorpusError(f"{path}: malformed JSON at {place}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of nested lists
        raise CorpusError(f"{path}: malformed JSON at line {line or 1}: {error}") from None


def _read_csv(path: Path, _field: str | None) -> Records:
    """Rows under a header line; separated by tabs in a .tsv file, by commas otherwise."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding=_UTF8, newline="") as file:
        rows = csv.reader(file, delimiter=separator, strict=True)
        try:
            header = next(rows, [])
            _check_header(header, path)
            for number, row in enumerate((row for row in rows if row), start=1):
                if len(row) != len(header):
                    message = (
                        f"{len(row)} cells where the header has {len(header)}; is a text with {separator!r} unquoted?"
                    )
                    raise CorpusError(f"{path}: line {rows.line_num} has {message}")
                yield f"record {number} (line {rows.line_num})", dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise CorpusError(f"{path}: malformed at line {rows.line_num}: {error}") from None


def _check_header(header: list[str], path: Path) -> None:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise CorpusError(f"{path}: the header is one cell, {header[0]!r}; separate by commas (.csv) or tabs (.tsv)")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise CorpusError(f"{path}: the header names more than one column {repeated[0]!r}")


def _read_parquet(path: Path, field: str | None) -> Records:
    """Rows of one column, batch by batch; the other columns are never read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = {column.name: _is_string(column.type) for column in file.schema_arrow}
            if field is None:
                field = find_field(columns, str(path))
            elif field not in columns:
                raise CorpusError(f"{path}: has no field {field!r}; its fields are: {', '.join(columns)}")
            batches = file.iter_batches(batch_size=1024, columns=[field])
            values = (value for batch in batches for value in batch.column(0).to_pylist())
            for number, value in enumerate(values, start=1):
                yield f"record {number}", {field: value}
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: malformed parquet: {str(error).splitlines()[0]}") from error


def _is_string(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):  # repeated strings, stored once
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


READERS: dict[str, Callable[[Path, str | None], Records]] = {
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".txt": _read_txt,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
"""The reader of each suffix."""


def _describe_bad_bytes(path: Path) -> str:
    # The decoder counts from the start of its buffer, so the place is looked up in the file as a whole.
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{path}: is UTF-16; convert it to UTF-8"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        return f"{path}: is not UTF-8: {byte} (line {line}); convert it to UTF-8"
    return f"{path}: changed while it was read"
