"""Counting for several models on several corpora."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embgeom.errors import CorpusError

if TYPE_CHECKING:
    from embgeom.corpus import TextStream
    from embgeom.counts import TokenCounts

__all__ = ["count"]


def count(corpora: list[TextStream], corpus: TextStream, tokenizer: Any, **options: Any) -> TokenCounts:
    """Count; take a corpus that turns out unreadable out of ``corpora``: that is said once, not for every model."""
    from embgeom.counts import token_counts

    try:
        return token_counts(corpus, tokenizer, **options)
    except CorpusError:
        corpora.remove(corpus)
        raise
