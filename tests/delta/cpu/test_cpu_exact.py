"""The exact four-point kernels and the fixed-base kernel against the oracle, theorems and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cpu_spaces import SPACES, all_gaps, euclidean, fixed_base_oracle, four_point_oracle, gaussian, integers, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom.delta.cpu import (
    brute,
    brute_force,
    climb,
    fixed_base,
    gauge,
    minmax,
    parallel,
    pruned,
    pruned_scan,
    two_delta_of,
)
from embgeom.delta.found import Found

EXACT = {"brute": brute_force, "pruned": pruned_scan}
SIZES = (4, 5, 6, 7, 9, 16, 25, 31, 32, 33, 40)


def check_witness(distances, found: Found) -> None:
    assert len(set(found.witness)) == 4
    assert all(isinstance(index, int) and 0 <= index < len(distances) for index in found.witness)
    assert all_gaps(distances, np.array([found.witness]))[0] == found.two_delta


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("method", EXACT)
def test_exact_equals_the_oracle_to_the_last_bit(space, method) -> None:
    for seed, n in enumerate(SIZES):
        distances = SPACES[space](np.random.default_rng(seed), n)
        found = EXACT[method](distances)
        check_witness(distances, found)
        assert found.two_delta == four_point_oracle(distances), (seed, n)


@pytest.mark.parametrize("space", SPACES)
def test_fixed_base_equals_the_oracle_to_the_last_bit(space) -> None:
    for seed, n in enumerate(SIZES):
        rng = np.random.default_rng(seed)
        distances = SPACES[space](rng, n)
        base = int(rng.integers(n))
        found = fixed_base(distances, base)
        check_witness(distances, found)
        assert found.witness[0] == base
        assert found.certificate == "fixed base"
        assert found.two_delta == fixed_base_oracle(distances, base), (seed, n)


@pytest.mark.parametrize("space", SPACES)
def test_sixty_points(space) -> None:
    distances = SPACES[space](np.random.default_rng(7), 60)
    expected = four_point_oracle(distances)
    assert brute_force(distances).two_delta == expected
    assert pruned_scan(distances).two_delta == expected
    assert max(fixed_base(distances, p).two_delta for p in range(60)) == expected


@pytest.mark.parametrize("n", [63, 64, 65, 127, 128, 129, 191])
@pytest.mark.parametrize("space", ["gaussian", "integers", "not_a_metric", "duplicates"])
def test_sizes_around_the_blocks(space, n) -> None:
    distances = SPACES[space](np.random.default_rng(n), n)
    brute, pruned = brute_force(distances), pruned_scan(distances)
    check_witness(distances, brute)
    check_witness(distances, pruned)
    assert brute.two_delta == pruned.two_delta


@pytest.mark.parametrize("n", [255, 256, 257, 300])
def test_larger_sizes_around_the_blocks(n) -> None:
    distances = gaussian(np.random.default_rng(n), n)
    found = pruned_scan(distances)
    assert found.certificate == "pruned scan"
    assert found.two_delta == brute_force(distances).two_delta
    at_witness = fixed_base(distances, found.witness[2])
    assert at_witness.two_delta == found.two_delta


@pytest.mark.parametrize("seed", range(12))
def test_pruned_equals_brute_on_many_instances(seed) -> None:
    """Twelve times all spaces and three sizes; a full budget, so that the scan itself must answer."""
    rng = np.random.default_rng(100 + seed)
    for name, space in SPACES.items():
        for n in rng.integers(4, 70, size=2):
            distances = space(rng, int(n))
            found = pruned_scan(distances, seed=seed, work_budget=np.inf)
            assert found.certificate == "pruned scan"
            assert found.two_delta == brute_force(distances).two_delta, (name, n)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["vocabulary", "clusters", "near_tree", "integers"])
def test_six_hundred_points(space) -> None:
    distances = SPACES[space](np.random.default_rng(0), 600)
    found = pruned_scan(distances)
    check_witness(distances, found)
    assert found.two_delta == brute_force(distances).two_delta
    assert found.two_delta == max(fixed_base(distances, p).two_delta for p in range(600))


@given(st.integers(4, 14), st.integers(0, 2**32), st.sampled_from([1.0, 0.1, 1e-12, 1e6]))
@settings(max_examples=150, deadline=None)
def test_any_symmetric_matrix_of_few_values(n, seed, unit) -> None:
    """Hypothesis looks for ties: entries 0 to 4 times a unit, any symmetric matrix."""
    upper = np.triu(np.random.default_rng(seed).integers(0, 5, size=(n, n)), 1) * unit
    distances = upper + upper.T
    expected = four_point_oracle(distances)
    assert brute_force(distances).two_delta == expected
    assert pruned_scan(distances, work_budget=np.inf).two_delta == expected
    assert fixed_base(distances, 0).two_delta == fixed_base_oracle(distances, 0)


@pytest.mark.parametrize("method", EXACT)
class TestTheorems:
    def test_trees_are_zero_hyperbolic(self, method) -> None:
        for seed in range(5):
            distances = tree(np.random.default_rng(seed), 50)
            assert EXACT[method](distances).two_delta <= 8 * np.finfo(float).eps * distances.max()

    def test_line_and_complete_graph_are_zero(self, method) -> None:
        points = np.random.default_rng(0).integers(1000, size=(40, 1)).astype(float)
        assert EXACT[method](euclidean(points)).two_delta == 0
        assert EXACT[method](1 - np.eye(33)).two_delta == 0

    @pytest.mark.parametrize("n", [4, 8, 12, 40])
    def test_cycle_of_4k_vertices_has_delta_k(self, method, n) -> None:
        """The four vertices k apart: sums 4k, 2k, 2k; no quadruple of C_n does better (δ ≤ n/4)."""
        gap = np.abs(np.arange(n)[:, None] - np.arange(n)).astype(float)
        assert EXACT[method](np.minimum(gap, n - gap)).two_delta == n / 2

    @pytest.mark.parametrize("n", [2, 3, 5, 9])
    def test_grid_has_delta_n_minus_1(self, method, n) -> None:
        """City-block n × n grid: its corners have sums 4(n−1), 2(n−1), 2(n−1)."""
        points = np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2).astype(float)
        distances = np.abs(points[:, None] - points[None]).sum(-1)
        assert EXACT[method](distances).two_delta == 2 * (n - 1)

    def test_unit_square(self, method) -> None:
        """Diagonals 2√2 against sides 2: δ = √2 − 1."""
        points = np.array([[0.0, 0], [0, 1], [1, 1], [1, 0]])
        assert EXACT[method](euclidean(points)).two_delta == pytest.approx(2 * (math.sqrt(2) - 1), rel=1e-15)

    def test_invariant_under_permutation(self, method) -> None:
        rng = np.random.default_rng(3)
        for space in SPACES.values():
            distances = space(rng, 45)
            order = rng.permutation(45)
            shuffled = np.ascontiguousarray(distances[np.ix_(order, order)])
            assert EXACT[method](shuffled).two_delta == EXACT[method](distances).two_delta

    @pytest.mark.parametrize("exponent", [-700, -40, 20, 600])
    def test_powers_of_two_scale_exactly(self, method, exponent) -> None:
        distances = gaussian(np.random.default_rng(4), 70)
        found, scaled = EXACT[method](distances), EXACT[method](distances * 2.0**exponent)
        assert scaled.two_delta == found.two_delta * 2.0**exponent
        assert scaled.witness == found.witness


@pytest.mark.parametrize("space", ["gaussian", "vocabulary", "duplicates", "clusters", "tree"])
def test_base_point_bounds(space) -> None:
    """δ_p ≤ δ ≤ 2 δ_p for every base of a metric (Gromov)."""
    distances = SPACES[space](np.random.default_rng(5), 40)
    exact = brute_force(distances).two_delta
    rounding = 16 * np.finfo(float).eps * distances.max()
    for p in range(40):
        at_p = fixed_base(distances, p).two_delta
        assert at_p <= exact <= 2 * at_p + rounding


def test_results_do_not_depend_on_threads(monkeypatch) -> None:
    for name, space in SPACES.items():
        distances = space(np.random.default_rng(6), 90)
        several = [
            f(distances) for f in (brute_force, pruned_scan, lambda d: fixed_base(d, 1), lambda d: climb(d, 99, 0))
        ]
        with monkeypatch.context() as patch:
            patch.setattr(parallel, "thread_count", lambda: 1)
            one = [
                f(distances) for f in (brute_force, pruned_scan, lambda d: fixed_base(d, 1), lambda d: climb(d, 99, 0))
            ]
        assert several == one, name


@pytest.mark.parametrize("space", ["gaussian", "near_tree", "integers", "clusters"])
def test_work_cut_into_small_pieces(space, monkeypatch) -> None:
    """As for thousands of points: one base takes several tasks, and a block of rows several calls of the kernel."""
    distances = SPACES[space](np.random.default_rng(11), 150)
    whole = [f(distances).two_delta for f in (brute_force, pruned_scan, lambda d: fixed_base(d, 149))]
    for module in (brute, minmax):
        monkeypatch.setattr(module, "_MIN_COST", 1)
        monkeypatch.setattr(module, "_MAX_COST", 4e5)
    monkeypatch.setattr(minmax, "_FIRST_PASS", 1000)
    monkeypatch.setattr(pruned, "_LIMIT", 100)
    monkeypatch.setattr(gauge, "_ROWS_PER_PASS", 1000)
    assert [f(distances).two_delta for f in (brute_force, pruned_scan, lambda d: fixed_base(d, 149))] == whole


def test_budget_hands_over_to_brute_force() -> None:
    distances = tree(np.random.default_rng(0), 80, noise=1e-3)
    spent = pruned_scan(distances, work_budget=1e-6)
    assert spent.certificate == "brute force"
    assert spent.work["quads_looked_at"] > 0
    full = pruned_scan(distances, work_budget=np.inf)
    assert full.certificate == "pruned scan"
    assert full.two_delta == spent.two_delta


def test_work_counts_shrink() -> None:
    work = pruned_scan(gaussian(np.random.default_rng(1), 200)).work
    assert work["pairs"] == 200 * 199 // 2
    assert work["pairs"] >= work["pairs_after_first_bound"] >= work["pairs_after_second_bound"] > 0


def test_read_only_and_transposed_matrices_are_taken() -> None:
    distances = integers(np.random.default_rng(2), 30)
    frozen = distances.copy()
    frozen.flags.writeable = False
    for view in (frozen, np.asfortranarray(distances)):
        assert brute_force(view) == brute_force(distances)


def test_two_delta_of_sorts_sums_not_distances() -> None:
    distances = gaussian(np.random.default_rng(8), 20)
    quads = np.random.default_rng(9).permuted(np.tile(np.arange(20), (50, 1)), axis=1)[:, :4]
    np.testing.assert_array_equal(two_delta_of(distances, quads), all_gaps(distances, quads))
    assert two_delta_of(distances, quads[0]).shape == ()
