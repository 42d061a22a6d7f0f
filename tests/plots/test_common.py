"""Every figure is in one style, readable at the width of a column, and the same bytes each time it is written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from embgeom.delta import vocabulary_hyperbolicity
from embgeom.plots import relative_delta_histogram, save_figure, style
from embgeom.plots.common import COLOURS, COLUMN, new_axes
from tests.oracles import cloud

ODD = {
    "font.size": 30.0,
    "axes.labelsize": 30.0,
    "xtick.labelsize": 30.0,
    "xtick.major.size": 30.0,
    "axes.spines.top": True,
    "legend.frameon": True,
    "svg.hashsalt": None,
    "savefig.dpi": 20,
    "figure.facecolor": "black",
}


def drawn() -> Axes:
    axes = new_axes()
    axes.plot([1, 1000], [2, 3], label="line")
    axes.set_xscale("log")
    axes.set_xlabel("⟨S₁ − S₂⟩, δₚ, ‖e‖")
    return axes


def test_the_colours_of_the_style_are_the_palette() -> None:
    axes = new_axes()
    with style():
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(COLOURS)
        assert [to_hex(axes.plot([0, 1])[0].get_color()).upper() for _ in COLOURS] == list(COLOURS)


def test_the_settings_of_the_user_stay_and_do_not_matter(tmp_path: Path) -> None:
    result = vocabulary_hyperbolicity(cloud(30, 3, 0), points=10, trials=5)
    plain = tmp_path / "plain.svg"
    save_figure(relative_delta_histogram([result]), plain)
    with mpl.rc_context(ODD):
        before = dict(mpl.rcParams)
        axes = relative_delta_histogram([result])
        save_figure(axes, tmp_path / "odd.svg")
        assert dict(mpl.rcParams) == before
        assert not axes.spines["top"].get_visible()
    assert (tmp_path / "odd.svg").read_bytes() == plain.read_bytes()


def test_the_style_ends_with_its_context_and_with_errors() -> None:
    before = dict(mpl.rcParams)
    with style():
        assert mpl.rcParams["xtick.labelsize"] == 7
    assert dict(mpl.rcParams) == before
    with pytest.raises(ZeroDivisionError), style():
        raise ZeroDivisionError
    assert dict(mpl.rcParams) == before


def test_a_figure_that_others_save_looks_the_same(tmp_path: Path) -> None:
    """As a notebook does, which knows nothing of the style: ticks too, which matplotlib makes when it draws."""
    axes = drawn()
    save_figure(axes, tmp_path / "f.png")
    buffer = io.BytesIO()
    with mpl.rc_context({"xtick.labelsize": 30.0, "xtick.major.size": 30.0, "ytick.color": "red"}):
        axes.figure.savefig(buffer, format="png", dpi=200, metadata={"Software": None})  # type: ignore[union-attr]
    assert buffer.getvalue() == (tmp_path / "f.png").read_bytes()


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_same_bytes_without_date_or_program(kind: str, tmp_path: Path) -> None:
    for number in range(2):
        save_figure(drawn(), tmp_path / f"{number}.{kind}")
    first, second = (tmp_path / f"{number}.{kind}" for number in range(2))
    assert first.read_bytes() == second.read_bytes()
    assert not any(word in first.read_bytes() for word in (b"Matplotlib", b"Date>", b"CreationDate", b"tEXt"))


def test_letters_are_outlines_and_all_are_there(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    axes = drawn()
    save_figure(axes, tmp_path / "f.svg")
    assert b"<text" not in (tmp_path / "f.svg").read_bytes()
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    assert not recwarn.list  # no glyph is missing


def test_on_axes_of_the_user_nothing_but_the_drawing_changes() -> None:
    axes = Figure().add_subplot()
    before: Callable[[Any], Any] = lambda of: (of.spines["top"].get_visible(), of.xaxis.label.get_size())  # noqa: E731
    found = before(axes)
    relative_delta_histogram([vocabulary_hyperbolicity(cloud(30, 3, 0), points=10, trials=5)], axes=axes)
    assert before(axes) == found


def test_new_axes_are_as_wide_as_a_column() -> None:
    figure = new_axes().figure
    assert figure.get_size_inches()[0] == COLUMN == 3.3  # type: ignore[union-attr]
