"""A tree in the Poincaré disc, with every edge as long as it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.errors import OptionError
from embgeom.trees.structure import walk

if TYPE_CHECKING:
    from embgeom.trees.records import TreeFit

__all__ = ["geodesic", "onward", "poincare_layout"]

# Hyperbolic radius of the farthest node by default: |z| = tanh(2) ≈ 0.96, where a drawing still shows it.
_RADIUS = 4.0
# Beyond this the nearest float64 to a position is on the circle, or its edges have lost their digits.
_FARTHEST = 30.0


def poincare_layout(fit: TreeFit, *, root: int | None = None, scale: float | None = None) -> NDArray[np.float64]:
    """Place the nodes of a tree in the Poincaré disc (curvature −1) so that no two edges cross.

    Sarkar's construction for weighted edges: an edge of length ℓ is a geodesic of hyperbolic length ``scale`` · ℓ, and
    a node divides the directions that lie before it among its children, in proportion to how many leaves each has
    behind it. "Before it" is the arc of the boundary circle that its parent gave it, as seen from the node, and at most
    what equal cones for its parent and its children would leave to the children. So every subtree stays on its side of
    its own arc, and edges meet in their common nodes only, whatever the scale; the greater the scale, the nearer are
    distances in the disc to those along the tree.

    Parameters
    ----------
    fit : TreeFit
    root : int, optional
        The node at the centre; by default the root of the tree.
    scale : float, optional
        By default such that the farthest node is at hyperbolic distance 4 from the centre.

    Returns
    -------
    numpy.ndarray, shape (nodes, 2), float64
        Coordinates, of norm below 1.

    Raises
    ------
    OptionError
        If there is no such node, or the scale is not positive or sends a node farther than 30 from the centre, where
        float64 cannot tell it from the boundary.

    References
    ----------
    Sarkar, *Low distortion Delaunay embedding of trees in hyperbolic plane* (2011); Sala et al., *Representation
    tradeoffs for hyperbolic embeddings* (2018), for weighted trees.
    """
    centre = fit.root if root is None else root
    if not 0 <= centre < fit.nodes:
        raise OptionError(f"root must be one of the nodes 0 to {fit.nodes - 1}, got {centre!r}")
    tree = walk(fit.edges, fit.nodes, centre)
    depth = [0.0] * fit.nodes
    for node in tree.order[1:]:
        depth[node] = depth[tree.parent[node]] + tree.length[node]
    factor = _RADIUS / max(depth) if scale is None else scale
    if not 0 < factor * max(depth) <= _FARTHEST:
        raise OptionError(
            f"scale must be positive and at most {_FARTHEST / max(depth):.3g}, at which the farthest node is "
            f"{_FARTHEST:g} from the centre, got {scale!r}"
        )
    leaves = [0 if children else 1 for children in tree.children]
    for node in reversed(tree.order[1:]):
        leaves[tree.parent[node]] += leaves[node]
    # A node's own frame has it at 0 and its parent in the direction of −1. z ↦ (a z + b)/(b̄ z + ā) maps it to the disc.
    frame = {centre: (1 + 0j, 0j)}
    half_arc = {centre: math.pi}
    for node in tree.order:
        children = tree.children[node]
        half = half_arc[node]
        if node != centre:
            half = min(half, math.pi * len(children) / (len(children) + 1))
        start = -half
        for child in children:
            share = half * leaves[child] / leaves[node]
            half_length = factor * tree.length[child] / 2
            frame[child] = _moved(frame[node], start + share, half_length)
            # Seen from a point r nearer to its middle, an arc of half-angle α has β with tan(β/2) = e^r tan(α/2).
            wide = math.exp(2 * half_length) * math.sin(share / 2)
            half_arc[child] = 2 * math.atan2(wide, math.cos(share / 2))
            start += 2 * share
    position = np.array([frame[node][1] / frame[node][0].conjugate() for node in range(fit.nodes)])
    return np.stack([position.real, position.imag], axis=1)


def geodesic(start: NDArray[np.float64], stop: NDArray[np.float64], steps: int = 65) -> NDArray[np.float64]:
    """Return points (steps, 2), equally far apart, on the geodesic between two points of the disc.

    It is an arc of the circle through them that meets the rim at right angles.
    """
    a, b = complex(*start), complex(*stop)
    ahead = (b - a) / (1 - a.conjugate() * b)  # where b is, once a is moved to 0: geodesics from there are straight
    if abs(ahead) == 0:
        return np.tile(start, (steps, 1))
    radius = np.tanh(np.linspace(0, math.atanh(abs(ahead)), steps))
    moved = radius * (ahead / abs(ahead))
    z = (moved + a) / (1 + a.conjugate() * moved)
    return np.stack([z.real, z.imag], axis=1)


def onward(start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point of the rim where the geodesic from ``start`` through ``stop`` ends."""
    a, b = complex(*start), complex(*stop)
    back = (a - b) / (1 - b.conjugate() * a)
    ahead = -back / abs(back)
    end = (ahead + b) / (1 + b.conjugate() * ahead)
    return np.array([end.real, end.imag]) / abs(end)


def _moved(frame: tuple[complex, complex], angle: float, half_length: float) -> tuple[complex, complex]:
    """Return the frame after a turn by ``angle`` and a step forward of hyperbolic length 2 ``half_length``."""
    a, b = frame
    turn = complex(math.cos(angle / 2), math.sin(angle / 2))
    a, b = a * turn, b * turn.conjugate()
    forward, across = math.cosh(half_length), math.sinh(half_length)
    return a * forward + b * across, a * across + b * forward
