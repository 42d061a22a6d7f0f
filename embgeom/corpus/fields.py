"""From records to texts: which field holds the text, and what a record without one means."""

from __future__ import annotations

from collections.abc import Mapping

from embgeom.errors import CorpusError

__all__ = ["USUAL_FIELDS", "fields_of_first", "find_field", "text_of"]

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


def fields_of_first(record: object, source: str) -> tuple[str, ...]:
    """Return the field that the first record has its text in; none if it has no fields."""
    if not isinstance(record, Mapping):
        return ()
    return (find_field({name: isinstance(value, str | None) for name, value in record.items()}, source),)


def text_of(record: object, fields: tuple[str, ...] | None, place: str) -> str | None:
    """Return the text of a record as it stands there, unstripped; None if it is blank or null.

    Parameters
    ----------
    record
        A mapping, or a string.
    fields
        The fields of a mapping that make up the text, joined by one space; None where records are strings.
    place
        What to call the record in an error.

    Raises
    ------
    CorpusError
        The record is of another kind, lacks a field, has something else than text there, or half a surrogate pair.
    """
    text = _plain_text(record, place) if fields is None else _joined(record, fields, place)
    return _checked(text, place) if text and not text.isspace() else None


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
