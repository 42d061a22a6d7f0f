"""From a model and texts, or bare arrays, to rows of float64 and indices into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.embeddings import Embeddings
from embgeom.errors import CorpusError, OptionError, PointsError
from embgeom.metric import as_tensor

if TYPE_CHECKING:
    import torch

    from embgeom.corpus import Corpus
    from embgeom.metric import Array

__all__ = ["finite_rows", "matrix_of", "rows_used", "token_ids_of"]


def matrix_of(embeddings: Embeddings | Array) -> torch.Tensor:
    """Return the embedding matrix (vocabulary, d); raise :class:`PointsError` if it is none."""
    matrix = embeddings.matrix if isinstance(embeddings, Embeddings) else as_tensor(embeddings)
    if matrix.ndim != 2:
        raise PointsError(f"expected embeddings as a matrix (vocabulary, d), got shape {tuple(matrix.shape)}")
    return matrix


def token_ids_of(
    embeddings: Embeddings | Array, prompts: Corpus | Sequence[str] | Sequence[Sequence[int]]
) -> list[NDArray[np.int64]]:
    """Return the token ids of every prompt, the tokenizer's own special tokens included, nothing cut off.

    Raises
    ------
    CorpusError
        If there are no prompts.
    OptionError
        If texts were given and no tokenizer.
    """
    listed: list[Any] = list(prompts)
    if not listed:
        raise CorpusError("there are no prompts")
    if isinstance(listed[0], str):
        if not isinstance(embeddings, Embeddings):
            raise OptionError("texts need Embeddings with a tokenizer; with a bare matrix, give token ids")
        # Fast tokenizers may carry a truncation length of their own (MiniLM: 128); a prompt is measured whole.
        listed = embeddings.tokenizer(listed, truncation=False, padding=False, verbose=False)["input_ids"]
    return [np.asarray(ids, dtype=np.int64) for ids in listed]


def rows_used(
    matrix: torch.Tensor, token_ids: Sequence[NDArray[np.int64]]
) -> tuple[torch.Tensor, list[NDArray[np.int64]]]:
    """Return the float64 rows of the token types that occur, and the prompts as indices into these rows.

    Raises
    ------
    PointsError
        If a token id has no row, or its row is not finite.
    """
    types, inverse = np.unique(np.concatenate(token_ids), return_inverse=True)
    if types[0] < 0 or types[-1] >= len(matrix):
        wrong = types[0] if types[0] < 0 else types[-1]
        raise PointsError(f"token id {wrong} has no row in the embedding matrix of {len(matrix)} tokens")
    ends = np.cumsum([len(ids) for ids in token_ids])[:-1]
    return finite_rows(matrix, types), np.split(inverse.astype(np.int64, copy=False), ends)


def finite_rows(matrix: torch.Tensor, token_ids: NDArray[np.int64]) -> torch.Tensor:
    """Return the rows of ``token_ids`` in float64; raise :class:`PointsError` if one is not finite, and name it."""
    import torch

    rows = matrix[torch.from_numpy(token_ids).to(matrix.device)].to(torch.float64)
    # The sum is one pass over what is almost always finite, and shows what is not.
    if bool(rows.sum().isfinite()):
        return rows
    bad = (~rows.isfinite().all(1)).nonzero().flatten()
    if len(bad):
        first = int(token_ids[int(bad[0])])
        raise PointsError(
            f"{len(bad)} of {len(rows)} embeddings hold NaN or inf; the first is that of token id {first}"
        )
    return rows
