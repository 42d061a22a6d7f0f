"""Texts in memory, and texts that are read anew each time: the same, but for where they are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from embgeom.corpus.fields import fields_of_first, text_of
from embgeom.errors import CorpusError

__all__ = ["Corpus", "TextStream"]


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


class TextStream:
    """The texts of a :class:`Corpus`, one by one, none of them kept: each iteration reads the source anew.

    Parameters
    ----------
    read
        Returns an iterator over pairs of where a record stands ("record 3 (line 5)") and the record: a string, or a
        mapping. All must be of one kind. Read lazily, and no further than needed.
    name, source, split, revision
        As in :class:`Corpus`.
    fields
        The fields of a mapping that make up its text, joined by one space; empty: found from the first record.
    limit
        The number of texts to stop at.
    called
        What to call the data in an error; by default its source.

    Attributes
    ----------
    name, source, split, revision
    field : str or None
        As in :class:`Corpus`; where it was not named it is known from the first text on.
    skipped : int
        Blank records left out, of those that the latest iteration has read.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[tuple[str, object]]],
        *,
        name: str,
        source: str,
        fields: tuple[str, ...] = (),
        limit: int | None = None,
        split: str | None = None,
        revision: str | None = None,
        called: str | None = None,
    ) -> None:
        self.name, self.source, self.split, self.revision = name, source, split, revision
        self.skipped = 0
        self._read, self._fields, self._named, self._limit = read, fields, bool(fields), limit
        self._called = called or source

    @property
    def field(self) -> str | None:
        """Where the texts are taken from; None for plain texts, and before the first one is read."""
        return " + ".join(self._fields) or None

    def __iter__(self) -> Iterator[str]:
        """Yield the texts in order, as they stand in the source, unstripped.

        Raises
        ------
        CorpusError
            A record lacks the field, has something else than text there or is of another kind; the field cannot be
            told; the source is malformed; or there is no text at all.
        """
        self.skipped = 0
        found = 0
        plain: bool | None = None
        for place, record in self._read():
            if plain is None:
                plain = isinstance(record, str)
                self._look_at_first(record)
            text = text_of(record, None if plain else self._fields, f"{self._called}: {place}")
            if text is None:
                self.skipped += 1
                continue
            yield text
            found += 1
            if found == self._limit:
                return
        if not found:
            blank = "its only record is blank" if self.skipped == 1 else f"all {self.skipped} records are blank"
            why = blank if self.skipped else "it is empty"
            raise CorpusError(f"{self._called}: no texts: {why}")

    def _look_at_first(self, record: object) -> None:
        if not self._named:
            self._fields = fields_of_first(record, self._called)
        elif isinstance(record, str):
            raise CorpusError(f"{self._called}: has no field {self._fields[0]!r}: its records are plain texts")

    def collect(self) -> Corpus:
        """Return all the texts, in memory."""
        texts = tuple(self)
        return Corpus(texts, self.name, self.source, self.field, self.split, self.revision, self.skipped)
