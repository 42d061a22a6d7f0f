"""The figures of hierarchy show the numbers of the results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from embgeom.hierarchy import Hierarchy, digit_norms, general_specific, group_statistics
from embgeom.plots import general_against_specific, group_norms, hierarchy_grid, norms_by_digits, save_figure
from embgeom.trees import token_tree
from tests.hierarchy.planted import byte_tokenizer, embeddings_of, word_tokenizer

NORMS = {"to": 1.0, "in": 1.5, "$x$": 1.2, "dog": 2.0, "cow": 3.0, "animal": 2.5, "7": 4.0, "10": 5.0, "380": 6.0}
GROUPS = {"function words": ("to", "in", "$x$"), "of $y$": ("dog", "cow"), "none": ("zebra",)}
PAIRS = [("animal", "dog"), ("animal", "cow")]


@pytest.fixture(scope="module")
def embeddings():  # type: ignore[no-untyped-def]
    return embeddings_of(word_tokenizer(list(NORMS)), NORMS)


def points(axes) -> list[list[float]]:  # type: ignore[no-untyped-def]
    return [np.asarray(drawn.get_offsets())[:, 1].tolist() for drawn in axes.collections]


def test_groups(embeddings) -> None:  # type: ignore[no-untyped-def]
    axes = group_norms(group_statistics(embeddings, GROUPS))
    assert points(axes)[:2] == [pytest.approx([1, 1.2, 1.5]), pytest.approx([2, 3])]
    assert [line.get_ydata()[0] for line in axes.lines] == pytest.approx([3.7 / 3, 2.5])
    assert [text.get_text() for text in axes.texts] == ["in", "to", "cow", "dog"]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["function\nwords\nn = 3", "of \\$y\\$\nn = 2", "none\nn = 0 of 1"]
    assert "τ" in axes.get_title(loc="left")


def test_digits(embeddings) -> None:  # type: ignore[no-untyped-def]
    axes = norms_by_digits(digit_norms(embeddings))
    assert [value for values in points(axes) for value in values] == pytest.approx([4, 5, 6])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["0–9\n1 token", "10–99\n1 token", "100–999\n1 token"]
    assert axes.get_legend() is None
    two = norms_by_digits(digit_norms(embeddings_of(byte_tokenizer([("Ġ", "7")]), {})))
    assert [text.get_text() for text in two.get_legend().get_texts()] == ["after a space", "without a space"]
    assert "no number above 9" in two.get_title(loc="left")


def test_pairs(embeddings) -> None:  # type: ignore[no-untyped-def]
    axes = general_against_specific(general_specific(embeddings, pairs=PAIRS))
    drawn = np.asarray(axes.collections[0].get_offsets())
    assert drawn == pytest.approx(np.array([[2, 2.5], [3, 2.5]]))
    (low, high), vertical = axes.get_xlim(), axes.get_ylim()
    assert vertical == (low, high)
    assert low < 2 < 3 < high
    assert {text.get_text() for text in axes.texts} == {"general shorter: 1", "general longer: 1"}


def test_no_pairs_are_said_to_be_none(embeddings) -> None:  # type: ignore[no-untyped-def]
    axes = general_against_specific(general_specific(embeddings, pairs=[("zebra", "dog")]))
    assert "none of the 1 pairs" in axes.texts[0].get_text()


def test_draws_on_the_axes_given(embeddings) -> None:  # type: ignore[no-untyped-def]
    axes = Figure().add_subplot()
    assert group_norms(group_statistics(embeddings, GROUPS), axes=axes) is axes
    assert norms_by_digits(digit_norms(embeddings), axes=axes) is axes
    assert general_against_specific(general_specific(embeddings, pairs=PAIRS), axes=axes) is axes


def test_grid(embeddings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    groups = group_statistics(embeddings, GROUPS)
    trees = (token_tree(embeddings, ["to", "in", "dog", "cow"]),)
    full = Hierarchy("m$", "input", None, groups, digit_norms(embeddings), general_specific(embeddings), trees)
    bare = Hierarchy("n", "input", None, groups, None, None, ())
    figure = hierarchy_grid([full, bare])
    assert len(figure.axes) == 8
    assert [drawn.axison for drawn in figure.axes[4:]] == [True, False, False, False]
    assert figure.axes[0].get_title(loc="left").startswith("m\\$\nno trend can be told: τ = 0.77, p = 0.2")
    assert "mean" in figure.axes[3].get_title(loc="left")
    assert save_figure(figure, tmp_path / "f.png")


def test_a_model_without_the_words_is_said_to_have_none(embeddings) -> None:  # type: ignore[no-untyped-def]
    """No empty axes with a scale of nothing; what no result has takes no place."""
    groups = group_statistics(embeddings, {"a": ["zebra", "gnu"], "b": ["yak"]})
    figure = hierarchy_grid([Hierarchy("n", "input", None, groups, None, None, ())])
    (axes,) = figure.axes
    assert not axes.axison
    assert [text.get_text() for text in axes.texts] == ["none of the 3 words\nof the groups\nis a single token"]
    none = digit_norms(embeddings_of(word_tokenizer(["dog"]), {}))
    assert [text.get_text() for text in norms_by_digits(none).texts] == ["no number from 0 to 999\nis a single token"]


def test_long_names_and_foreign_letters(embeddings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Titles stay within their axes; letters that the font has not bring no warning (which would be an error here)."""
    groups = {"特定の単語": ("dog", "cow"), "general " * 12: ("to", "in")}
    measured = group_statistics(embeddings, groups)
    name = "organisation/" + "long-" * 20
    figure = hierarchy_grid([Hierarchy(name, "input", None, measured, digit_norms(embeddings), None, ())])
    assert save_figure(figure, tmp_path / "f.png")
    with pytest.warns(UserWarning, match="Glyph"):
        figure.draw_without_rendering()
    left, right = (axes._left_title.get_window_extent() for axes in figure.axes)  # type: ignore[attr-defined]
    assert figure.bbox.x0 < left.x0
    assert left.x1 < right.x0
    assert "…" in figure.axes[0].get_title(loc="left")
