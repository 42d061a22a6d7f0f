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

__all__ = ["matrix_of", "rows_of", "rows_used", "token_ids_of"]


def matrix_of(embeddings: Embeddings | Array) -> torch.Tensor:
    """Return the embedding matrix (vocabulary, d); raise :class:`PointsError` if it is none."""
    matrix = embeddings.matrix if isinstance(embeddings, Embeddings) else as_tensor(embeddings)
    if matrix.ndim != 2 or matrix.is_complex():
        shape = tuple(matrix.shape)
        raise PointsError(f"expected embeddings as a real matrix (vocabulary, d), got {matrix.dtype} of shape {shape}")
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
    if isinstance(prompts, str):
        raise CorpusError("expected a list of prompts, got one text; for the prompts of a file use load_texts(path)")
    if isinstance(listed[0], str):
        if not isinstance(embeddings, Embeddings):
            raise OptionError("texts need Embeddings with a tokenizer; with a bare matrix, give token ids")
        # Fast tokenizers may carry a truncation length of their own (MiniLM: 128); a prompt is measured whole.
        listed = embeddings.tokenizer(listed, truncation=False, padding=False, verbose=False)["input_ids"]
    return [_as_ids(ids, number) for number, ids in enumerate(listed)]


def _as_ids(ids: Any, number: int) -> NDArray[np.int64]:
    try:
        array = np.asarray(ids)
    except ValueError:
        array = np.asarray(None)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise CorpusError(f"prompt {number}: expected a list of token ids, got {str(ids)[:40]!r}")
    return array.astype(np.int64)


def rows_used(
    matrix: torch.Tensor, token_ids: Sequence[NDArray[np.int64]], *, metric: str
) -> tuple[torch.Tensor, list[NDArray[np.int64]]]:
    """Return the float64 rows of the token types that occur, and the prompts as indices into these rows.

    Raises
    ------
    PointsError
        If a token id has no row, or its row is not finite, or has no direction where ``metric`` wants one.
    """
    tokens = np.concatenate(token_ids)
    lowest, highest = int(tokens.min()), int(tokens.max())
    if lowest < 0 or highest >= len(matrix):
        wrong = lowest if lowest < 0 else highest
        raise PointsError(f"token id {wrong} has no row in the embedding matrix of {len(matrix)} tokens")
    occurs = np.zeros(highest + 1, np.bool_)
    occurs[tokens] = True
    places = np.cumsum(occurs) - 1
    ends = np.cumsum([len(ids) for ids in token_ids])[:-1]
    return rows_of(matrix, np.flatnonzero(occurs), metric=metric), np.split(places[tokens], ends)


def rows_of(matrix: torch.Tensor, token_ids: NDArray[np.int64], *, metric: str) -> torch.Tensor:
    """Return the rows of ``token_ids`` in float64; raise :class:`PointsError` that names one ``metric`` cannot take."""
    import torch

    rows = matrix[torch.from_numpy(token_ids).to(matrix.device)].to(torch.float64)
    # The sum is one pass over what is almost always finite, and shows what is not.
    if not bool(rows.sum().isfinite()):
        _refuse("hold NaN or inf", ~rows.isfinite().all(1), token_ids)
    if metric != "euclidean":
        _refuse("are zero and have no direction", ~rows.any(1), token_ids)
    return rows


def _refuse(fault: str, faulty: torch.Tensor, token_ids: NDArray[np.int64]) -> None:
    bad = faulty.nonzero().flatten()
    if len(bad):
        first = min(int(token_ids[int(row)]) for row in bad)
        raise PointsError(f"{len(bad)} of {len(faulty)} embeddings {fault}; the first is that of token id {first}")
