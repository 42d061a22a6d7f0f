"""Norms of the numbers that are single tokens, by their digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embgeom.checks import require_embeddings
from embgeom.hierarchy.groups import spread
from embgeom.hierarchy.records import DigitNorms, DigitRow
from embgeom.words import AFTER_PUNCTUATION, AFTER_SPACE, norms_of, provenance, word_tokens

if TYPE_CHECKING:
    from embgeom.embeddings import Embeddings

__all__ = ["digit_norms"]

_RANGES = {1: range(10), 2: range(10, 100), 3: range(100, 1000)}


def digit_norms(embeddings: Embeddings) -> DigitNorms:
    """Return the norms of 0–9, 10–99 and 100–999, as far as they are single tokens: mean, smallest, largest.

    A number may have two tokens: ``Ġ7`` after a space and ``7`` elsewhere (GPT-2). Then both forms have rows of their
    own. Where it is the same token (Llama 2 and 3 write the space apart, WordPiece not at all) the form is ``any``.

    Parameters
    ----------
    embeddings : Embeddings
        With a tokenizer.

    Raises
    ------
    ModelError
        If these are no embeddings, or the model has no tokenizer.
    PointsError
        If the embedding of a number is not finite.
    """
    require_embeddings(embeddings)
    texts = [str(number) for number in range(1000)]
    forms = {
        "after a space": word_tokens(embeddings.tokenizer, texts, context=AFTER_SPACE).found,
        "without a space": word_tokens(embeddings.tokenizer, texts, context=AFTER_PUNCTUATION).found,
    }
    if forms["after a space"] == forms["without a space"]:
        forms = {"any": forms["after a space"]}
    rows = []
    for form, tokens in forms.items():
        for digits, numbers in _RANGES.items():
            found = tuple(number for number in numbers if str(number) in tokens)
            norms = norms_of(embeddings, [tokens[str(number)] for number in found]).tolist()
            rows.append(DigitRow(digits, form, len(numbers), found, tuple(norms), spread(norms)))
    return DigitNorms(
        rows=tuple(rows),
        multi_digit=any(row.numbers for row in rows if row.digits > 1),
        model=embeddings.model,
        layer=embeddings.layer,
        provenance=provenance(embeddings, None),
    )
