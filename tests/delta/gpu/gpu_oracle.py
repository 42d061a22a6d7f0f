"""Clouds that are hard on a kernel, and δ by its definition, in float64."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def quadruples(n):
    """All quadruples of n points, int64 (C(n, 4), 4)."""
    return np.array(list(combinations(range(n), 4)))


def two_deltas(distances, quads):
    """S1 − S2 of each quadruple."""
    a, b, c, d = quads.T
    sums = [distances[a, b] + distances[c, d], distances[a, c] + distances[b, d], distances[a, d] + distances[b, c]]
    sums = np.sort(np.stack(sums), axis=0)
    return sums[2] - sums[1]


def brute_force(distances, base=None):
    """The largest S1 − S2, over all quadruples or those that hold ``base``."""
    quads = quadruples(len(distances))
    if base is not None:
        quads = quads[(quads == base).any(axis=1)]
    return two_deltas(distances, quads).max()


def euclidean(points):
    gaps = points[:, None] - points[None]
    return np.sqrt((gaps**2).sum(-1))


def tree(n, rng, *, integers=False):
    """Path lengths in a random tree on n points: every δ is 0, up to the rounding of the sums."""
    distances = np.zeros((n, n))
    for child in range(1, n):
        parent = rng.integers(child)
        length = float(rng.integers(1, 5)) if integers else rng.random()
        distances[child, :child] = distances[:child, child] = distances[parent, :child] + length
        distances[child, parent] = distances[parent, child] = length
    return distances


def clouds(n, seed=0):
    """Clouds of n points by name."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 5))
    scales = 10.0 ** rng.integers(-12, 7, size=n)
    noise = rng.random((n, n))
    grid = rng.integers(0, 3, size=(n, 2))
    ring = np.abs(np.arange(n)[:, None] - np.arange(n))
    return {
        "normal": euclidean(points),
        "tiny": euclidean(points * 1e-12),
        "huge": euclidean(points * 1e6),
        "offset clusters": euclidean(np.round(points) * 1e6 + points * 1e-6),
        "all scales": euclidean(points * scales[:, None]),
        "duplicates": euclidean(points[rng.integers(0, max(2, n // 3), size=n)]),
        "one point": np.zeros((n, n)),
        "integers": np.abs(grid[:, None] - grid[None]).sum(-1).astype(float),
        "ring": np.minimum(ring, n - ring).astype(float),
        "equidistant": 0.3 * (1 - np.eye(n)),
        "tree": tree(n, rng),
        "integer tree": tree(n, rng, integers=True),
        "near tree": tree(n, rng) + 1e-9 * np.triu(noise, 1) + 1e-9 * np.triu(noise, 1).T,
        "no metric": np.triu(noise, 1) + np.triu(noise, 1).T,
    }
