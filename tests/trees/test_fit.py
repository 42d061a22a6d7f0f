"""Trees are found where there are any, and elsewhere the distortion is what it is."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom import DistanceWarning, OptionError, PointsError, hyperbolicity
from embgeom.errors import EqualPointsError
from embgeom.trees import METHODS, TreeFit, fit_tree, tree_distances
from embgeom.trees.gromov import links
from embgeom.trees.joining import join, without_negative
from tests.trees.examples import distances_in, metrics, splits, weighted_trees

FOUR_CYCLE = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])

both = pytest.mark.parametrize("method", METHODS)


@both
@given(example=weighted_trees(), data=st.data())
@settings(deadline=None, max_examples=60)
def test_tree_metrics_are_recovered(method: str, example, data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    tree, points = example
    d = distances_in(tree, points)
    fit = fit_tree(d, method=method, root=data.draw(st.integers(0, len(points) - 1)))
    assert np.abs(tree_distances(fit) - d).max() < 1e-9
    assert fit.additive_distortion < 1e-9
    assert fit.multiplicative_distortion == pytest.approx(1, abs=1e-9)
    place = {node: index for index, node in enumerate(points)}
    renamed = [(place.get(u, f"n{u}"), place.get(v, f"n{v}"), length) for u, v, length in tree.edges(data="length")]
    assert splits(fit.edges, range(len(points))) == pytest.approx(splits(renamed, range(len(points))), abs=1e-9)


@both
def test_all_nodes_of_a_tree_need_no_others(method: str) -> None:
    tree = nx.balanced_tree(2, 4)
    nx.set_edge_attributes(tree, 0.5, "length")
    fit = fit_tree(distances_in(tree, tree), method=method)
    assert {frozenset(edge[:2]) for edge in fit.edges} == {frozenset(edge) for edge in tree.edges}
    assert fit.nodes == len(tree)


@given(d=metrics(most=7), data=st.data())
@settings(deadline=None, max_examples=30)
def test_gromov_tree_is_the_best_over_all_chains(d: np.ndarray, data: st.DataObject) -> None:
    n = len(d)
    w = data.draw(st.integers(0, n - 1))
    product = (d[w] + d[w][:, None] - d) / 2
    others = [x for x in range(n) if x != w]
    expected = d.copy()
    for x, y in itertools.permutations(others, 2):
        between = [z for z in others if z not in (x, y)]
        chains = (
            (x, *middle, y) for size in range(len(between) + 1) for middle in itertools.permutations(between, size)
        )
        best = max(min(product[a, b] for a, b in itertools.pairwise(chain)) for chain in chains)
        expected[x, y] = d[x, w] + d[y, w] - 2 * best
    assert tree_distances(fit_tree(d, root=w)) == pytest.approx(expected, abs=1e-10)


@given(d=metrics(least=4, most=20), data=st.data())
@settings(deadline=None, max_examples=60)
def test_gromov_bound(d: np.ndarray, data: st.DataObject) -> None:
    n = len(d)
    w = data.draw(st.integers(0, n - 1))
    fit = fit_tree(d, root=w)
    t = tree_distances(fit)
    delta = hyperbolicity(distances=d, method="base", base=w).delta
    assert fit.base_delta == pytest.approx(delta, abs=1e-12)
    assert fit.additive_bound == pytest.approx(2 * math.ceil(math.log2(n - 2)) * delta, abs=1e-12)
    assert (t <= d + 1e-12).all()
    assert t[w] == pytest.approx(d[w], abs=1e-12)
    assert (d - t).max() <= fit.additive_bound + 1e-12
    assert fit.expansion <= 1 + 1e-12


def test_links_of_the_bound() -> None:
    # A chain of n - 1 points has n - 2 links, and k halvings reach single links.
    assert [links(n) for n in range(3, 12)] == [math.ceil(math.log2(n - 2)) for n in range(3, 12)]


@both
@given(d=metrics())
@settings(deadline=None, max_examples=40)
def test_distortion_by_its_definition(method: str, d: np.ndarray) -> None:
    fit = fit_tree(d, method=method)
    graph = nx.Graph()
    graph.add_weighted_edges_from(fit.edges, weight="length")
    t = distances_in(graph, range(len(d)))
    assert tree_distances(fit) == pytest.approx(t, abs=1e-12)
    pairs = list(itertools.combinations(range(len(d)), 2))
    additive = [abs(t[x, y] - d[x, y]) for x, y in pairs]
    assert fit.diameter == d.max()
    assert fit.additive_distortion == pytest.approx(max(additive))
    assert fit.mean_additive_distortion == pytest.approx(sum(additive) / len(pairs))
    assert fit.relative_additive_distortion == pytest.approx(max(additive) / d.max())
    assert fit.relative_mean_additive_distortion == pytest.approx(sum(additive) / len(pairs) / d.max())
    assert fit.expansion == pytest.approx(max(t[pair] / d[pair] for pair in pairs))
    assert fit.mean_relative_error == pytest.approx(sum(abs(t[p] - d[p]) / d[p] for p in pairs) / len(pairs))
    if fit.multiplicative_distortion is not None:
        worst = max(t[pair] / d[pair] for pair in pairs) * max(d[pair] / t[pair] for pair in pairs)
        assert fit.multiplicative_distortion == pytest.approx(worst)
    else:
        assert fit.collapsed_pairs == sum(t[pair] < 1e-11 for pair in pairs)
    assert nx.is_tree(fit.graph())
    assert len(fit.graph()) == fit.nodes
    assert fit.root < len(d) <= fit.nodes
    assert all(length >= 0 for *_, length in fit.edges)


def test_four_cycle_by_hand() -> None:
    # From w = 0: (1|2) = (2|3) = 1 and (1|3) = 0, so that the chain 1, 2, 3 puts 1 and 3 in one place, midway to 2.
    gromov = fit_tree(FOUR_CYCLE)
    assert tree_distances(gromov).tolist() == [[0, 1, 2, 1], [1, 0, 1, 0], [2, 1, 0, 1], [1, 0, 1, 0]]
    assert gromov.nodes == 4
    assert (gromov.base_delta, gromov.additive_bound, gromov.additive_distortion) == (1, 2, 2)
    assert (gromov.collapsed_pairs, gromov.contraction, gromov.multiplicative_distortion) == (1, None, None)
    assert gromov.mean_relative_error == pytest.approx(1 / 6)
    # All Q are -6 but for opposite points, which have -4: 0 and 1 are joined, and 2 and 3, all at ½, with ½ between.
    joined = fit_tree(FOUR_CYCLE, method="neighbor-joining")
    half = [[0, 1, 1.5, 1.5], [1, 0, 1.5, 1.5], [1.5, 1.5, 0, 1], [1.5, 1.5, 1, 0]]
    assert tree_distances(joined).tolist() == half
    assert joined.multiplicative_distortion == pytest.approx(1.5 * 4 / 3)
    assert joined.additive_bound is None


@pytest.mark.parametrize("n", [3, 4, 5, 8, 13, 30])
@pytest.mark.parametrize("seed", range(4))
def test_neighbour_joining_agrees_with_biopython(n: int, seed: int) -> None:
    construction = pytest.importorskip("Bio.Phylo.TreeConstruction", reason="the test extra biopython is missing")
    # No metric: branches of negative length are common then. In general position: no ties of Q.
    half = np.triu(np.random.default_rng(seed).exponential(size=(n, n)), 1)
    d = half + half.T
    names = list(map(str, range(n)))
    lower = construction.DistanceMatrix(names, [[*row[:i], 0.0] for i, row in enumerate(d.tolist())])
    tree = construction.DistanceTreeConstructor().nj(lower)
    theirs, stack = [], [tree.root]
    while stack:
        clade = stack.pop()
        stack += clade.clades
        for child in clade.clades:
            ends = (int(node.name) if node.name in names else node.name for node in (clade, child))
            theirs.append((*ends, child.branch_length))
    ours = [edge for branches in join(d) for edge in branches]
    assert splits(ours, range(n)) == pytest.approx(splits(theirs, range(n)), abs=1e-9)
    assert n < 8 or min(length for *_, length in ours) < -0.01


def test_a_negative_length_is_set_to_zero_and_counted() -> None:
    # Points on a line, the way round short by 10⁻⁶: its length from the middle, ½ (1 + 1 − 2.000001), is negative.
    d = np.array([[0, 1, 2 + 1e-6], [1, 0, 1], [2 + 1e-6, 1, 0]])
    with pytest.warns(DistanceWarning, match="longer than a way round"):
        fit = fit_tree(d, method="neighbor-joining")
    assert fit.negative_lengths == 1
    assert fit.most_negative_length == pytest.approx(-5e-7)
    assert tree_distances(fit)[0].tolist() == pytest.approx([0, 1 + 5e-7, 2 + 1e-6], abs=1e-9)


def test_the_sister_takes_up_a_negative_length() -> None:
    joins = [((4, 0, -0.5), (4, 1, 2.0)), ((5, 2, -1.0), (5, 3, -0.5)), ((6, 4, 1.0), (6, 5, -0.25), (6, 7, 2.0))]
    assert without_negative(joins) == [  # type: ignore[arg-type]
        (4, 0, 0.0),
        (4, 1, 1.5),
        (5, 2, 0.0),
        (5, 3, 0.0),
        (6, 4, 1.0),
        (6, 5, 0.0),
        (6, 7, 2.0),
    ]


@both
@given(n=st.integers(4, 15), seed=st.integers(0, 2**32 - 1), power=st.integers(-300, 300))
@settings(deadline=None, max_examples=30)
def test_order_and_units_do_not_matter(method: str, n: int, seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 3))
    d = np.linalg.norm(points[:, None] - points, axis=2)
    order = rng.permutation(n)
    fit = fit_tree(d, method=method, root=int(order[0]))
    moved = fit_tree(d[np.ix_(order, order)], method=method)
    assert tree_distances(moved) == pytest.approx(tree_distances(fit)[np.ix_(order, order)], abs=1e-9)
    scaled = fit_tree(d * 2.0**power, method=method, root=int(order[0]))
    assert scaled.edges == tuple((u, v, length * 2.0**power) for u, v, length in fit.edges)
    assert scaled.relative_additive_distortion == fit.relative_additive_distortion
    assert scaled.multiplicative_distortion == fit.multiplicative_distortion


@both
def test_equal_points(method: str) -> None:
    points = np.array([0, 1, 1, 3, 3, 3.5, 0])
    d = np.abs(points[:, None] - points)
    fit = fit_tree(d, method=method)
    assert tree_distances(fit) == pytest.approx(d, abs=1e-12)
    assert fit.equal_pairs == 3
    assert fit.collapsed_pairs == 0
    assert fit.multiplicative_distortion == pytest.approx(1)
    assert fit.nodes == 7


@both
def test_three_points_are_a_tree(method: str) -> None:
    fit = fit_tree([[0, 3, 4], [3, 0, 5], [4, 5, 0]], method=method, labels=["a", "b", "c"])
    assert {tuple(sorted(edge[:2])): round(edge[2], 12) for edge in fit.edges} == {(0, 3): 1, (1, 3): 2, (2, 3): 3}
    assert fit.additive_distortion == pytest.approx(0, abs=1e-15)
    assert nx.get_node_attributes(fit.graph(), "label") == {0: "a", 1: "b", 2: "c"}


@both
def test_record_returns_from_json(method: str) -> None:
    fit = fit_tree(FOUR_CYCLE, method=method, labels=list("αβγδ"))
    assert TreeFit.from_json(fit.to_json()) == fit
    assert json.loads(fit.to_json())["method"] == method
    assert fit.versions["scipy"]


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], "got 2 points; a tree is fitted to three or more"),
        (np.zeros((0, 0)), "got 0 points"),
        (np.zeros((4, 3)), "expected distances as a real"),
        (np.where(FOUR_CYCLE == 2, np.nan, FOUR_CYCLE), "NaN or inf"),
        ([[0, 1, np.inf], [1, 0, 1], [np.inf, 1, 0]], "NaN or inf"),
        ([[0, 1, 9], [1, 0, 1], [9, 1, 0]], "longer than a way round"),
        (FOUR_CYCLE + np.triu(np.ones((4, 4)), 1), "not symmetric"),
        (-FOUR_CYCLE, "negative"),
        (FOUR_CYCLE + np.eye(4), "not zero on the diagonal"),
        ([["a"]], "expected an array of numbers"),
    ],
)
@both
def test_what_is_no_distance_matrix(method: str, distances, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PointsError, match=message):
        fit_tree(distances, method=method)


def test_other_bad_input() -> None:
    with pytest.raises(EqualPointsError, match="all 5 points are equal"):
        fit_tree(np.zeros((5, 5)))
    with pytest.raises(OptionError, match="unknown method 'upgma'; choose one of: gromov, neighbor-joining"):
        fit_tree(FOUR_CYCLE, method="upgma")
    for root in (4, -1, 1.5, "a"):
        with pytest.raises(OptionError, match="root must be the index of one of the 4 points, 0 to 3"):
            fit_tree(FOUR_CYCLE, root=root)  # type: ignore[arg-type]
    for labels in (["a"], "abcd", [1, 2, 3, 4]):
        with pytest.raises(OptionError, match="expected 4 labels"):
            fit_tree(FOUR_CYCLE, labels=labels)  # type: ignore[arg-type]
    with pytest.warns(DistanceWarning, match="not symmetric"):
        fit_tree(FOUR_CYCLE + 1e-9 * np.triu(np.ones((4, 4)), 1))


def test_input_is_left_alone() -> None:
    d = FOUR_CYCLE.astype(float)
    for method in METHODS:
        fit_tree(d, method=method)
    assert (d == FOUR_CYCLE).all()


def test_the_package_is_light_until_used() -> None:
    code = (
        "import sys, embgeom.trees as t; t.TreeFit, t.METHODS\n"
        "print(sorted({'torch', 'scipy', 'matplotlib', 'networkx', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
