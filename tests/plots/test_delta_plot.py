"""The δ-plot and the ruler show the numbers of the results."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from embgeom.plots import q_histogram, save_figure, space_ruler
from embgeom.spaces import measure_spaces, random_tree
from embgeom.treelikeness import tree_likeness, vocabulary_tree_likeness
from tests.oracles import cloud


def test_q_histogram_is_a_density_of_the_histogram(tmp_path) -> None:  # type: ignore[no-untyped-def]
    one = tree_likeness(cloud(30, 3, 0))
    many = vocabulary_tree_likeness(cloud(60, 20, 0), points=20, trials=5)
    axes = q_histogram([one, many])
    for patch, result in zip(axes.patches, (one, many), strict=True):
        heights, edges, _ = patch.get_data()  # type: ignore[attr-defined]
        assert (heights * np.diff(edges)).sum() == pytest.approx(1)
        assert heights[0] == pytest.approx(sum(result.histogram[:2]) / sum(result.histogram) * 50)
    assert [line.get_xdata()[0] for line in axes.lines] == [one.mean_q.value, many.mean_q.mean]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        f"30 points: mean q {one.mean_q.value:.3f}",
        f"embeddings · 20 tokens: mean q {many.mean_q.mean:.3f}",
    ]
    save_figure(axes, tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 5000


def test_labels_and_axes() -> None:
    axes = Figure().add_subplot()
    tree = tree_likeness(distances=random_tree(20, 0))
    assert q_histogram([tree], labels=["a tree"], axes=axes) is axes
    assert axes.get_legend().get_texts()[0].get_text() == "a tree: mean q 0.000"
    assert axes.get_xlim() == (0, 1)


def test_ruler_shows_every_draw_and_the_mean() -> None:
    results = measure_spaces(["random tree", "Gaussian, d = 2", "cycle"], points=12, draws=4)
    axes = space_ruler(results)
    assert [label.get_text() for label in axes.get_yticklabels()] == [result.space for result in results]
    lines = axes.get_lines()
    for first, name in ((0, "relative_delta"), (4, "mean_q")):
        for line, result in zip(lines[first : first + 3], results, strict=True):
            assert tuple(line.get_xdata()) == getattr(result, name).values
        assert list(lines[first + 3].get_xdata()) == [getattr(result, name).mean for result in results]
