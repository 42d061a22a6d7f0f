"""Neighbour joining.

Some thirty lines of numpy stand here because the libraries that have it weigh more than they save: scikit-bio 0.7's is
fast but brings itself, pandas, statsmodels, h5py and biom-format (some 260 MB); Biopython 1.88's, which is the second
opinion in the tests, takes seconds for 200 points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.progress import OnProgress
from embgeom.trees.structure import Edge

__all__ = ["join", "without_negative"]


def join(distances: NDArray[np.float64], *, on_progress: OnProgress | None = None) -> list[tuple[Edge, ...]]:
    """Join the pair that minimises Q(i,j) = (m − 2) d(i,j) − Σ_k d(i,k) − Σ_k d(j,k) until three nodes are left.

    Saitou and Nei (1987) in the form of Studier and Keppler (1988): the tree is right wherever d is a tree metric;
    O(n³) time. Of equal minima the first in the order of the nodes that are left is taken.

    Returns
    -------
    list of tuples of (int, int, float)
        The two edges of every join, then the three of the last node, with their lengths as the formulas give them,
        which may be negative. Nodes from n on are the joins in order.
    """
    n = len(distances)
    d = distances.copy()
    scratch = np.empty_like(d)
    name = np.arange(n)
    joins: list[tuple[Edge, ...]] = []
    for m in range(n, 3, -1):
        total = d[:m, :m].sum(1)
        q = np.multiply(d[:m, :m], m - 2, out=scratch[:m, :m])
        q -= total
        q -= total[:, None]
        np.fill_diagonal(q, np.inf)
        i, j = sorted(divmod(int(q.argmin()), m))
        length = (d[i, j] + (total[i] - total[j]) / (m - 2)) / 2
        new = 2 * n - m
        joins.append(((new, int(name[i]), float(length)), (new, int(name[j]), float(d[i, j] - length))))
        # The new node takes the place of i, and the last node that of j.
        row = (d[i, :m] + d[j, :m] - d[i, j]) / 2
        d[i, :m], d[:m, i], d[i, i] = row, row, 0
        d[j, :m], name[i], name[j] = d[m - 1, :m], new, name[m - 1]
        d[:m, j] = d[:m, m - 1]
        d[j, j] = 0
        if on_progress is not None:
            on_progress(1 - (m / n) ** 3)
    a, b, c = d[0, 1], d[0, 2], d[1, 2]
    lengths = ((a + b - c) / 2, (a + c - b) / 2, (b + c - a) / 2)
    joins.append(tuple((2 * n - 3, int(name[k]), float(length)) for k, length in enumerate(lengths)))
    return joins


def without_negative(joins: list[tuple[Edge, ...]]) -> list[Edge]:
    """Set negative lengths to 0; a sister branch takes up the difference, so that the pair stays as far apart.

    The convention of Kuhner and Felsenstein (1994). At the last node, of three branches, there is no one sister, and
    lengths are only set to 0.
    """
    edges = []
    for branches in joins:
        spare = sum(min(0.0, length) for *_, length in branches) if len(branches) == 2 else 0.0
        for u, v, length in branches:
            edges.append((u, v, max(0.0, length + spare) if length > 0 else 0.0))
    return edges
