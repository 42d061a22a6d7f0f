"""The door: distances in, a tree with its distortion out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.errors import EqualPointsError, OptionError, PointsError, choose
from embgeom.progress import OnProgress, part, progress_of
from embgeom.results import versions
from embgeom.trees.distortion import distortion
from embgeom.trees.records import TreeFit
from embgeom.trees.structure import Edge, contract, tree_metric

if TYPE_CHECKING:
    from embgeom.metric import Array

__all__ = ["METHODS", "fit_tree", "require_three"]

METHODS = ("gromov", "neighbor-joining")

# A branch shorter than this share of the diameter is rounding: its ends are one node.
_ROUNDING = 1e-12


def fit_tree(
    distances: Array,
    *,
    method: str = "gromov",
    root: int = 0,
    labels: Sequence[str] | None = None,
    progress: bool = False,
) -> TreeFit:
    """Fit a weighted tree to distances, and say how far its metric d_T is from them.

    Both methods return the tree itself where d is a tree metric.

    Parameters
    ----------
    distances : array, shape (n, n)
        At least three points, not all equal; symmetric, finite, and within the triangle inequality.
    method : {"gromov", "neighbor-joining"}
        ``gromov``: d_T(x,y) = d(x,w) + d(y,w) − 2 (x|y)' with w = ``root``, where (x|y)' is the best over all chains
        from x to y of the smallest Gromov product along the chain. Then d − 2 k δ_w ≤ d_T ≤ d with
        k = ⌈log₂(n − 2)⌉, and d_T = d from w. Seconds for thousands of points.
        ``neighbor-joining``: neither bound, and often much nearer. A branch that comes out negative is set to 0, the
        sister branch taking up the difference, and the record says so; metrics hardly ever have one (none of 200 000
        random ones of 5 to 9 points). Seconds for a thousand points.
    root : int
        Index of the base point w of ``gromov``; for ``neighbor-joining`` only where drawings begin.
    labels : sequence of str, optional
        Names of the points; by default their indices.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    PointsError
        If ``distances`` is no distance matrix of three points or more, or all points are equal.
    OptionError
        If the method or the root is unknown, or there are not n labels.

    Notes
    -----
    The bound: a chain of distinct points other than w has at most n − 2 ≤ 2^k links, and δ_w is what one halving of the
    chain may lose, (x|y)_w ≥ min((x|z)_w, (z|y)_w) − δ_w; hence (x|y)' − (x|y)_w ≤ k δ_w.

    References
    ----------
    Gromov, *Hyperbolic groups* (1987), 6.1; Ghys and de la Harpe, *Sur les groupes hyperboliques d'après Mikhael
    Gromov* (1990), ch. 2 §2. Saitou and Nei, *The neighbor-joining method* (1987); Studier and Keppler (1988); Kuhner
    and Felsenstein (1994) for negative branches. Sala et al., *Representation tradeoffs for hyperbolic embeddings*
    (2018), for the average distortion.

    Examples
    --------
    A cycle of four points is no tree; from one of them, its two neighbours are put in one place:

    >>> fit_tree([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]]).additive_distortion
    2.0
    """
    choose("method", method, METHODS)
    with progress_of("tree", show=progress) as advance:
        matrix = _as_distances(distances, part(advance, 0, 0.2))
        n = len(matrix)
        base, names = _as_root(root, n), _as_labels(labels, n)
        diameter = float(matrix.max())
        if diameter == 0:
            raise EqualPointsError(f"all {n} points are equal: the diameter is 0, and no tree says anything of them")
        scale = math.ldexp(1.0, math.frexp(diameter)[1])  # a power of two: exact, and no sum overflows
        fitted = _gromov if method == "gromov" else _neighbor_joining
        raw, evidence = fitted(matrix / scale, base, part(advance, 0.2, 0.9))
        rounding = _ROUNDING * diameter
        edges, nodes = contract([(u, v, length * scale) for u, v, length in raw], 2 * n - 2, n, rounding)
        measured = distortion(matrix, tree_metric(edges, nodes, n), rounding=rounding)
    for name in ("base_delta", "additive_bound", "most_negative_length"):
        evidence[name] = None if evidence[name] is None else evidence[name] * scale
    return TreeFit(
        method=method,
        labels=names,
        root=base,
        nodes=nodes,
        edges=tuple(edges),
        **measured,
        **evidence,
        versions=versions() | {"scipy": version("scipy")},
    )


def _gromov(matrix: NDArray[np.float64], root: int, on_progress: OnProgress) -> tuple[list[Edge], dict[str, Any]]:
    import torch

    from embgeom.delta import engine
    from embgeom.trees.gromov import gromov_edges, links

    edges = gromov_edges(matrix, root)
    engine.prepare(torch.device("cpu"), show=False)
    # Three points are a tree: no quadruple, and no δ to look for.
    three = len(matrix) == 3
    loss = 0.0 if three else engine.fixed_base(torch.from_numpy(matrix), root, on_progress=on_progress).two_delta / 2
    bound = 2 * links(len(matrix)) * loss
    return edges, {"base_delta": loss, "additive_bound": bound, "negative_lengths": 0, "most_negative_length": 0.0}


def _neighbor_joining(
    matrix: NDArray[np.float64], root: int, on_progress: OnProgress
) -> tuple[list[Edge], dict[str, Any]]:
    from embgeom.trees.joining import join, without_negative

    joins = join(matrix, on_progress=on_progress)
    negative = [length for branches in joins for *_, length in branches if length < -_ROUNDING]
    evidence = {
        "base_delta": None,
        "additive_bound": None,
        "negative_lengths": len(negative),
        "most_negative_length": min(negative, default=0.0),
    }
    return without_negative(joins), evidence


def _as_distances(distances: Array, on_progress: OnProgress) -> NDArray[np.float64]:
    import torch

    from embgeom.delta.checks import as_distances
    from embgeom.metric import as_tensor

    matrix = as_tensor(distances)
    three = matrix.shape == (3, 3)
    if matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]:
        require_three(len(matrix))
        if three:  # the check asks for four points: the last one twice
            matrix = matrix[[0, 1, 2, 2]][:, [0, 1, 2, 2]]
    found: NDArray[np.float64] = as_distances(matrix, device=torch.device("cpu"), on_progress=on_progress).numpy()
    return found[:3, :3].copy() if three else found


def require_three(n: int) -> None:
    """Raise :class:`PointsError` for fewer than three points."""
    if n < 3:
        raise PointsError(f"got {n} point{'' if n == 1 else 's'}; a tree is fitted to three or more")


def _as_root(root: int, n: int) -> int:
    if not isinstance(root, Integral) or not 0 <= root < n:
        raise OptionError(f"root must be the index of one of the {n} points, 0 to {n - 1}, got {root!r}")
    return int(root)


def _as_labels(labels: Sequence[str] | None, n: int) -> tuple[str, ...]:
    if labels is None:
        return tuple(map(str, range(n)))
    if isinstance(labels, str) or len(labels) != n or not all(isinstance(label, str) for label in labels):
        raise OptionError(f"expected {n} labels, one text for each point, got {str(labels)[:60]}")
    return tuple(labels)
