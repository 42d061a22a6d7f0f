"""Each null keeps exactly what it promises, and destroys the rest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import kstest

from embgeom import OptionError, PointsError, load_embeddings
from embgeom.nulls import NULLS, Vocabulary, draw, draw_clouds, spectrum
from embgeom.nulls.batches import NullClouds
from tests.oracles import cloud


@pytest.fixture(scope="module")
def vocabulary() -> np.ndarray:
    """Correlated, with a mean, clusters and heavy tails."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(5, 6))
    return (centres[rng.integers(5, size=4000)] + rng.standard_t(4, size=(4000, 6))) @ rng.normal(size=(6, 6)) + 2


@pytest.fixture(scope="module")
def points(vocabulary: np.ndarray) -> np.ndarray:
    return vocabulary[:30]


def norms(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points, axis=1)


def singular_values(points: np.ndarray) -> np.ndarray:
    return np.linalg.svd(points - points.mean(axis=0), compute_uv=False)


# ------------------------------------------------------------------ what is kept


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(30, 6), (30, 200), (7, 7), (2, 3)])
def test_directions_keeps_norms(shape: tuple[int, int], seed: int) -> None:
    points = cloud(*shape, seed)
    np.testing.assert_allclose(norms(draw("directions", points, seed=seed)), norms(points), rtol=1e-12)


def test_directions_keeps_the_origin() -> None:
    points = np.concatenate([np.zeros((1, 4)), cloud(3, 4, 0)])
    assert (draw("directions", points)[0] == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_permute_keeps_every_coordinate(points: np.ndarray, seed: int) -> None:
    drawn = draw("permute", points, seed=seed)
    assert (np.sort(drawn, axis=0) == np.sort(points, axis=0)).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(30, 6), (30, 200), (7, 7), (8, 7), (2, 3), (40, 1)])
def test_spectrum_keeps_singular_values_and_centroid(shape: tuple[int, int], seed: int) -> None:
    points = cloud(*shape, seed) + 5
    drawn = draw("spectrum", points, seed=seed)
    np.testing.assert_allclose(singular_values(drawn), singular_values(points), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(drawn.mean(axis=0), points.mean(axis=0), rtol=1e-12)
    assert (pdist(drawn) ** 2).mean() == pytest.approx((pdist(points) ** 2).mean())


def test_spectrum_of_rank_deficient_points() -> None:
    """Points on a line stay on a line; equal points stay equal."""
    line = np.outer(np.arange(5.0), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(singular_values(draw("spectrum", line)), singular_values(line), atol=1e-12)
    np.testing.assert_allclose(draw("spectrum", np.ones((4, 3))), 1)


@pytest.mark.parametrize("seed", range(5))
def test_vocabulary_gives_distinct_rows_of_the_matrix(vocabulary: np.ndarray, seed: int) -> None:
    matrix = vocabulary[:40]
    drawn = draw("vocabulary", matrix[:30], vocabulary=matrix, seed=seed)
    rows = [int(np.flatnonzero((matrix == row).all(axis=1))[0]) for row in drawn]
    assert len(set(rows)) == 30


def test_gaussian_has_the_moments_of_the_vocabulary(vocabulary: np.ndarray) -> None:
    drawn = draw("gaussian", np.zeros((100_000, 6)), vocabulary=vocabulary, seed=1)
    covariance = np.cov(vocabulary, rowvar=False, bias=True)
    scale = np.sqrt(np.diag(covariance))
    # The standard error of a mean is σ/√n, that of a correlation at most 1/√n, and 5 of them are a bound.
    assert (np.abs(drawn.mean(axis=0) - vocabulary.mean(axis=0)) < 5 * scale / np.sqrt(100_000)).all()
    error = np.abs(np.cov(drawn, rowvar=False) - covariance) / np.outer(scale, scale)
    assert error.max() < 5 * np.sqrt(2 / 100_000)
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), (drawn - vocabulary.mean(axis=0)).T)
    assert kstest(whitened.ravel()[:20_000], "norm").pvalue > 1e-3


def test_moments_in_blocks_are_those_of_numpy(vocabulary: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embgeom.nulls.source._BLOCK_BYTES", 8 * 6 * 17)
    found = Vocabulary(vocabulary.astype(np.float32))
    exact = vocabulary.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.root @ found.root.T, np.cov(exact, rowvar=False, bias=True), rtol=1e-10)


def test_gaussian_of_a_vocabulary_with_fewer_tokens_than_dimensions() -> None:
    """Its covariance has rank 4: all that is drawn lies in its affine span."""
    matrix = cloud(5, 20, 0)
    drawn = draw("gaussian", np.zeros((50, 20)), vocabulary=matrix)
    assert np.linalg.matrix_rank(drawn - matrix.mean(axis=0), tol=1e-6) == 4
    assert np.linalg.matrix_rank(np.concatenate([drawn - matrix.mean(axis=0), matrix - matrix.mean(0)]), tol=1e-6) == 4


# -------------------------------------------------------------- what is destroyed


@pytest.mark.parametrize("exponent", [-560, 530])
def test_gaussian_of_rows_whose_squares_leave_float64(
    points: np.ndarray, vocabulary: np.ndarray, exponent: int
) -> None:
    """A unit that is a power of two changes no digit, of the null as such and of the batches' short cut."""
    for pick in (
        lambda rows: draw("gaussian", rows[:30], vocabulary=rows),
        lambda rows: NullClouds(
            rows[:30], np.array([0, 30]), vocabulary=Vocabulary(rows), seed=0, first=0
        ).draw("gaussian", 0),
    ):  # fmt: skip
        expected = np.ldexp(pick(vocabulary), exponent)
        np.testing.assert_allclose(pick(np.ldexp(vocabulary, exponent)), expected, rtol=1e-12)


