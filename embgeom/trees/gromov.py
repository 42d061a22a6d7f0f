"""Gromov's approximating tree of a finite metric space with a base point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.trees.structure import Edge

__all__ = ["gromov_edges", "links"]


def gromov_edges(distances: NDArray[np.float64], root: int) -> list[Edge]:
    """Return the edges of Gromov's tree, of 2 n − 2 nodes, some of them in one place with others.

    A pair of points parts ways at height (x|y)', the largest t such that a chain from x to y has Gromov products
    (x|y)_w = ½(d(x,w) + d(y,w) − d(x,y)) ≥ t at every step: where single linkage on the products joins them.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    n = len(distances)
    others = np.flatnonzero(np.arange(n) != root)
    depth = distances[others, root]
    product = (depth[:, None] + depth - distances[np.ix_(others, others)]) / 2
    top = depth.max()
    dissimilarity = top - product
    np.fill_diagonal(dissimilarity, 0)
    merges = linkage(squareform(dissimilarity, checks=False), method="single")
    # Node k of the linkage: the k-th of the other points, then one for each merge, from the highest down to the root.
    height = np.concatenate([depth, top - merges[:, 2]])
    number = np.concatenate([others, np.arange(n, 2 * n - 2)])
    edges = []
    for merge, pair in enumerate(merges[:, :2].astype(np.int64), start=n - 1):
        for child in pair:
            edges.append((int(number[merge]), int(number[child]), max(0.0, float(height[child] - height[merge]))))
    edges.append((root, int(number[-1]), max(0.0, float(height[-1]))))
    return edges


def links(n: int) -> int:
    """Return the k of the bound d − d_T ≤ 2 k δ_w for n points: ⌈log₂(n − 2)⌉, as a chain has at most n − 2 links."""
    return (n - 3).bit_length()
