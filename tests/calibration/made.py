"""Embeddings and prompts of which it is known whether they are trees."""

from __future__ import annotations

import numpy as np

from embgeom.spaces import branching_walk_points

N, D = 40, 384

Made = tuple[np.ndarray, list[list[int]]]


def noise(seed: int, *, prompts: int = 2, n: int = 10, d: int = 6, size: int = 2000) -> Made:
    """Normal rows, and prompts of random ones: every null is true, ``gaussian`` but for the error of its moments."""
    rng = np.random.default_rng([77, seed])
    matrix = rng.normal(size=(size, d))
    return matrix, [rng.choice(size, n, replace=False).tolist() for _ in range(prompts)]


def gaussian(seed: int) -> Made:
    return noise(seed, prompts=3, n=N, d=D, size=600)


def sphere(seed: int) -> Made:
    matrix, prompts = gaussian(seed)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True), prompts


def grid(seed: int) -> Made:
    """A square lattice in the plane, and a part of it; nothing is random here."""
    lattice = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    return lattice - 14.5, [np.flatnonzero((lattice < 6).all(axis=1)).tolist()]


def trees(seed: int, level: float = 0.0, prompts: int = 3) -> Made:
    """Branching random walks, one a prompt, in a vocabulary of noise."""
    clouds = [branching_walk_points(N, 100 * seed + number, d=D, noise=level) for number in range(prompts)]
    vocabulary = np.random.default_rng([5, seed]).normal(size=(600, D))
    return np.concatenate([*clouds, vocabulary]), np.arange(N * prompts).reshape(prompts, N).tolist()