def test_directions_are_uniform() -> None:
    """A coordinate of a uniform direction of R³ is uniform over [−1, 1] (Archimedes)."""
    points = np.tile([[0.0, 0.0, 1.0]], (20_000, 1))
    drawn = draw("directions", points, seed=3)
    assert kstest((drawn[:, 0] + 1) / 2, "uniform").pvalue > 1e-3
    assert kstest((drawn[:, 2] + 1) / 2, "uniform").pvalue > 1e-3


def test_permute_destroys_correlations() -> None:
    points = np.repeat(cloud(2000, 1, 0), 2, axis=1)
    assert np.corrcoef(draw("permute", points).T)[0, 1] == pytest.approx(0, abs=0.1)
    assert not np.allclose(norms(draw("permute", points)), norms(points))


def test_spectrum_destroys_clusters_and_norms() -> None:
    rng = np.random.default_rng(0)
    clusters = np.concatenate([rng.normal(size=(25, 50)), rng.normal(size=(25, 50)) + 5])
    within = np.linalg.norm(clusters[:25].mean(axis=0) - clusters[25:].mean(axis=0))
    drawn = draw("spectrum", clusters)
    assert np.linalg.norm(drawn[:25].mean(axis=0) - drawn[25:].mean(axis=0)) < within / 2
    assert not np.allclose(np.sort(norms(drawn)), np.sort(norms(clusters)), rtol=0.01)


def test_spectrum_draws_the_left_vectors_uniformly() -> None:
    """For n = 3 points on a line the centred positions are a circle's: their angle is uniform."""
    line = np.array([[0.0], [1.0], [5.0]])
    rng = np.random.default_rng(0)
    across, along = np.array([1, -1, 0]) / np.sqrt(2), np.array([1, 1, -2]) / np.sqrt(6)
    drawn = [spectrum(line, rng, None)[:, 0] for _ in range(4000)]
    angles = [np.arctan2(x @ across, x @ along) / (2 * np.pi) % 1 for x in drawn]
    assert kstest(angles, "uniform").pvalue > 1e-3


def test_gaussian_has_no_clusters(vocabulary: np.ndarray) -> None:
    drawn = draw("gaussian", np.zeros((4000, 6)), vocabulary=vocabulary)
    first = np.linalg.eigh(np.cov(vocabulary, rowvar=False))[1][:, -1]
    assert kstest((drawn @ first - (drawn @ first).mean()) / (drawn @ first).std(), "norm").pvalue > 1e-3
    assert kstest((vocabulary @ first - (vocabulary @ first).mean()) / (vocabulary @ first).std(), "norm").pvalue < 1e-3


# -------------------------------------------------------------------- the interface


@pytest.mark.parametrize("name", NULLS)
def test_pure_function_of_the_seed(name: str, points: np.ndarray, vocabulary: np.ndarray) -> None:
    before = points.copy()
    first = draw(name, points, vocabulary=vocabulary, seed=1)
    assert first.shape == points.shape
    assert first.dtype == np.float64
    assert (first == draw(name, points, vocabulary=Vocabulary(vocabulary), seed=1)).all()
    assert (first != draw(name, points, vocabulary=vocabulary, seed=2)).any()
    assert (points == before).all()
    assert (first != points).any()


@pytest.mark.parametrize("name", NULLS)
def test_batches_do_not_matter(name: str, vocabulary: np.ndarray) -> None:
    points, offsets = vocabulary[:100], np.array([0, 30, 60, 100])
    source = Vocabulary(vocabulary)
    whole = draw_clouds(name, points, offsets, vocabulary=source, seed=4, draw=2)
    last = draw_clouds(name, points[60:], np.array([0, 40]), vocabulary=source, seed=4, draw=2, first=2)
    assert (whole[60:] == last).all()
    assert (whole != draw_clouds(name, points, offsets, vocabulary=source, seed=4, draw=3)).any()
    if name == "permute":
        assert (np.sort(whole[30:60], axis=0) == np.sort(points[30:60], axis=0)).all()


def test_takes_embeddings_and_tensors() -> None:
    embeddings = load_embeddings("demo")
    drawn = draw("gaussian", embeddings.matrix[:5], vocabulary=embeddings)
    assert drawn.shape == (5, embeddings.matrix.shape[1])


def test_bad_input(points: np.ndarray, vocabulary: np.ndarray) -> None:
    with pytest.raises(OptionError, match="unknown null 'noise'; choose one of: gaussian, directions"):
        draw("noise", points)
    with pytest.raises(OptionError, match="null gaussian needs the vocabulary"):
        draw("gaussian", points)
    with pytest.raises(PointsError, match="the points have 6 dimensions and the vocabulary 5"):
        draw("gaussian", points, vocabulary=vocabulary[:, :5])
    with pytest.raises(PointsError, match="30 points are wanted and the vocabulary has 29"):
        draw("vocabulary", points, vocabulary=vocabulary[:29])
    with pytest.raises(PointsError, match="NaN or inf"):
        draw("permute", np.full((4, 2), np.nan))
    with pytest.raises(PointsError, match="the vocabulary holds NaN"):
        draw("gaussian", points, vocabulary=np.full((4, 6), np.inf))
    with pytest.raises(PointsError, match="no tokens"):
        Vocabulary(np.empty((0, 6)))
    with pytest.raises(PointsError, match="two at least"):
        draw("permute", points[:1])
    with pytest.raises(OptionError, match="seed must be"):
        draw("permute", points, seed=-1)


def test_names_are_functions_whatever_was_imported_first() -> None:
    import embgeom.nulls
    import embgeom.nulls.drawing
    import embgeom.nulls.models

    for name in ("draw", *NULLS):
        assert callable(getattr(embgeom.nulls, name)), name
