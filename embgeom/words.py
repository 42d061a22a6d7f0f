"""Which token a word is, across byte-level BPE, SentencePiece and WordPiece; and the norms of such tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.counts import require_counts
from embgeom.delta.rows import matrix_of, rows_used
from embgeom.errors import OptionError
from embgeom.provenance import of_embeddings
from embgeom.results import versions

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.embeddings import Embeddings

__all__ = ["AFTER_PUNCTUATION", "AFTER_SPACE", "WordTokens", "frequencies_of", "norms_of", "provenance", "word_tokens"]

AFTER_SPACE = "a "
AFTER_PUNCTUATION = "("


@dataclass(frozen=True)
class WordTokens:
    """The words that are single tokens, and those that are not.

    Attributes
    ----------
    found : dict
        Word → token id, in the order of the words.
    split : dict
        Word → its pieces, as the vocabulary writes them, where there are several or the word is unknown.
    """

    found: dict[str, int]
    split: dict[str, tuple[str, ...]]


def word_tokens(tokenizer: Any, words: Sequence[str], *, context: str = AFTER_SPACE) -> WordTokens:
    """Find the token that each word is in running text.

    A word is the tokens that the tokenizer makes of it after another word and a space: of "a dog", what follows the
    tokens of "a". This is ``Ġdog`` in byte-level BPE, ``▁dog`` in SentencePiece, ``dog`` in WordPiece. A blank token
    in front, which is how Llama 2 and Llama 3 write the space before a digit, is not part of the word. A word of
    several tokens, or an unknown one, is no single token; it is never averaged over its pieces.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers, fast or slow.
    words : sequence of str
    context : str
        What the word follows: ``"a "`` for running text, ``"("`` for the token without a space.

    Raises
    ------
    OptionError
        If a word is blank, or no text, or none that can be encoded.
    """
    for word in words:
        if not isinstance(word, str):
            raise OptionError(f"expected words, got {type(word).__name__} {str(word)[:40]!r}")
        if not word.strip():
            raise OptionError(f"expected words, got the blank {word!r}")
        if not _encodable(word):
            raise OptionError(f"the word {word!r} holds half a surrogate pair, which is no character")
    if not words:
        return WordTokens({}, {})
    before, *encoded = tokenizer([context.rstrip(), *(context + word for word in words)], add_special_tokens=False)[
        "input_ids"
    ]
    special = set(tokenizer.all_special_ids)
    blank: dict[int, bool] = {}
    found: dict[str, int] = {}
    split: dict[str, tuple[str, ...]] = {}
    for word, ids in zip(words, encoded, strict=True):
        # Where a token spans the border (some vocabularies hold several words in one), none is the word's own.
        own = ids[len(before) :] if ids[: len(before)] == before else ids
        while len(own) > 1 and blank.setdefault(own[0], not tokenizer.decode([own[0]]).strip()):
            own = own[1:]
        if len(own) == 1 and len(ids) > len(before) and own[0] not in special:
            found[word] = int(own[0])
        else:
            split[word] = tuple(map(str, tokenizer.convert_ids_to_tokens(own)))
    return WordTokens(found, split)


def norms_of(embeddings: Embeddings, token_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the Euclidean norm, in float64, of each token's embedding.

    Raises
    ------
    PointsError
        If an embedding is not finite, or a token id has no row.
    """
    ids = np.asarray(token_ids, dtype=np.int64)
    if not ids.size:
        return np.empty(0)
    rows, (inverse,) = rows_used(matrix_of(embeddings), [ids], metric="euclidean")
    norms: NDArray[np.float64] = rows.norm(dim=1).numpy(force=True)[inverse]
    return norms


def frequencies_of(counts: TokenCounts | None, token_ids: Sequence[int]) -> list[int | None]:
    """Return how often each token occurs; None for each where there are no counts.

    Raises
    ------
    CountsError
        If ``counts`` are none.
    """
    if counts is None:
        return [None] * len(token_ids)
    require_counts(counts)
    known = dict(zip(counts.token_ids, counts.frequencies, strict=True))
    return [known.get(number, 0) for number in token_ids]


def provenance(embeddings: Embeddings, counts: TokenCounts | None) -> dict[str, Any]:
    """Return where the embeddings and the frequencies came from."""
    known: dict[str, Any] = {**of_embeddings(embeddings)}
    if counts is not None:
        known |= {"tokens": counts.total, "texts": counts.texts, "counts": counts.provenance}
    return known | {"versions": versions()}


def _encodable(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
