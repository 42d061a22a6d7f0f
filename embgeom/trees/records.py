"""What a fitted tree is: its edges, and how far its metric is from the distances that it was fitted to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embgeom.results import Record

__all__ = ["TreeFit"]


@dataclass(frozen=True)
class TreeFit(Record):
    """A weighted tree that holds n given points among its nodes, and its distortion.

    d is the distance that was given, d_T the distance along the tree; means are over the n (n − 1)/2 pairs of points.

    Attributes
    ----------
    method : {"gromov", "neighbor-joining"}
    labels : tuple of str
        Of the n points.
    root : int
        The point that the tree is hung up by: for ``gromov`` the base point w, from which d_T = d; neighbour joining
        knows none, and there it is only where a drawing begins.
    nodes : int
        Number of nodes: the points are 0 … n − 1, the branching points that the method added n … nodes − 1.
    edges : tuple of (int, int, float)
        Two nodes and the length ≥ 0 between them, nodes − 1 in all. A point at which others branch off is an inner
        node; an edge of length 0 is there only between points that the tree does not tell apart.
    diameter : float
        The largest d.
    additive_distortion, mean_additive_distortion : float
        Largest and mean ``|d_T − d|``, in the units of d.
    relative_additive_distortion, relative_mean_additive_distortion : float
        The same divided by the diameter.
    expansion, contraction : float or None
        Largest d_T/d and largest d/d_T over pairs with d > 0. Contraction is None where the tree puts two points that
        are apart in one place.
    multiplicative_distortion : float or None
        expansion × contraction, ≥ 1; 1 for a tree metric and its multiples. None where contraction is.
    mean_relative_error : float
        Mean of ``|d_T − d|``/d over pairs with d > 0: the average distortion of Sala et al. (2018).
    equal_pairs : int
        Pairs with d = 0, left out of the four numbers above.
    collapsed_pairs : int
        Pairs with d > 0 and d_T = 0.
    base_delta : float or None
        δ_w of the distances with w = ``root``; None for neighbour joining.
    additive_bound : float or None
        d − d_T is at most this: 2 k δ_w, see :func:`~embgeom.trees.fit_tree`. None for neighbour joining.
    negative_lengths : int
        Branches that neighbour joining gave a negative length, set to 0; 0 for ``gromov``.
    most_negative_length : float
        The smallest of them before that, ≤ 0.
    model, layer, metric : str or None
        What was measured; None where only distances were given.
    token_ids : tuple of int
        Of the points where they are tokens, else empty.
    left_out : tuple of str
        Words asked for that have no point, because they are no single token, or that of an earlier word.
    provenance : dict
    versions : dict
    """

    method: str
    labels: tuple[str, ...]
    root: int
    nodes: int
    edges: tuple[tuple[int, int, float], ...] = field(repr=False)
    diameter: float
    additive_distortion: float
    mean_additive_distortion: float
    relative_additive_distortion: float
    relative_mean_additive_distortion: float
    expansion: float
    contraction: float | None
    multiplicative_distortion: float | None
    mean_relative_error: float
    equal_pairs: int
    collapsed_pairs: int
    base_delta: float | None
    additive_bound: float | None
    negative_lengths: int
    most_negative_length: float
    model: str | None = None
    layer: str | None = None
    metric: str | None = None
    token_ids: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()
    provenance: dict[str, str | None] = field(default_factory=dict, repr=False)
    versions: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def points(self) -> int:
        """Number of points n."""
        return len(self.labels)

    def graph(self) -> Any:
        """Return the tree as a ``networkx.Graph``: ``length`` on edges, ``label`` on the nodes that are points."""
        import networkx as nx

        graph = nx.Graph()
        graph.add_nodes_from(range(self.nodes))
        graph.add_nodes_from((point, {"label": label}) for point, label in enumerate(self.labels))
        graph.add_weighted_edges_from(self.edges, weight="length")
        return graph
