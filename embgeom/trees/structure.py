"""Trees as lists of edges: walked from a root, measured, and freed of edges of no length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from embgeom.trees.records import TreeFit

__all__ = ["Edge", "Walk", "contract", "tree_distances", "tree_metric", "walk"]

Edge = tuple[int, int, float]


@dataclass(frozen=True)
class Walk:
    """A tree seen from a root.

    Attributes
    ----------
    order : list of int
        The nodes, each after its parent.
    parent, length : list
        Of every node, by its number: its parent and the length of the edge between them; −1 and 0.0 for the root.
    children : list of list of int
    """

    order: list[int]
    parent: list[int]
    length: list[float]
    children: list[list[int]]


def walk(edges: Iterable[Edge], nodes: int, root: int) -> Walk:
    """Return the tree as seen from ``root``."""
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(nodes)]
    for u, v, length in edges:
        neighbours[u].append((v, length))
        neighbours[v].append((u, length))
    seen = Walk([root], [-1] * nodes, [0.0] * nodes, [[] for _ in range(nodes)])
    for node in seen.order:  # grows as it is read: breadth first
        for other, length in neighbours[node]:
            if other != seen.parent[node]:
                seen.parent[other], seen.length[other] = node, length
                seen.children[node].append(other)
                seen.order.append(other)
    return seen


def tree_distances(fit: TreeFit) -> NDArray[np.float64]:
    """Return the tree metric d_T between the points of ``fit``, shape (n, n), float64, in the units of its edges."""
    return tree_metric(fit.edges, fit.nodes, fit.points)


def tree_metric(edges: Iterable[Edge], nodes: int, points: int) -> NDArray[np.float64]:
    """Return the distances along the tree between its first ``points`` nodes, by sums alone: no digit cancels."""
    seen = walk(edges, nodes, 0)
    rank = np.empty(nodes, dtype=np.int64)
    rank[seen.order] = np.arange(nodes)
    distances = np.zeros((nodes, nodes))
    for place, node in enumerate(seen.order[1:], start=1):
        row = distances[rank[seen.parent[node]], :place] + seen.length[node]
        distances[place, :place] = row
        distances[:place, place] = row
    return distances[np.ix_(rank[:points], rank[:points])]


def contract(edges: Iterable[Edge], nodes: int, points: int, tolerance: float) -> tuple[list[Edge], int]:
    """Make one node of two that an edge of at most ``tolerance`` joins, unless both are points.

    Return the edges that are left and the number of nodes; points keep their numbers, the others are numbered anew.
    """
    group = list(range(nodes))  # the smallest node that each one is merged with: the point, where there is one

    def find(node: int) -> int:
        while group[node] != node:
            group[node] = group[group[node]]
            node = group[node]
        return node

    kept = []
    for u, v, length in edges:
        low, high = sorted((find(u), find(v)))
        if length <= tolerance and high >= points:
            group[high] = low
        else:
            kept.append((u, v, length))
    number = {node: place for place, node in enumerate(node for node in range(nodes) if find(node) == node)}
    return [(number[find(u)], number[find(v)], length) for u, v, length in kept], len(number)
