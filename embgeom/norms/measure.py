"""The norm of every token's embedding, in float64, without ever holding the matrix in float64."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.checks import require_tokenizer
from embgeom.embeddings import Embeddings
from embgeom.errors import OptionError, PointsError
from embgeom.metric import as_tensor
from embgeom.progress import OnProgress, progress_of
from embgeom.provenance import of_embeddings
from embgeom.results import Record
from embgeom.token_classes import token_classes, token_texts

if TYPE_CHECKING:
    import torch

    from embgeom.metric import Array

__all__ = ["TokenNorms", "row_norms", "token_norms"]

_BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class TokenNorms(Record):
    """The tokens of a vocabulary that have an embedding, with its norm.

    Attributes
    ----------
    token_ids : tuple of int
        Ascending.
    tokens, classes : tuple of str
        As the vocabulary writes each token, and of which class it is (:func:`embgeom.token_classes.token_classes`).
    norms : tuple of float
        Euclidean, computed in float64.
    vocabulary_size : int
        ``len(tokenizer)``.
    rows_without_token, tokens_without_row : int
        Rows of the matrix that no token has (padding), and tokens that have no row of the matrix.
    model, layer : str or None
        None where bare arrays were given.
    provenance : dict
    """

    token_ids: tuple[int, ...] = field(repr=False)
    tokens: tuple[str, ...] = field(repr=False)
    classes: tuple[str, ...] = field(repr=False)
    norms: tuple[float, ...] = field(repr=False)
    vocabulary_size: int
    rows_without_token: int
    tokens_without_row: int
    model: str | None
    layer: str | None
    provenance: dict[str, Any] = field(repr=False)


def token_norms(embeddings: Embeddings | Array, tokenizer: Any = None, *, progress: bool = False) -> TokenNorms:
    """Measure the Euclidean norm of every token's embedding.

    Parameters
    ----------
    embeddings : Embeddings, or array of shape (rows, d)
        Of any floating dtype; read in blocks of rows.
    tokenizer
        Of transformers; by default the model's own. Needed with an array.
    progress : bool
        Whether to draw a bar on standard error.

    Raises
    ------
    PointsError
        If ``embeddings`` is no matrix, or the embedding of a token holds NaN or inf; the message names the token.
    OptionError
        If the tokenizer is missing.
    ModelError
        If the tokenizer is none, or the model has none that can be loaded.
    """
    model = embeddings if isinstance(embeddings, Embeddings) else None
    matrix = as_tensor(embeddings.matrix if isinstance(embeddings, Embeddings) else embeddings)
    if matrix.ndim != 2 or matrix.shape[1] == 0 or matrix.is_complex():
        raise PointsError(f"expected a real matrix of one row per token, got shape {tuple(matrix.shape)}")
    if tokenizer is None:
        if model is None:
            raise OptionError("of an array, which token each row is of is unknown; pass its tokenizer as well")
        tokenizer = model.tokenizer
    require_tokenizer(tokenizer)
    size = len(tokenizer)
    texts = token_texts(tokenizer, range(max(size, len(matrix))))
    ids = np.asarray([number for number, text in enumerate(texts[: len(matrix)]) if text is not None], np.int64)
    if not ids.size:
        raise PointsError(f"none of the {len(matrix)} rows belongs to one of the {size} tokens")
    with progress_of(f"norms of {model.model if model else 'embeddings'}", show=progress) as on_progress:
        norms = row_norms(matrix, on_progress)[ids]
    bad = np.flatnonzero(~np.isfinite(norms))
    if bad.size:
        first = int(ids[bad[0]])
        raise PointsError(
            f"{bad.size} of {ids.size} embeddings hold NaN or inf (or have no finite norm); the first is that of token "
            f"id {first}, {texts[first]!r}"
        )
    return TokenNorms(
        token_ids=tuple(ids.tolist()),
        tokens=tuple(str(texts[number]) for number in ids),
        classes=tuple(map(str, token_classes(tokenizer, ids.tolist()))),
        norms=tuple(norms.tolist()),
        vocabulary_size=size,
        rows_without_token=len(matrix) - ids.size,
        tokens_without_row=sum(text is not None for text in texts[len(matrix) :]),
        model=model.model if model else None,
        layer=model.layer if model else None,
        provenance=of_embeddings(model),
    )


def row_norms(matrix: torch.Tensor, on_progress: OnProgress | None = None) -> NDArray[np.float64]:
    """Return the Euclidean norm of every row, in float64, a block of rows at a time."""
    import torch

    norms = np.empty(len(matrix))
    step = max(1, _BLOCK_BYTES // (8 * matrix.shape[1]))
    for start in range(0, len(matrix), step):
        # A GPU may have no float64.
        block = matrix[start : start + step].cpu().to(torch.float64)
        norms[start : start + step] = torch.linalg.vector_norm(block, dim=1).numpy()
        if on_progress is not None:
            on_progress(min(1.0, (start + step) / len(matrix)))
    return norms
