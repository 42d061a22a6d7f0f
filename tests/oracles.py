"""Answers that share no code with what they judge: brute force from the definition, and metrics of known δ."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np


def brute_force_two_delta(distances: np.ndarray) -> float:
    """2δ = max over all quadruples of the largest minus the middle pair sum, in float64."""
    d = np.asarray(distances, dtype=np.float64)
    best = 0.0
    for a, b, c, e in itertools.combinations(range(len(d)), 4):
        sums = sorted((d[a, b] + d[c, e], d[a, c] + d[b, e], d[a, e] + d[b, c]))
        best = max(best, sums[2] - sums[1])
    return best


def brute_force_two_delta_at(distances: np.ndarray, base: int) -> float:
    """2δ_p from the definition by Gromov products, over all triples."""
    d = np.asarray(distances, dtype=np.float64)
    n = len(d)
    g = (d[:, [base]] + d[[base], :] - d) / 2
    best = -np.inf
    for x, y, z in itertools.product(range(n), repeat=3):
        best = max(best, min(g[x, z], g[z, y]) - g[x, y])
    return 2 * best


def graph_distances(graph: nx.Graph) -> np.ndarray:
    return np.asarray(nx.floyd_warshall_numpy(graph))


def random_tree(n: int, seed: int, *, integer: bool = False) -> np.ndarray:
    """Path metric of a random tree with random edge lengths: δ = 0."""
    rng = np.random.default_rng(seed)
    tree = nx.random_labeled_tree(n, seed=seed)
    for u, v in tree.edges:
        tree[u][v]["weight"] = int(rng.integers(1, 5)) if integer else float(rng.uniform(0.1, 2))
    return graph_distances(tree)


def cloud(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))
