"""The null clouds of :mod:`embgeom.nulls` for many clouds and draws, up to a rotation where that saves work.

Norms, angles and distances do not change when a cloud is turned about the origin. In the axes of its covariance a
Gaussian cloud costs O(n d) instead of O(n d²), and one of given singular values has rank + 1 coordinates instead of d.
The other nulls are drawn as they are. A test compares both ways to draw them.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from embgeom.errors import PointsError
from embgeom.metric import power_of_two
from embgeom.nulls.drawing import draw_clouds, generator
from embgeom.nulls.models import FROM_VOCABULARY
from embgeom.nulls.source import Vocabulary

__all__ = ["NullClouds"]

Numbers = NDArray[np.float64]


class NullClouds:
    """Draws of the null clouds of a batch of clouds.

    Parameters
    ----------
    points : array, shape (T, d)
        The points of all clouds, one cloud after the other.
    offsets : array, shape (P + 1,)
        Cloud k is ``points[offsets[k]:offsets[k + 1]]``.
    vocabulary : Vocabulary or None
        None where no null needs it.
    seed : int
    first : int
        Number of the first of the clouds in the corpus. Each null cloud is a function of its cloud, the seed, the
        number of the draw and that of the cloud.
    """

    def __init__(
        self, points: Numbers, offsets: NDArray[np.int64], *, vocabulary: Vocabulary | None, seed: int, first: int
    ) -> None:
        self._points, self._offsets, self._vocabulary = points, offsets, vocabulary
        self._seed, self._first = seed, first
        self._spectra: list[tuple[Numbers, float]] | None = None
        self._axes: tuple[Numbers, Numbers, float] | None = None

    def draw(self, name: str, number: int) -> Numbers:
        """Return draw ``number`` of the null ``name``, shape (T, ·), in the order of the clouds."""
        if name == "gaussian":
            return self._gaussian(number)
        if name == "vocabulary":
            return self._rows(number)
        if name == "spectrum":
            return self._spectrum(number)
        return draw_clouds(name, self._points, self._offsets, seed=self._seed, draw=number, first=self._first)

    def _generator(self, name: str, number: int, cloud: int) -> np.random.Generator:
        return generator(name, self._seed, number, self._first + cloud)

    def _source(self) -> Vocabulary:
        assert self._vocabulary is not None, f"one of {FROM_VOCABULARY} without the vocabulary"
        return self._vocabulary

    def _gaussian(self, number: int) -> Numbers:
        """Draw in the axes of the covariance; the part of the mean that is outside of them takes one more."""
        if self._axes is None:
            self._axes = _axes_of(self._source())
        sds, along, outside = self._axes
        drawn = np.empty((len(self._points), len(sds) + 1))
        drawn[:, -1] = outside
        for cloud, (start, stop) in enumerate(pairwise(self._offsets)):
            normal = self._generator("gaussian", number, cloud).standard_normal((stop - start, len(sds)))
            drawn[start:stop, :-1] = along + sds * normal
        return drawn

    def _rows(self, number: int) -> Numbers:
        size = len(self._source())
        chosen = []
        for cloud, n in enumerate(np.diff(self._offsets).tolist()):
            if n > size:
                raise PointsError(f"null vocabulary: {n} points are wanted and the vocabulary has {size}")
            chosen.append(self._generator("vocabulary", number, cloud).choice(size, n, replace=False))
        return self._source().rows(np.concatenate(chosen))

    def _spectrum(self, number: int) -> Numbers:
        """Draw the left singular vectors; of the right ones only where they place the centroid."""
        if self._spectra is None:
            self._spectra = [_spectrum_of(self._points[start:stop]) for start, stop in pairwise(self._offsets)]
        width = max(len(values) for values, _ in self._spectra) + 1
        drawn = np.zeros((len(self._points), width))
        d = self._points.shape[1]
        for cloud, (values, norm) in enumerate(self._spectra):
            own = slice(self._offsets[cloud], self._offsets[cloud + 1])
            rng = self._generator("spectrum", number, cloud)
            rank = len(values)
            tall = rng.standard_normal((own.stop - own.start, rank))
            left, triangle = np.linalg.qr(tall - tall.mean(axis=0))
            normal = rng.standard_normal((d,))
            # Where the centroid lies, in axes that begin with the right vectors.
            direction: Numbers = normal * (norm / np.linalg.norm(normal))
            # The sign that makes R's diagonal positive makes the basis uniform.
            drawn[own, :rank] = left * np.copysign(values, np.diagonal(triangle)) + direction[:rank]
            drawn[own, -1] = np.linalg.norm(direction[rank:])
        return drawn


def _axes_of(source: Vocabulary) -> tuple[Numbers, Numbers, float]:
    """Return the standard deviations along the axes of the covariance, the mean there, and how much of it is outside.

    The columns of R, with R Rᵀ the covariance, are its eigenvectors times the roots of its eigenvalues.
    """
    import torch

    scale = power_of_two(torch.from_numpy(np.vstack([source.root, source.mean])))  # for the squares
    root, mean = source.root / scale, source.mean / scale
    sds = np.linalg.norm(root, axis=0)
    along = np.divide(mean @ root, sds, where=sds > 0, out=np.zeros(len(sds)))
    return sds * scale, along * scale, scale * float(np.sqrt(max(0.0, mean @ mean - along @ along)))


def _spectrum_of(points: Numbers) -> tuple[Numbers, float]:
    """Return the singular values of the centred points, the largest first, and the norm of the centroid.

    From the Gram matrix, without BLAS, whose threads cost more than they bring at this size: a singular value below
    1e-8 of the largest is lost in rounding.
    """
    n, d = points.shape
    centroid = points.mean(axis=0)
    centred = points - centroid
    squares = np.linalg.eigvalsh(np.einsum("ik,jk->ij", centred, centred))[::-1][: min(n - 1, d)]
    values: Numbers = np.sqrt(np.clip(squares, 0, None))
    return values, float(np.linalg.norm(centroid))
