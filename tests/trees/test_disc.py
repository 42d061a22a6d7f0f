"""The laws of the layout in the disc: edges of true length, no crossings, nearer to the tree with a greater scale."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom import OptionError
from embgeom.trees import TreeFit, fit_tree, poincare_layout
from embgeom.trees.disc import geodesic, onward
from tests.trees.examples import distances_in, metrics, weighted_trees


def hyperbolic(x: np.ndarray, y: np.ndarray) -> float:
    """The distance in the Poincaré disc by its arcosh formula."""
    gap = ((x - y) ** 2).sum()
    return float(np.arccosh(1 + 2 * gap / ((1 - (x**2).sum()) * (1 - (y**2).sum()))))


def cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Whether the straight segments ab and cd have a point in common, but for rounding."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) * side(a, b, d) < -1e-18 and side(c, d, a) * side(c, d, b) < -1e-18


def tree_of(graph: nx.Graph, root: int = 0) -> TreeFit:
    return fit_tree(distances_in(graph, graph), root=root)


@given(example=weighted_trees(), data=st.data())
@settings(deadline=None, max_examples=60)
def test_edges_have_their_length_and_no_two_cross(example, data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    graph, points = example
    fit = fit_tree(distances_in(graph, points))
    root = data.draw(st.integers(0, fit.nodes - 1))
    longest = max(nx.single_source_dijkstra_path_length(fit.graph(), root, weight="length").values())
    scale = data.draw(st.floats(0.5, 8)) / longest
    z = poincare_layout(fit, root=root, scale=scale)
    assert z.shape == (fit.nodes, 2)
    assert (np.linalg.norm(z, axis=1) < 1).all()
    assert z[root].tolist() == [0, 0]
    for u, v, length in fit.edges:
        assert hyperbolic(z[u], z[v]) == pytest.approx(scale * length, abs=1e-9)
    # In Klein's disc geodesics are straight.
    klein = 2 * z / (1 + (z**2).sum(1, keepdims=True))
    for (u, v, _), (x, y, _) in itertools.combinations(fit.edges, 2):
        if not {u, v} & {x, y}:
            assert not cross(klein[u], klein[v], klein[x], klein[y])


@pytest.mark.parametrize("method", ["gromov", "neighbor-joining"])
@given(d=metrics(least=4, most=15))
@settings(deadline=None, max_examples=30)
def test_fits_of_any_metric_do_not_cross_either(method: str, d: np.ndarray) -> None:
    fit = fit_tree(d, method=method)
    z = poincare_layout(fit)
    reach = [hyperbolic(np.zeros(2), place) for place in z]
    assert max(reach) <= 4 + 1e-9
    klein = 2 * z / (1 + (z**2).sum(1, keepdims=True))
    assert not any(
        cross(klein[u], klein[v], klein[x], klein[y])
        for (u, v, _), (x, y, _) in itertools.combinations(fit.edges, 2)
        if not {u, v} & {x, y}
    )


def test_greater_scales_are_nearer_to_the_tree() -> None:
    graph = nx.balanced_tree(3, 3)
    nx.set_edge_attributes(graph, 1.0, "length")
    fit = tree_of(graph)
    d = distances_in(graph, graph)
    pairs = list(itertools.combinations(range(len(d)), 2))
    errors = []
    for scale in (1.0, 2.0, 4.0):
        z = poincare_layout(fit, scale=scale)
        found = np.array([hyperbolic(z[x], z[y]) / scale for x, y in pairs])
        given_ = np.array([d[pair] for pair in pairs])
        assert (found <= given_ + 1e-9).all()  # an edge path is no shorter than the geodesic
        errors.append((1 - found / given_).max())
    assert errors[0] > 1.6 * errors[1] > 1.6**2 * errors[2]
    assert errors[2] < 0.25


def test_a_star_is_cut_in_equal_parts() -> None:
    star = nx.star_graph(5)
    nx.set_edge_attributes(star, 2.0, "length")
    z = poincare_layout(tree_of(star), scale=0.75)
    angles = np.sort(np.arctan2(z[1:, 1], z[1:, 0]) % (2 * np.pi))
    assert np.diff(angles) == pytest.approx(2 * np.pi / 5)
    assert np.linalg.norm(z[1:], axis=1) == pytest.approx(np.tanh(0.75))  # hyperbolic 1.5: tanh(1.5 / 2)


def test_directions_follow_the_leaves() -> None:
    # Two branches at the centre, with one leaf and with three: half-arcs π/4 and 3π/4 apart from its middle.
    graph = nx.Graph([(0, 1), (0, 2), (2, 3), (2, 4), (2, 5)])
    nx.set_edge_attributes(graph, 1.0, "length")
    z = poincare_layout(tree_of(graph))
    angles = np.arctan2(z[:, 1], z[:, 0])
    assert (angles[2] - angles[1]) % np.pi == pytest.approx(0, abs=1e-9)
    order = np.argsort((angles[3:] - angles[2] + np.pi) % (2 * np.pi))
    spread = ((angles[3:] - angles[2] + np.pi) % (2 * np.pi) - np.pi)[order]
    assert spread[1] == pytest.approx(0, abs=1e-9)
    assert spread[0] == pytest.approx(-spread[2])


def test_many_points_in_a_chain() -> None:
    chain = nx.path_graph(600)
    nx.set_edge_attributes(chain, 0.01, "length")
    z = poincare_layout(tree_of(chain))
    assert (np.linalg.norm(z, axis=1) < 1).all()
    assert np.arctan2(z[1:, 1], z[1:, 0]) == pytest.approx(np.arctan2(z[1, 1], z[1, 0]), abs=1e-9)


def test_bad_options() -> None:
    fit = fit_tree([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    for root in (-1, 3):
        with pytest.raises(OptionError, match="root must be one of the nodes 0 to 2"):
            poincare_layout(fit, root=root)
    for scale in (0.0, -1.0, 15.1, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="scale must be positive and at most 15, at which"):
            poincare_layout(fit, scale=scale)
    assert (np.linalg.norm(poincare_layout(fit, scale=15.0), axis=1) < 1).all()


@given(
    start=st.tuples(st.floats(0, 0.98), st.floats(0, 6.3)),
    stop=st.tuples(st.floats(0, 0.98), st.floats(0, 6.3)),
)
@settings(deadline=None)
def test_geodesics_meet_the_rim_at_right_angles(start: tuple[float, float], stop: tuple[float, float]) -> None:
    a, b = (radius * np.array([np.cos(angle), np.sin(angle)]) for radius, angle in (start, stop))
    path = geodesic(a, b, 9)
    assert path[0] == pytest.approx(a, abs=1e-12)
    assert path[-1] == pytest.approx(b, abs=1e-9)
    steps = [hyperbolic(p, q) for p, q in itertools.pairwise(path)]
    assert steps == pytest.approx([np.mean(steps)] * 8, abs=1e-6)
    # A circle with centre c and radius r is orthogonal to the rim where |c|² = 1 + r²: 2⟨c, z⟩ = 1 + |z|² on it.
    determinant = a[0] * b[1] - a[1] * b[0]
    if abs(determinant) > 1e-3:
        centre = np.linalg.solve(np.stack([a, b]), [(1 + a @ a) / 2, (1 + b @ b) / 2])
        assert 2 * path @ centre == pytest.approx(1 + (path**2).sum(1), abs=1e-6)
    else:
        assert abs(path @ np.array([-b[1] + a[1], b[0] - a[0]])).max() <= abs(determinant) + 1e-3


def test_geodesics_go_on_to_the_rim() -> None:
    assert onward(np.array([0.2, 0.0]), np.array([0.5, 0.0])) == pytest.approx([1, 0])
    # The circle about (√2, 0) of radius 1 meets the rim at ±45°, at right angles, and passes (√2 − 1, 0).
    middle, above = np.array([np.sqrt(2) - 1, 0]), np.sqrt(2) * np.array([1, 0]) + [-np.cos(0.3), np.sin(0.3)]
    assert onward(middle, above) == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])
    assert onward(above, middle) == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)])
