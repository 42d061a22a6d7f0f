"""Draw null clouds by name: of one cloud, or of many at once."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.checks import check_seed, require_at_least
from embgeom.errors import OptionError, PointsError, choose
from embgeom.metric import as_points
from embgeom.nulls.models import FROM_VOCABULARY, NULLS
from embgeom.nulls.source import Vocabulary, as_vocabulary

if TYPE_CHECKING:
    from embgeom.embeddings import Embeddings
    from embgeom.metric import Array

__all__ = ["draw", "draw_clouds", "generator"]


def draw(
    name: str,
    points: Array,
    *,
    vocabulary: Vocabulary | Embeddings | Array | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return a null cloud that matches ``points``: of the same shape, in float64.

    Parameters
    ----------
    name : {"gaussian", "directions", "permute", "vocabulary", "spectrum"}
        See the function of that name in :mod:`embgeom.nulls` for what it keeps and what it destroys.
    points : array, shape (n, d)
        n ≥ 2.
    vocabulary : Vocabulary, Embeddings or array, shape (V, d), optional
        For ``gaussian`` and ``vocabulary``. Its moments cost O(V d²): where more than one cloud is drawn, make a
        :class:`Vocabulary` of it first, which computes them once.
    seed : int

    Raises
    ------
    OptionError
        If there is no such null, or it needs the vocabulary.
    PointsError
        If the points are not finite, or do not match the vocabulary.
    """
    cloud = as_points(points).cpu().numpy()
    return draw_clouds(name, cloud, np.array([0, len(cloud)]), vocabulary=vocabulary, seed=seed)


def draw_clouds(
    name: str,
    points: NDArray[np.floating[Any]],
    offsets: NDArray[np.integer[Any]],
    *,
    vocabulary: Vocabulary | Embeddings | Array | None = None,
    seed: int = 0,
    draw: int = 0,
    first: int = 0,
) -> NDArray[np.float64]:
    """Return one null cloud for each of many clouds, one after the other as they came.

    Each is a function of the cloud, ``seed``, ``draw`` and its number alone, so that it does not matter how a corpus is
    cut into batches.

    Parameters
    ----------
    name, vocabulary, seed
        As for :func:`draw`.
    points : array, shape (T, d)
        The points of all clouds, one cloud after the other. Finite; not checked.
    offsets : array, shape (P + 1,)
        Ascending from 0 to T: cloud k is ``points[offsets[k]:offsets[k + 1]]``.
    draw : int
        Number of the draw: others are independent.
    first : int
        Number of the first cloud, if these are a part of the corpus.
    """
    choose("null", name, NULLS)
    check_seed(seed)
    require_at_least("draw", draw, 0)
    require_at_least("first", first, 0)
    source = None
    if name in FROM_VOCABULARY:
        if vocabulary is None:
            raise OptionError(f"null {name} needs the vocabulary: pass vocabulary=, the whole embedding matrix")
        source = as_vocabulary(vocabulary)
    result = np.empty(points.shape)
    for number, (start, stop) in enumerate(pairwise(offsets)):
        if stop - start < 2:
            raise PointsError(f"cloud {first + number} has {stop - start} points; a null needs two at least")
        rng = generator(name, seed, draw, first + number)
        result[start:stop] = NULLS[name](points[start:stop].astype(np.float64), rng, source)
    return result


def generator(name: str, seed: int, draw: int, cloud: int) -> np.random.Generator:
    """Return the source of chance of one null cloud: draw ``draw`` of the null ``name`` for cloud number ``cloud``."""
    return np.random.default_rng([seed, list(NULLS).index(name), draw, cloud])
