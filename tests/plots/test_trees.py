"""Drawings of trees show every point in its place, labelled, and nothing over anything else."""

from __future__ import annotations

import itertools
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from embgeom.plots import draw_poincare_disc, draw_tree, save_figure
from embgeom.plots.trees import _spread
from embgeom.trees import METHODS, TreeFit, fit_tree


def cloud_fit(n: int, method: str, dimension: int = 5) -> TreeFit:
    points = np.random.default_rng(n).normal(size=(n, dimension))
    d = np.linalg.norm(points[:, None] - points, axis=2)
    return fit_tree(d, method=method, root=2, labels=[f"word {i}" for i in range(n)])


def chain_fit() -> TreeFit:
    places = np.array([0, 0, 1, 2, 4, 5, 5])
    return fit_tree(np.abs(places[:, None] - places), root=3, labels=["$a", "b$", "${", "\n", "e", "é", "g"])


@pytest.mark.parametrize("draw", [draw_tree, draw_poincare_disc])
@pytest.mark.parametrize("method", METHODS)
def test_every_point_is_labelled_once(draw, method: str) -> None:  # type: ignore[no-untyped-def]
    fit = cloud_fit(30, method)
    axes = draw(fit)
    assert sorted(text.get_text() for text in axes.texts) == sorted(fit.labels)
    assert f"{fit.relative_additive_distortion:.3f}" in axes.get_title(loc="left")
    scattered = [dots for dots in axes.collections if isinstance(dots, PathCollection)]
    assert sum(len(dots.get_offsets()) for dots in scattered) == fit.nodes


@pytest.mark.parametrize("method", METHODS)
def test_dendrogram_has_true_depths_and_no_label_over_another(method: str) -> None:
    fit = cloud_fit(30, method)
    axes = draw_tree(fit)
    depth = nx.single_source_dijkstra_path_length(fit.graph(), fit.root, weight="length")
    dots, root = (np.asarray(each.get_offsets()) for each in axes.collections[-2:])
    others = [point for point in range(30) if point != fit.root]
    assert dots[:, 0] == pytest.approx([depth[point] for point in others], abs=1e-4 * fit.diameter)
    assert root[0, 0] == 0
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(axes.figure.bbox.x0 <= box.x0 and box.x1 <= axes.figure.bbox.x1 for box in boxes)


@pytest.mark.parametrize("n", [3, 30, 150])
@pytest.mark.parametrize("method", METHODS)
def test_disc_labels_are_apart_and_inside_the_figure(n: int, method: str) -> None:
    axes = draw_poincare_disc(cloud_fit(n, method))
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    places = np.array([text.get_position() for text in axes.texts])
    angles = np.sort(np.arctan2(places[:, 1], places[:, 0]))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    height = axes.texts[0].get_fontsize() / 72 * axes.figure.dpi
    pixels = np.linalg.norm(np.diff(axes.transData.transform([(0, 0), (1.08, 0)]), axis=0))
    assert (gaps * pixels >= height).all()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert all(axes.figure.bbox.x0 <= box.x0 and box.x1 <= axes.figure.bbox.x1 for box in boxes)
    for text, (x, y) in zip(axes.texts, places, strict=True):
        turn = np.radians(text.get_rotation())
        assert abs(np.cos(turn) * y - np.sin(turn) * x) < 1e-9  # along the radius
        assert np.cos(turn) >= -1e-9  # not upside down


@pytest.mark.parametrize("draw", [draw_tree, draw_poincare_disc])
def test_inner_and_equal_points_and_odd_labels(draw, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    fit = chain_fit()
    axes = Figure().add_subplot()
    assert draw(fit, axes=axes) is axes
    assert len({tuple(np.round(text.xy if draw is draw_tree else text.get_position(), 9)) for text in axes.texts}) == 7
    save_figure(axes, tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 5000


@given(st.lists(st.floats(-3.14, 3.14), min_size=1, max_size=40), st.floats(0.001, 0.15))
@settings(deadline=None)
def test_spread_angles_are_apart_and_in_order(angles: list[float], gap: float) -> None:
    given_ = np.array(angles)
    spread = _spread(given_, gap)
    turned = np.sort(spread % (2 * np.pi))
    assert (np.diff(turned, append=turned[0] + 2 * np.pi) >= gap - 1e-9).all()
    free = np.sort(given_ % (2 * np.pi))
    if (np.diff(free, append=free[0] + 2 * np.pi) > gap).all():
        assert np.cos(spread - given_) == pytest.approx(1)
