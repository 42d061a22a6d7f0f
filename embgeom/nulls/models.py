"""The nulls: each a pure function from a cloud and a random generator to a cloud of the same shape.

Each keeps some of what makes distances what they are and destroys the rest. A cloud that is more tree-like than a null
is so for a reason that this null does not have; a verdict should hold against all of them. What none of them keeps is
*which* points lie near which, so that clusters of any kind, and not trees alone, set data apart from them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from embgeom.errors import PointsError
from embgeom.nulls.source import Vocabulary

__all__ = ["FROM_VOCABULARY", "NULLS", "directions", "gaussian", "permute", "spectrum", "vocabulary"]

Cloud = NDArray[np.float64]
Null = Callable[[Cloud, np.random.Generator, Vocabulary | None], Cloud]


def gaussian(points: Cloud, rng: np.random.Generator, source: Vocabulary | None) -> Cloud:
    """Draw points from the normal distribution with the mean and the covariance of the vocabulary.

    Keeps: the number of points and, on average, the vocabulary's mean, its variances and its correlations, and so how
    much distances concentrate in it. Destroys: clusters, heavy tails, and whatever the tokens of this cloud have in
    common. A difference from it means that the cloud is not what a shapeless vocabulary of this covariance would give:
    its tokens are special, or the vocabulary is not normal, or both (compare with ``vocabulary`` to tell which).

    The covariance is not that of the cloud, on purpose: n ≤ d points have one of rank n − 1, and points drawn anew
    within that span lose the near-orthogonality of the real ones. For n = 40 and d = 384 they have more than twice
    the 2δ/diameter, which would make anything look like a tree.
    """
    source = _required("gaussian", source, points)
    return source.mean + rng.standard_normal(points.shape) @ source.root.T


def directions(points: Cloud, rng: np.random.Generator, source: Vocabulary | None = None) -> Cloud:
    """Give every point a random direction, uniform over the sphere, and leave it its norm.

    Keeps: every norm, and so the star with the origin as its centre: frequent tokens near it, rare ones far out.
    Destroys: all angles, the common mean direction among them. A difference from it means that directions matter: that
    points lie in clusters or along a common direction, and not only at different distances from the origin.
    """
    drawn = rng.standard_normal(points.shape)
    wanted = np.linalg.norm(points, axis=1, keepdims=True)
    placed: Cloud = drawn * (wanted / np.linalg.norm(drawn, axis=1, keepdims=True))
    return placed


def permute(points: Cloud, rng: np.random.Generator, source: Vocabulary | None = None) -> Cloud:
    """Permute each coordinate over the points, independently of the other coordinates.

    Keeps: the values of every coordinate, and so the centroid, each coordinate's variance and its outliers. Destroys:
    what the coordinates of one point have to do with each other: correlations, clusters, norms. A difference from it
    means that coordinates go together over the points. It is tied to the axes: a rotated cloud has another such null.
    """
    return rng.permuted(points, axis=0)


def vocabulary(points: Cloud, rng: np.random.Generator, source: Vocabulary | None) -> Cloud:
    """Take as many distinct tokens at random from the vocabulary.

    Keeps: everything that random tokens of this model share: norms, dimensions, clusters of the whole vocabulary.
    Destroys: that these tokens stand in one text. A difference from it means that the tokens of a prompt are not random
    ones: frequent ones prevail, and a topic keeps some of them together. Against random subsets of the vocabulary it
    says nothing, since that is what they are. Rows that no text uses (BERT's 994 "[unused…]") are a cluster of their
    own and lower this null's q (MiniLM, 400 tokens: pooled q 0.38 with them, 0.41 without): pass the matrix without.
    """
    source = _required("vocabulary", source, points)
    if len(source) < len(points):
        raise PointsError(f"null vocabulary: {len(points)} points are wanted and the vocabulary has {len(source)}")
    return source.rows(rng.choice(len(source), len(points), replace=False))


def spectrum(points: Cloud, rng: np.random.Generator, source: Vocabulary | None = None) -> Cloud:
    """Keep the centroid and the singular values of the centred cloud; draw the singular vectors at random (Haar).

    Keeps: the centroid, the spectrum of the principal components, and so the mean squared distance and the effective
    dimension of this very cloud. Destroys: how the points lie along the components, in clusters or tails, and their
    norms. A difference from it means structure beyond "this cloud has few, or many, dimensions", which q needs most:
    noise in few dimensions has a low q. Its 2δ/diameter is that of noise in the cloud's effective dimension, and so
    about twice that of a cloud of clusters, for which the largest distances do not concentrate any more.
    """
    n, d = points.shape
    centroid = points.mean(axis=0)
    rank = min(n - 1, d)
    values = np.linalg.svd(points - centroid, compute_uv=False)[:rank]
    tall = rng.standard_normal((n, rank))
    left = _orthonormal(tall - tall.mean(axis=0))  # no column changes the centroid
    right = _orthonormal(rng.standard_normal((d, rank)))
    drawn: Cloud = centroid + (left * values) @ right.T
    return drawn


NULLS: dict[str, Null] = {
    "gaussian": gaussian,
    "directions": directions,
    "permute": permute,
    "vocabulary": vocabulary,
    "spectrum": spectrum,
}
"""The nulls by name, in the order in which tables list them."""

FROM_VOCABULARY = ("gaussian", "vocabulary")
"""Those that need the vocabulary."""


def _orthonormal(matrix: Cloud) -> Cloud:
    """Return an orthonormal basis of the columns, uniform if they are Gaussian: QR with R's diagonal positive."""
    q, r = np.linalg.qr(matrix)
    basis: Cloud = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return basis


def _required(name: str, source: Vocabulary | None, points: Cloud) -> Vocabulary:
    if source is None:
        raise PointsError(f"null {name} needs the vocabulary's embedding matrix")
    if source.dimension != points.shape[1]:
        raise PointsError(
            f"null {name}: the points have {points.shape[1]} dimensions and the vocabulary {source.dimension}"
        )
    return source
