"""Trees and metrics to fit to, and what to compare trees by."""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx
import numpy as np
from hypothesis import strategies as st


def distances_in(graph: nx.Graph, points: Iterable[int]) -> np.ndarray:
    """Lengths of the shortest paths between some nodes, symmetric to the last bit."""
    lengths = dict(nx.all_pairs_dijkstra_path_length(graph, weight="length"))
    points = list(points)
    d = np.array([[lengths[x][y] for y in points] for x in points])
    return np.maximum(d, d.T)


def splits(edges: Iterable[tuple[int, int, float]], points: Iterable[int]) -> dict[frozenset[frozenset[int]], float]:
    """How each edge divides the points → the length between the two sides: by Buneman's theorem, the tree itself."""
    graph = nx.Graph()
    graph.add_weighted_edges_from(edges, weight="length")
    everyone = frozenset(points)
    found: dict[frozenset[frozenset[int]], float] = {}
    for u, v, length in list(graph.edges(data="length")):
        graph.remove_edge(u, v)
        side = everyone & nx.node_connected_component(graph, u)
        graph.add_edge(u, v, length=length)
        if side and side != everyone:
            key = frozenset({frozenset(side), everyone - side})
            found[key] = found.get(key, 0.0) + length
    return found


@st.composite
def weighted_trees(draw: st.DrawFn, least: int = 3, most: int = 14) -> tuple[nx.Graph, list[int]]:
    """A tree with lengths, and some of its nodes, or all."""
    nodes = draw(st.integers(least, most))
    tree = nx.random_labeled_tree(nodes, seed=draw(st.integers(0, 2**32 - 1)))
    for u, v in tree.edges:
        tree[u][v]["length"] = draw(st.floats(0.05, 10))
    points = draw(st.permutations(range(nodes)))
    return tree, points[: draw(st.integers(least, nodes))]


@st.composite
def metrics(draw: st.DrawFn, least: int = 3, most: int = 12) -> np.ndarray:
    """Shortest paths in a complete graph of random lengths, or a Euclidean cloud."""
    n = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        points = rng.normal(size=(n, draw(st.integers(1, 6))))
        return np.linalg.norm(points[:, None] - points, axis=2)
    graph = nx.complete_graph(n)
    for u, v in graph.edges:
        graph[u][v]["length"] = float(rng.uniform(0.1, 3))
    return distances_in(graph, range(n))
