"""From records to texts: which field holds the text, and what a record without one means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from embgeom.errors import CorpusError

__all__ = ["USUAL_FIELDS", "Collected", "collect_texts", "find_field"]

USUAL_FIELDS = (
    "instruction",
    "question",
    "prompt",
    "text",
    "problem",
    "sentence",
    "content",
    "goal",
    "query",
    "question_stem",
    "ctx",
    "passage",
    "document",
    "body",
)
"""Names under which a text is looked for, first match first; upper and lower case are the same."""


class Collected(NamedTuple):
    """Texts, the number of blank records that were left out, and the fields the texts came from."""

    texts: tuple[str, ...]
    skipped: int
    fields: tuple[str, ...]


def find_field(fields: Mapping[str, bool], source: str) -> str:
    """Tell which field holds the text: the first of :data:`USUAL_FIELDS`, else the only field with strings.

    Parameters
    ----------
    fields
        The names there are; True where the field can hold text.
    source
        What to call the data in an error.

    Raises
    ------
    CorpusError
        No field holds text, or several do and none has a usual name. The message lists them.
    """
    textual = [name for name, is_text in fields.items() if is_text]
    for usual in USUAL_FIELDS:
        for name in textual:
            if name.lower() == usual:
                return name
    if len(textual) == 1:
        return textual[0]
    if textual:
        raise CorpusError(f"{source}: cannot tell which field holds the text; name one of: {', '.join(textual)}")
    raise CorpusError(f"{source}: no field holds text; the fields there are: {', '.join(fields) or 'none'}")


def collect_texts(
    records: Iterable[tuple[str, object]], *, source: str, fields: tuple[str, ...] = (), limit: int | None = None
) -> Collected:
    """Take the text out of each record, until ``limit`` texts are found.

    Parameters
    ----------
    records
        Pairs of where the record stands ("record 3 (line 5)") and the record: a string, or a mapping. All must be
        of one kind. Read lazily, and no further than needed.
    source
        What to call the data in an error.
    fields
        The fields of a mapping that make up its text, joined by one space; empty: found from the first record.
    limit
        The number of texts to stop at.

    Returns
    -------
    Collected
        The texts as they stand in the records, unstripped. A blank or null text is left out and counted.

    Raises
    ------
    CorpusError
        A record lacks the field, has something else than text there or is of another kind; the field cannot be
        told; or there is no text at all.
    """
    texts: list[str] = []
    skipped = 0
    plain: bool | None = None
    for place, record in records:
        if plain is None:
            plain = isinstance(record, str)
            fields = fields or _fields_of_first(record, source)
            if plain and fields:
                raise CorpusError(f"{source}: has no field {fields[0]!r}: its records are plain texts")
        text = _plain_text(record, f"{source}: {place}") if plain else _joined(record, fields, f"{source}: {place}")
        if text and not text.isspace():
            texts.append(_checked(text, f"{source}: {place}"))
        else:
            skipped += 1
        if limit is not None and len(texts) >= limit:
            break
    if not texts:
        raise CorpusError(f"{source}: no texts: " + (f"all {skipped} records are blank" if skipped else "it is empty"))
    return Collected(tuple(texts), skipped, fields)


def _fields_of_first(record: object, source: str) -> tuple[str, ...]:
    if not isinstance(record, Mapping):
        return ()
    return (find_field({name: isinstance(value, str | None) for name, value in record.items()}, source),)


def _plain_text(record: object, place: str) -> str:
    if not isinstance(record, str):
        raise CorpusError(f"{place} is {_kind(record)}, but the records before it are plain texts")
    return record


def _joined(record: object, fields: tuple[str, ...], place: str) -> str:
    if not isinstance(record, Mapping):
        raise CorpusError(f"{place} is {_kind(record)}; expected an object with named fields")
    parts: list[str] = []
    for field in fields:
        if field not in record:
            raise CorpusError(f"{place} has no field {field!r}; its fields are: {', '.join(record) or 'none'}")
        parts += _strings(record[field], f"{place}: field {field!r}")
    # One field is passed on untouched; blank parts would only double the spaces between the others.
    return parts[0] if len(parts) == 1 else " ".join(part for part in parts if part.strip())


def _strings(value: object, place: str) -> list[str]:
    """Flatten a text, a list of texts, or a table with a column "text" (the choices of ARC) into strings."""
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if isinstance(value, Mapping) and "text" in value:
        return _strings(value["text"], place)
    if isinstance(value, list | tuple):
        return [part for item in value for part in _strings(item, place)]
    raise CorpusError(f"{place} holds {_kind(value)}, not text")


def _checked(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # JSON can escape half of a surrogate pair; tokenizers fail on it later, with a message that helps nobody.
        code = f"U+{ord(text[error.start]):04X}"
        raise CorpusError(
            f"{place} has a lone surrogate ({code}) at character {error.start}; repair the text"
        ) from None
    return text


def _kind(value: object) -> str:
    kinds = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a plain text"}
    return kinds.get(type(value)) or ("a list" if isinstance(value, list | tuple) else "an object")
