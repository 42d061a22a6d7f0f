"""Distances against SciPy's direct differences, where digits are easily lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from embgeom import OptionError, PointsError, pairwise_distances
from embgeom.metric import METRICS, diameter, row_distances
from tests.oracles import cloud

# 600 points take the Gram form, 60 the direct differences.
SIZES = [60, 600]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("offset", [0.0, 10.0, 1e4])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6, 1e150, 1e-150])
def test_euclidean_is_scipys(n: int, offset: float, scale: float) -> None:
    x = (cloud(n, 20, seed=n) + offset) * scale
    expected = cdist(x / scale, x / scale) * scale
    # Given the offset, the coordinates themselves hold only so many digits of the differences.
    np.testing.assert_allclose(pairwise_distances(x), expected, rtol=1e-12 * max(1.0, offset))


@pytest.mark.parametrize("n", SIZES)
def test_near_duplicates_keep_their_distance(n: int) -> None:
    x = cloud(n, 20, seed=1) + 3
    x[1] = x[0]
    for k, gap in enumerate([1e-3, 1e-6, 1e-9, 1e-12], start=2):
        x[k] = x[0]
        x[k, 0] += gap
    d = pairwise_distances(x).numpy()
    assert d[0, 1] == 0
    np.testing.assert_allclose(d[0, 2:6], cdist(x, x)[0, 2:6], rtol=1e-12)


def test_clusters_of_many_scales() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=(150, 5)) * s + c for s, c in [(1e-12, 0), (1e-3, 1), (1, 100), (1e6, 0)]])
    np.testing.assert_allclose(pairwise_distances(x), cdist(x, x), rtol=1e-11)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), d=st.integers(1, 8), metric=st.sampled_from(METRICS))
@settings(max_examples=40, deadline=None)
def test_symmetric_with_zero_diagonal(seed: int, n: int, d: int, metric: str) -> None:
    x = cloud(n, d, seed)
    distances = pairwise_distances(x, metric=metric)
    assert distances.dtype == torch.float64
    assert torch.equal(distances, distances.T)
    assert not distances.diagonal().any()
    assert (distances >= 0).all()
    assert diameter(x, metric=metric) == pytest.approx(float(distances.max()), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("n", [60, 601])
@pytest.mark.parametrize("metric", METRICS)
def test_blocks_meet_without_a_seam(n: int, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = cloud(n, 4, seed=3)
    whole = pairwise_distances(x, metric=metric)
    monkeypatch.setattr("embgeom.metric._BLOCK_BYTES", 8 * n * 7)  # seven rows at a time
    blocked = pairwise_distances(x, metric=metric)
    torch.testing.assert_close(blocked, whole, rtol=1e-12, atol=0)
    assert torch.equal(blocked, blocked.T)
    assert diameter(x, metric=metric) == pytest.approx(float(whole.max()), rel=1e-12)


def test_angles() -> None:
    """Against arccos where that is accurate, against the chord where it is not."""
    x = cloud(50, 6, seed=4)
    cosine = np.clip(1 - cdist(x, x, "cosine"), -1, 1)
    off = ~np.eye(50, dtype=bool)
    np.testing.assert_allclose(pairwise_distances(x, metric="angular").numpy()[off], np.arccos(cosine)[off], rtol=1e-7)
    np.testing.assert_allclose(pairwise_distances(x, metric="cosine").numpy()[off], 1 - cosine[off], rtol=1e-12)
    tiny = np.array([[1.0, 0.0], [1.0, 1e-9], [-1.0, 1e-9], [-2.0, 0.0]])
    angles = pairwise_distances(tiny, metric="angular").numpy()
    assert angles[0, 1] == pytest.approx(1e-9, rel=1e-12)
    assert np.pi - angles[0, 2] == pytest.approx(1e-9, rel=1e-6)
    assert angles[0, 3] == np.pi
    assert pairwise_distances(tiny, metric="cosine")[0, 1] == pytest.approx(5e-19, rel=1e-12)


def test_scale_of_rows_does_not_change_angles() -> None:
    x = cloud(20, 5, seed=5)
    scales = 10.0 ** np.random.default_rng(0).integers(-200, 200, (20, 1))
    for metric in ("angular", "cosine"):
        torch.testing.assert_close(
            pairwise_distances(x * scales, metric=metric), pairwise_distances(x, metric=metric), rtol=1e-11, atol=1e-15
        )


@pytest.mark.parametrize("metric", METRICS)
def test_row_distances_are_entries_of_the_matrix(metric: str) -> None:
    x = torch.from_numpy(cloud(30, 5, seed=6))
    expected = pairwise_distances(x, metric=metric)[torch.arange(29), torch.arange(1, 30)]
    torch.testing.assert_close(row_distances(x[:-1], x[1:], metric=metric), expected, rtol=1e-12, atol=0)


def test_bad_points() -> None:
    with pytest.raises(PointsError, match=r"expected points as a real matrix \(n, d\), got .* of shape \(4,\)"):
        pairwise_distances(np.zeros(4))
    with pytest.raises(PointsError, match="1 of 4 rows hold NaN or inf; the first is row 2"):
        pairwise_distances([[0.0], [1.0], [float("nan")], [2.0]])
    with pytest.raises(OptionError, match="unknown metric"):
        pairwise_distances(np.zeros((4, 2)), metric="taxicab")
