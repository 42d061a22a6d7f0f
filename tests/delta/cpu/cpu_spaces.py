"""Distance matrices to try the kernels on, and an oracle in plain numpy that shares nothing with them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Space = Callable[[np.random.Generator, int], Matrix]


def four_point_oracle(distances: Matrix) -> float:
    """S1 − S2 at its largest over all quadruples, by going through them."""
    return float(all_gaps(distances, np.array(list(combinations(range(len(distances)), 4)))).max())


def fixed_base_oracle(distances: Matrix, base: int) -> float:
    """S1 − S2 at its largest over the quadruples that hold the base."""
    others = [i for i in range(len(distances)) if i != base]
    quads = np.array([(base, *triple) for triple in combinations(others, 3)])
    return float(all_gaps(distances, quads).max())


def all_gaps(distances: Matrix, quads: NDArray[np.int64]) -> Matrix:
    """S1 − S2 of each quadruple; additions commute, so the kernels must agree to the last bit."""
    a, b, c, d = quads.T
    sums = np.sort(
        [distances[a, b] + distances[c, d], distances[a, c] + distances[b, d], distances[a, d] + distances[b, c]],
        axis=0,
    )
    return sums[2] - sums[1]


def euclidean(points: Matrix) -> Matrix:
    """Distances from differences, symmetric to the last bit."""
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))


def gaussian(rng: np.random.Generator, n: int) -> Matrix:
    return euclidean(rng.normal(size=(n, int(rng.integers(1, 50)))))


def vocabulary(rng: np.random.Generator, n: int) -> Matrix:
    """Like embeddings: anisotropic, of varied norm, far from the origin."""
    spectrum = 1 / np.sqrt(1 + np.arange(64))
    return euclidean(5 + rng.normal(size=(n, 64)) * spectrum * rng.gamma(4, size=(n, 1)))


def tree(rng: np.random.Generator, n: int, *, noise: float = 0.0) -> Matrix:
    """Path lengths in a random tree with random weights."""
    distances = np.zeros((n, n))
    for new in range(1, n):
        parent = rng.integers(new)
        distances[new, :new] = distances[parent, :new] + rng.gamma(1)
        distances[:new, new] = distances[new, :new]
    jitter = noise * rng.random((n, n))
    return distances + np.triu(jitter, 1) + np.triu(jitter, 1).T


def near_tree(rng: np.random.Generator, n: int) -> Matrix:
    """Below what float32 can tell from a tree."""
    return tree(rng, n, noise=1e-9)


def integers(rng: np.random.Generator, n: int) -> Matrix:
    """Ties everywhere; no metric where 1 + 1 < 3."""
    upper = np.triu(rng.integers(1, 4, size=(n, n)), 1).astype(float)
    return upper + upper.T


def not_a_metric(rng: np.random.Generator, n: int) -> Matrix:
    upper = np.triu(rng.random((n, n)) ** 4, 1)
    return upper + upper.T


def duplicates(rng: np.random.Generator, n: int) -> Matrix:
    points = rng.normal(size=(max(2, n // 3), 5))
    return euclidean(points[rng.integers(len(points), size=n)])


def all_equal(rng: np.random.Generator, n: int) -> Matrix:
    return rng.gamma(1) * (1 - np.eye(n))


def clusters(rng: np.random.Generator, n: int) -> Matrix:
    """Clusters of size 1e-12 to 1e-3 that lie 1e-3 to 1e6 apart."""
    centres = rng.normal(size=(4, 6)) * 10.0 ** rng.integers(-3, 7, size=(4, 1))
    label = rng.integers(4, size=n)
    return euclidean(centres[label] + rng.normal(size=(n, 6)) * 10.0 ** rng.integers(-12, -3, size=(n, 1)))


def nested(rng: np.random.Generator, n: int) -> Matrix:
    """An ultrametric over eighteen orders of magnitude, in which the small scales hold the value."""
    small = euclidean(rng.normal(size=(n, 3))) * 1e-12
    half = np.arange(n) < n // 2
    return small + 1e6 * (half[:, None] != half[None])


def circle(rng: np.random.Generator, n: int) -> Matrix:
    angle = 2 * np.pi * np.arange(n) / n
    gap = np.abs(angle[:, None] - angle[None])
    return np.minimum(gap, 2 * np.pi - gap)


def huge(rng: np.random.Generator, n: int) -> Matrix:
    return gaussian(rng, n) * 2.0**900


def tiny(rng: np.random.Generator, n: int) -> Matrix:
    return gaussian(rng, n) * 2.0**-900


def subnormal(rng: np.random.Generator, n: int) -> Matrix:
    return gaussian(rng, n) * 2.0**-1060


SPACES: dict[str, Space] = {
    space.__name__: space
    for space in (
        gaussian, vocabulary, tree, near_tree, integers, not_a_metric, duplicates, all_equal, clusters, nested, circle,
        huge, tiny, subnormal,
    )
}  # fmt: skip
