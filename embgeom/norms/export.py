"""Token, frequency and norm as a table for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from embgeom.counts import TokenCounts
from embgeom.norms.measure import TokenNorms

__all__ = ["COLUMNS", "norms_csv"]

COLUMNS = ("token_id", "token", "class", "frequency", "norm", "model", "data")


def norms_csv(measured: Iterable[tuple[TokenNorms, TokenCounts]]) -> str:
    """Return every token that has an embedding, the never-seen ones with frequency 0, as CSV after RFC 4180.

    The token is the string by which the vocabulary knows it (:func:`embgeom.token_classes.token_texts`), byte for byte
    in UTF-8, and the norm has all its digits. To read it back unchanged, let nothing be taken for a missing value or a
    number: ``pandas.read_csv(file, dtype={"token": str}, keep_default_na=False)``, since there is a token ``null``.

    Parameters
    ----------
    measured : iterable of (TokenNorms, TokenCounts)
        Several follow one another; the last two columns tell them apart.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for norms, counts in measured:
        frequencies = counts.as_dict()
        name = [norms.model or "", counts.data or ""]
        for number, token, of_class, norm in zip(
            norms.token_ids, norms.tokens, norms.classes, norms.norms, strict=True
        ):
            writer.writerow([number, token, of_class, frequencies.get(number, 0), repr(norm), *name])
    return text.getvalue()
