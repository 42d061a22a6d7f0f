"""Graphs with the path metric, each edge of length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.checks import check_seed, require_at_least
from embgeom.errors import OptionError

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["barabasi_albert", "cycle", "erdos_renyi", "grid", "random_tree"]

Distances = NDArray[np.float64]

_TRIES = 1000


def random_tree(n: int, seed: int = 0) -> Distances:
    """Return the path metric of a labelled tree, uniform over all of them: shape (n, n).

    δ = 0 and q = 0, exactly. The diameter is about 3.3 √n (Szekeres; Rényi, Szekeres 1967).
    """
    import networkx as nx

    require_at_least("n", n, 1)
    check_seed(seed)
    return _path_metric(nx.random_labeled_tree(n, seed=_seed(seed)))


def barabasi_albert(n: int, seed: int = 0, *, m: int = 1) -> Distances:
    """Return the path metric of a scale-free graph by preferential attachment, m edges per new node: shape (n, n).

    With m = 1 it is a tree, and δ = 0 exactly: this is the "scale-free graph, 0.00" of *Hyperbolic Fine-Tuning for
    Large Language Models*. With m ≥ 2 it is not: 2δ and the diameter (about log n/log log n) are small whole numbers,
    and 2δ/diameter is 0.65 ± 0.04 for n = 100 and m = 2, 1 for n = 200 and m = 5, so that 0.00 is out of reach.
    P(degree) ∝ degree⁻³ either way: it is the lack of cycles that makes δ small, not the power law.
    """
    import networkx as nx

    require_at_least("n", n, 2)
    require_at_least("m", m, 1)
    check_seed(seed)
    if m >= n:
        raise OptionError(f"m must be less than n = {n}, got {m}")
    return _path_metric(nx.barabasi_albert_graph(n, m, seed=_seed(seed)))


def erdos_renyi(n: int, seed: int = 0, *, p: float | None = None) -> Distances:
    """Return the path metric of a random graph G(n, p) that is connected: shape (n, n).

    Graphs are drawn until one is; by default with p = 2 ln n/n, where most are. With n → ∞ at fixed mean degree δ and
    the diameter both grow as log n (Narayan, Saniee, Tucci 2012: such graphs are not hyperbolic). For tens to hundreds
    of nodes 2δ and the diameter are whole numbers up to about six, so that 2δ/diameter jumps between 1/2, 2/3, 3/4 and
    1, with standard deviations of 0 to 0.2 (n = 100: 0.90 ± 0.12 at the default p, 0.61 ± 0.09 at mean degree 3,
    0.67 ± 0.00 at 20, 1 ± 0 at 50). The "random graph, 0.62 ± 0.34" of *Hyperbolic Fine-Tuning for Large Language
    Models*, which does not say n or p, has a spread that only graphs of six or seven nodes come near
    (n = 6, p = 0.6: 0.66 ± 0.32; n = 7, p = 0.9: 0.64 ± 0.31): some draws are near-trees, others hold a 4-cycle across
    the diameter.

    Raises
    ------
    OptionError
        If p is no probability, or none of 1000 draws is connected.
    """
    import networkx as nx

    require_at_least("n", n, 1)
    check_seed(seed)
    probability = min(1.0, 2 * np.log(max(n, 2)) / n) if p is None else p
    if not 0 <= probability <= 1:
        raise OptionError(f"p must lie between 0 and 1, got {p}")
    rng = _seed(seed)
    for _ in range(_TRIES):
        graph = nx.gnp_random_graph(n, probability, seed=rng)
        if nx.is_connected(graph):
            return _path_metric(graph)
    raise OptionError(f"none of {_TRIES} random graphs of {n} nodes with p = {probability:.3g} is connected; raise p")


def grid(n: int, seed: int = 0) -> Distances:
    """Return the path metric of a × b points of the square lattice, a · b = n as near a square as n allows: (n, n).

    For a ≤ b, δ = a − 1, attained by the corners of a square of that side, and the diameter is a + b − 2: for a square
    2δ/diameter = 1, as large as it can be; the share falls to 0 for a long strip (a prime n gives a path, δ = 0).
    Nothing is random here.
    """
    require_at_least("n", n, 1)
    a = next(side for side in range(int(np.sqrt(n)), 0, -1) if n % side == 0)
    places = np.stack(np.divmod(np.arange(n), n // a), axis=1)
    distances: Distances = np.abs(places[:, None] - places).sum(axis=2).astype(np.float64)
    return distances


def cycle(n: int, seed: int = 0) -> Distances:
    """Return the path metric of a ring of n points: shape (n, n).

    With n = 4k + r, δ = k, but k − ½ for r = 1; the diameter is ⌊n/2⌋. So 2δ/diameter is 1 for r = 0 and tends to 1
    for the others. Nothing is random here.
    """
    require_at_least("n", n, 3)
    steps = np.abs(np.arange(n)[:, None] - np.arange(n))
    distances: Distances = np.minimum(steps, n - steps).astype(np.float64)
    return distances


def _path_metric(graph: nx.Graph[Any]) -> Distances:
    """Return the lengths of the shortest paths of a connected graph, one breadth-first search per node."""
    import networkx as nx

    order = {node: number for number, node in enumerate(graph)}
    distances = np.zeros((len(order), len(order)))
    for node, lengths in nx.all_pairs_shortest_path_length(graph):
        own = distances[order[node]]
        for other, length in lengths.items():
            own[order[other]] = length
    return distances


def _seed(seed: int) -> Any:
    """Return the generator that networkx draws from: a seed of any size, not of 32 bits alone."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
