"""The tree of a chosen set of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from embgeom.checks import require_embeddings
from embgeom.errors import OptionError
from embgeom.metric import pairwise_distances
from embgeom.trees.fit import fit_tree
from embgeom.trees.records import TreeFit

if TYPE_CHECKING:
    from embgeom.embeddings import Embeddings

__all__ = ["token_tree"]


def token_tree(
    embeddings: Embeddings,
    tokens: Sequence[str],
    *,
    method: str = "gromov",
    metric: str = "euclidean",
    root: str | None = None,
) -> TreeFit:
    """Fit a tree to the distances between the embeddings of chosen words.

    Parameters
    ----------
    embeddings : Embeddings
    tokens : sequence of str
        Words; each is the one token that it is in running text, after a space. Words of several tokens, unknown ones,
        and those whose token an earlier word has are left out, and named in the record.
    method : {"gromov", "neighbor-joining"}
        See :func:`~embgeom.trees.fit_tree`.
    metric : {"euclidean", "angular"}
        See :func:`~embgeom.metric.pairwise_distances`. ``cosine`` is refused where it breaks the triangle inequality.
    root : str, optional
        One of ``tokens``; by default their medoid, which has the smallest sum of distances to the others.

    Raises
    ------
    OptionError
        If ``tokens`` are no words, fewer than three are single tokens, or the root is none of them.
    ModelError
        If these are no embeddings, or the model has no tokenizer.
    PointsError
        If an embedding is not finite, all are equal, or their distances break the triangle inequality.
    """
    from embgeom.delta.rows import matrix_of, rows_used
    from embgeom.words import word_tokens

    require_embeddings(embeddings)
    if isinstance(tokens, str):
        raise OptionError(f"expected a list of words, got one text {tokens[:40]!r}")
    if not isinstance(tokens, Iterable):
        raise OptionError(f"expected a list of words, got {type(tokens).__name__}")
    tokens = list(tokens)
    for word in tokens:
        if not isinstance(word, str):
            raise OptionError(f"expected words, got {type(word).__name__} {str(word)[:40]!r}")
    words = list(dict.fromkeys(tokens))
    single = word_tokens(embeddings.tokenizer, words).found
    first = {token: word for word, token in reversed(single.items())}
    found = {word: token for word, token in single.items() if first[token] == word}
    left_out = tuple(word for word in words if word not in found)
    if len(found) < 3:
        raise OptionError(
            f"a tree is fitted to three words or more that are single tokens of {embeddings.model}, got "
            f"{len(found)} ({', '.join(found) or 'none'}); left out: {', '.join(left_out) or 'none'}"
        )
    if root is not None and root not in found:
        raise OptionError(f"root {root!r} is none of the words that are single tokens: {', '.join(found)}")
    ids = np.array(list(found.values()))
    rows, (places,) = rows_used(matrix_of(embeddings), [ids], metric=metric)
    distances = pairwise_distances(rows[places], metric=metric)
    index = int(distances.sum(1).argmin()) if root is None else list(found).index(root)
    fit = fit_tree(distances, method=method, root=index, labels=list(found))
    return replace(
        fit,
        model=embeddings.model,
        layer=embeddings.layer,
        metric=metric,
        token_ids=tuple(map(int, ids)),
        left_out=left_out,
        provenance={name: getattr(embeddings, name) for name in ("revision", "file", "tensor", "dtype")},
    )
