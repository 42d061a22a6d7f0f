"""The vocabulary that null clouds are drawn from: its rows, and its moments, computed once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.rows import matrix_of
from embgeom.errors import PointsError
from embgeom.metric import power_of_two

if TYPE_CHECKING:
    from embgeom.embeddings import Embeddings
    from embgeom.metric import Array

__all__ = ["Vocabulary", "as_vocabulary"]

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Moments:
    mean: NDArray[np.float64]
    root: NDArray[np.float64]


class Vocabulary:
    """An embedding matrix (V, d) from which nulls draw; make it once where many clouds are drawn.

    Parameters
    ----------
    embeddings : Embeddings or array, shape (V, d)
        Not copied. Rows are converted to float64 as they are needed.

    Raises
    ------
    PointsError
        If it is no real matrix, has no rows, or holds NaN or inf.
    """

    def __init__(self, embeddings: Embeddings | Array) -> None:
        self._matrix = matrix_of(embeddings)
        if not len(self._matrix):
            raise PointsError("the vocabulary has no tokens")
        if not bool(self._matrix.isfinite().all()):
            raise PointsError("the vocabulary holds NaN or inf; leave these rows out")
        self._lock = threading.Lock()
        self._moments: _Moments | None = None

    def __len__(self) -> int:
        return len(self._matrix)

    @property
    def dimension(self) -> int:
        """Number of columns, d."""
        return int(self._matrix.shape[1])

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the rows, shape (d,)."""
        return self._found().mean

    @property
    def root(self) -> NDArray[np.float64]:
        """A matrix R of shape (d, d) with R Rᵀ the population covariance of the rows; of whatever rank that has."""
        return self._found().root

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some rows in float64."""
        import torch

        picked = self._matrix[torch.from_numpy(indices).to(self._matrix.device)]
        converted: NDArray[np.float64] = picked.to(device="cpu", dtype=torch.float64).numpy()
        return converted

    def _found(self) -> _Moments:
        with self._lock:  # nulls are drawn by several threads
            if self._moments is None:
                self._moments = self._compute()
            return self._moments

    def _compute(self) -> _Moments:
        """Take both moments in blocks of rows in float64, the second about the mean of the first.

        The rows are divided by a power of two, which is exact, so that no square overflows.
        """
        import torch

        blocks = range(0, len(self), max(1, _BLOCK_BYTES // (8 * self.dimension)))
        count, scale = len(self), power_of_two(torch.stack(self._matrix.aminmax()).double())
        sums = ((self._block(start, blocks.step) / scale).sum(axis=0) for start in blocks)
        mean = sum(sums, np.zeros(self.dimension)) / count
        covariance = np.zeros((self.dimension, self.dimension))
        for start in blocks:
            centred = self._block(start, blocks.step) / scale - mean
            covariance += centred.T @ centred
        # Not Cholesky's root: a vocabulary may span fewer dimensions than it has.
        values, vectors = np.linalg.eigh(covariance / count)
        return _Moments(mean * scale, vectors * np.sqrt(np.clip(values, 0, None)) * scale)

    def _block(self, start: int, size: int) -> NDArray[np.float64]:
        return self.rows(np.arange(start, min(start + size, len(self))))


def as_vocabulary(embeddings: Any) -> Vocabulary:
    """Return a :class:`Vocabulary`, made of the embeddings if it is none yet."""
    return embeddings if isinstance(embeddings, Vocabulary) else Vocabulary(embeddings)
