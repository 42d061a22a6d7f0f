"""Figures of fitted trees: as a dendrogram with true branch lengths, and in the Poincaré disc."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.plots.common import COLOURS, model_name, new_axes, plain, shortened, styled
from embgeom.trees.disc import geodesic, onward, poincare_layout
from embgeom.trees.structure import Walk, tree_metric, walk

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.trees.records import TreeFit

__all__ = ["draw_poincare_disc", "draw_tree"]

_EDGE = "0.45"
# Beyond so many points labels become smaller, so that they still do not touch.
_LABELS = 60
_STEPS = 32  # of a line in the disc
_SIZE = 7.0  # of labels, in points
_ADVANCE = 0.62  # of a letter, in sizes: on the wide side


@styled
def draw_tree(fit: TreeFit, *, axes: Axes | None = None) -> Axes:
    """Draw the tree from its root on the left, every branch as long as it is.

    Parameters
    ----------
    fit : TreeFit
    axes : matplotlib Axes, optional
        By default those of a new figure, as high as the points need.
    """
    from matplotlib.collections import LineCollection

    hung = _hung(fit, all_but=fit.root)
    tree = walk(hung.edges, hung.nodes, fit.root)
    x, y = _dendrogram(tree)
    if axes is None:
        axes = new_axes(height=0.75 + 0.13 * (y.max() + 1))
    inner = [node for node in tree.order if tree.children[node]]
    lines = [[(x[tree.parent[node]], y[node]), (x[node], y[node])] for node in tree.order[1:]]
    lines += [[(x[node], y[tree.children[node]].min()), (x[node], y[tree.children[node]].max())] for node in inner]
    axes.add_collection(LineCollection(lines, colors=_EDGE, linewidths=0.8, capstyle="projecting"))
    _draw_points(axes, fit, x, y, fit.root)
    for point, label in enumerate(fit.labels):
        side, alignment = (-4, "right") if point == fit.root else (4, "left")
        axes.annotate(
            plain(label),
            (x[point], y[point]),
            xytext=(side, 0),
            textcoords="offset points",
            ha=alignment,
            va="center",
            fontsize=_size(fit),
            color=COLOURS[1] if point == fit.root else "black",
        )
    # Room for the labels, in shares of the width.
    letter = _ADVANCE * _size(fit) / _points_across(axes)[0]
    before, after = letter * (2 + len(fit.labels[fit.root])), letter * (2 + max(map(len, fit.labels)))
    scale = x.max() / max(0.3, 1 - before - after)
    axes.set_xlim(-before * scale, x.max() + after * scale)
    axes.set_ylim(y.max() + 0.8, -0.8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    unit = " in radians" if fit.metric == "angular" else ""
    axes.set_xlabel(f"distance from “{plain(fit.labels[fit.root])}” along the tree{unit}")
    _title(axes, fit)
    return axes


@styled
def draw_poincare_disc(fit: TreeFit, *, axes: Axes | None = None) -> Axes:
    """Draw the tree in the Poincaré disc, its edges geodesics of true relative length.

    At the centre is the node with the smallest sum of distances along the tree to the points. The thin lines that lead
    to the labels are where the last edges would go on to. The base point of Gromov's tree is orange.

    Parameters
    ----------
    fit : TreeFit
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle

    if axes is None:
        axes = new_axes(height=3.6)
    hung = _hung(fit)
    centre = fit.points + int(
        tree_metric(hung.edges, hung.nodes, hung.nodes)[fit.points :, : fit.points].sum(1).argmin()
    )
    tree = walk(hung.edges, hung.nodes, centre)
    position = poincare_layout(hung, root=centre)
    axes.add_patch(Circle((0, 0), 1, facecolor="0.97", edgecolor="0.3", linewidth=0.8, zorder=0))
    arcs = [geodesic(position[u], position[v], _STEPS) for u, v, _ in hung.edges]
    axes.add_collection(LineCollection(arcs, colors=_EDGE, linewidths=0.8, zorder=1))
    x, y = position.T
    _draw_points(axes, fit, x, y, _base_point(fit))
    ends = np.stack([onward(position[tree.parent[point]], position[point]) for point in range(fit.points)])
    # The disc and the labels around it fill the smaller side.
    longest = _ADVANCE * _size(fit) * max(map(len, fit.labels))
    half = min(_points_across(axes)) / 2
    reach = 1.1 * half / max(half - longest, 0.4 * half)
    gap = 1.25 * _size(fit) * reach / (1.08 * half)
    angles = _spread(np.arctan2(ends[:, 1], ends[:, 0]), min(gap, 2 * math.pi / fit.points))
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    leaders = [
        np.concatenate([geodesic(position[point], 0.9999 * ends[point], _STEPS // 2), 1.06 * outward[point, None]])
        for point in range(fit.points)
    ]
    axes.add_collection(LineCollection(leaders, colors="0.82", linewidths=0.5, zorder=0.5))
    for point, label in enumerate(fit.labels):
        turn, right = math.degrees(angles[point]), outward[point, 0] >= 0
        axes.text(
            1.08 * float(outward[point, 0]),
            1.08 * float(outward[point, 1]),
            plain(label),
            rotation=turn if right else turn + 180,
            rotation_mode="anchor",
            ha="left" if right else "right",
            va="center_baseline",
            fontsize=_size(fit),
            color=COLOURS[1] if point == _base_point(fit) else "black",
        )
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_axis_off()
    _title(axes, fit)
    return axes


def _hung(fit: TreeFit, *, all_but: int | None = None) -> TreeFit:
    """Return the tree with every point a leaf: one at which others branch off hangs by a hair from a node in its place.

    So every label has a place of its own.
    """
    degree = np.bincount(np.array([edge[:2] for edge in fit.edges]).ravel(), minlength=fit.nodes)
    inner = [point for point in range(fit.points) if degree[point] > 1 and point != all_but]
    node = {point: fit.nodes + number for number, point in enumerate(inner)}
    hair = 1e-6 * max(length for *_, length in fit.edges)
    edges = [(node.get(u, u), node.get(v, v), max(length, hair)) for u, v, length in fit.edges]
    edges += [(node[point], point, hair) for point in inner]
    return replace(fit, nodes=fit.nodes + len(inner), edges=tuple(edges))


def _dendrogram(tree: Walk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each node's distance from the root, and its place among the leaves: the middle of its children's."""
    x, y = np.zeros(len(tree.parent)), np.zeros(len(tree.parent))
    size = [1] * len(tree.parent)
    for node in reversed(tree.order[1:]):
        size[tree.parent[node]] += size[node]
    rows = 0
    stack = [tree.order[0]]
    while stack:
        node = stack.pop()
        if node != tree.order[0]:
            x[node] = x[tree.parent[node]] + tree.length[node]
        if not tree.children[node]:
            y[node], rows = rows, rows + 1
        stack += sorted(tree.children[node], key=size.__getitem__, reverse=True)  # the smallest is drawn first
    for node in reversed(tree.order):
        if tree.children[node]:
            places = y[tree.children[node]]
            y[node] = (places.min() + places.max()) / 2
            beside = y[node] - round(y[node])
            if len(places) > 1 and abs(beside) < 0.25:  # in line with a leaf that is not its own, it would seem to be
                y[node] += math.copysign(0.25, beside) - beside
    return x, y


def _spread(angles: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return the nearest angles, by least squares, that keep the cyclic order and stay ``gap`` apart."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(angles, kind="stable")
    turned = angles[order]
    # The circle is cut in its widest free stretch.
    cut = int(np.argmax(np.diff(turned, append=turned[0] + 2 * math.pi))) + 1
    order, turned = np.roll(order, -cut), np.unwrap(np.roll(turned, -cut))
    slots = gap * np.arange(len(turned))
    free = isotonic_regression(turned - slots).x
    slack = 2 * math.pi - gap * len(turned)
    middle = (free[0] + free[-1]) / 2
    spread = np.empty_like(angles)
    spread[order] = np.clip(free, middle - slack / 2, middle + slack / 2) + slots
    return spread


def _draw_points(axes: Axes, fit: TreeFit, x: NDArray[np.float64], y: NDArray[np.float64], marked: int | None) -> None:
    points = np.arange(fit.points) != marked
    added = slice(fit.points, fit.nodes)
    axes.scatter(x[added], y[added], s=3, color=_EDGE, zorder=2, linewidths=0)
    axes.scatter(x[: fit.points][points], y[: fit.points][points], s=8, color=COLOURS[0], zorder=3, linewidths=0)
    if marked is not None:
        axes.scatter(x[marked], y[marked], s=14, color=COLOURS[1], zorder=4, linewidths=0)


def _base_point(fit: TreeFit) -> int | None:
    """Return the point from which d_T = d; neighbour joining knows none."""
    return fit.root if fit.method == "gromov" else None


def _size(fit: TreeFit) -> float:
    return _SIZE * min(1.0, _LABELS / fit.points)


def _points_across(axes: Axes) -> tuple[float, float]:
    """Return width and height of the axes, about, in points: the layout is made when the figure is drawn."""
    scale = 72 / axes.figure.dpi
    return scale * float(axes.bbox.width), scale * float(axes.bbox.height)


def _title(axes: Axes, fit: TreeFit) -> None:
    name = {"gromov": "Gromov's tree", "neighbor-joining": "neighbour joining"}[fit.method]
    about = f"{plain(shortened(model_name(fit.model)))} · {name}" if fit.model else name
    worst, mean = fit.relative_additive_distortion, fit.relative_mean_additive_distortion
    axes.set_title(f"{about}\n|d_T − d| / diameter ≤ {worst:.3f}, mean {mean:.3f}")
