"""Whole numbers before floats: what the int16 product says of a block, and what it says of triangles."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_spaces import SPACES, euclidean, gaussian

from embgeom.delta.cpu import matrix, triangle
from embgeom.delta.cpu.product import _LOWEST, _ROUNDED, _largest_gap, pack_rows, panel_count
from embgeom.delta.cpu.simd import PANEL, SHORT

SIZES = (4, 15, 16, 17, 31, 32, 33, 50, 64, 65, 97)


def gromov_products(distances: np.ndarray, base: int) -> np.ndarray:
    return distances[base][:, None] + distances[base] - distances


def packed(distances: np.ndarray, base: int, n: int, slope: float) -> np.ndarray:
    """The panels, put side by side as one matrix."""
    shorts = np.empty(panel_count(n) * n * PANEL, np.int16)
    pack_rows(distances, base, n, 0, n, distances.dtype.type(slope), shorts)
    return shorts.reshape(-1, n, PANEL).transpose(1, 0, 2).reshape(n, -1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_products_are_rounded_to_the_nearest(n: int, dtype: type) -> None:
    distances = gaussian(np.random.default_rng(n), n + 1).astype(dtype)
    slope = SHORT / (2 * float(distances.max()))
    for base, first in ((n, n), (0, n), (n - 1, n), (n // 2, n), (n, n + 1)):  # beyond the points, and among them
        panels = packed(distances, base, first, slope)
        assert (panels[:, first:] == -SHORT).all()
        within = np.arange(first) != base
        assert (np.diagonal(panels)[within] == SHORT).all()
        if base < first:
            assert (panels[base] == -SHORT).all()
            assert (panels[:, base] == -SHORT).all()
        inner = np.ix_(within, within)
        off = ~np.eye(int(within.sum()), dtype=bool)
        exact = (gromov_products(distances.astype(float), base)[:first, :first] * slope)[inner][off]
        assert np.abs(panels[:, :first][inner][off] - exact).max() <= 0.5 + 0.01


@pytest.mark.parametrize("n", [33, 64, 97])
@pytest.mark.parametrize("space", ["gaussian", "vocabulary", "not_a_metric", "integers", "circle"])
def test_the_bound_of_a_block_holds(space: str, n: int) -> None:
    """The largest C − G of every block, as numpy has it, is no further from that in int16 than is allowed for."""
    distances = SPACES[space](np.random.default_rng(n), n)
    slope, base = SHORT / (2 * distances.max()), 1
    products = gromov_products(distances, base) * slope
    products[base], products[:, base] = -SHORT, -SHORT
    np.fill_diagonal(products, SHORT)
    gaps = np.minimum(products[:, :, None], products[None]).max(1) - products
    shorts, block = np.empty(panel_count(n) * n * PANEL, np.int16), np.empty(PANEL * PANEL, np.int16)
    pack_rows(distances, base, n, 0, n, slope, shorts)
    seen = []
    for j in range(panel_count(n)):
        for i in range(j + 1):
            bound = _largest_gap(shorts, n, i * n * PANEL, j * n * PANEL, i, _LOWEST, block)
            exact = max(0, gaps[i * PANEL : (i + 1) * PANEL, j * PANEL : (j + 1) * PANEL].max())
            assert exact <= bound + _ROUNDED
            seen.append(bound - exact)
    assert min(seen) <= _ROUNDED  # a bound of some block is near its value


# -------------------------------------------------------------------------------- triangles


def least_detour(distances: np.ndarray) -> float:
    """The least d(x,p) + d(p,y) − d(x,y) over three distinct points."""
    way = distances[:, :, None] + distances[None]  # x, p, y
    index = np.arange(len(distances))
    way[index, index] = way[:, index, index] = np.inf
    detour = way.min(1) - distances
    np.fill_diagonal(detour, np.inf)
    return float(detour.min())


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("space", SPACES)
def test_no_triangle_is_passed_over(space: str, n: int) -> None:
    for seed in range(3):
        distances = SPACES[space](np.random.default_rng(seed), n)
        if triangle.every_way_is_longer(distances, float(distances.max())):
            assert least_detour(distances) > 0


@pytest.mark.parametrize("n", SIZES)
def test_many_dimensions_are_seen_at_once(n: int) -> None:
    distances = euclidean(np.random.default_rng(n).normal(size=(n, 200)))
    assert triangle.every_way_is_longer(distances, float(distances.max()))


@pytest.mark.parametrize("n", [5, 32, 33, 70])
@pytest.mark.parametrize("excess", [1e-9, 1e-3, 0.5])
def test_one_wrong_distance_is_seen_wherever_it_is(n: int, excess: float) -> None:
    rng = np.random.default_rng(n)
    clean = euclidean(rng.normal(size=(n, 200)))
    for _ in range(40):
        x, p, y = rng.choice(n, 3, replace=False)
        distances = clean.copy()
        distances[x, p] = distances[p, x] = distances[x, y] / 2
        distances[p, y] = distances[y, p] = distances[x, y] / 2 * (1 - excess)
        assert not triangle.every_way_is_longer(distances, float(distances.max()))


def test_triangles_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triangle, "_SUMS_COST", 1.0)
    monkeypatch.setattr(triangle, "_ALONE", 0)
    distances = euclidean(np.random.default_rng(0).normal(size=(150, 200)))
    assert triangle.every_way_is_longer(distances, float(distances.max()))
    distances[140, 149] = distances[149, 140] = 3 * distances.max()
    assert not triangle.every_way_is_longer(distances, float(distances.max()))


# -------------------------------------------------------------------------------- one pass


@pytest.mark.parametrize("n", [4, *SIZES])
def test_one_pass_is_what_numpy_does_in_ten(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "_CHUNK", 20 * n)
    given = np.random.default_rng(n).normal(size=(n, n)) * 10.0 ** np.random.default_rng(n).integers(-9, 9, (n, n))
    for view in (given, given.T, np.asfortranarray(given), np.abs(given), given * 1e-300):
        before = view.copy()
        found = matrix.symmetrise(view)
        assert found is not None
        mean = np.maximum((view + view.T) / 2, 0)
        np.fill_diagonal(mean, 0)
        np.testing.assert_array_equal(found[0], mean)
        expected = np.abs(view).max(), view.min(), np.abs(view - view.T).max(), np.abs(np.diagonal(view)).max()
        assert found[1] == expected
        np.testing.assert_array_equal(view, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_pass_sees_what_is_not_finite_anywhere(bad: float) -> None:
    for i in range(18):
        for j in range(18):
            given = np.zeros((18, 18))
            given[i, j] = bad
            assert matrix.symmetrise(given) is None
