"""The figures show the numbers of the results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from embgeom import OptionError, vocabulary_hyperbolicity
from embgeom.plots import check_figure_path, relative_delta_histogram, save_figure
from tests.oracles import cloud


@pytest.fixture(scope="module")
def results():  # type: ignore[no-untyped-def]
    return [vocabulary_hyperbolicity(cloud(60, d, 0), points=20, trials=30) for d in (2, 20)]


def test_histogram_holds_every_value(results) -> None:  # type: ignore[no-untyped-def]
    axes = relative_delta_histogram(results)
    heights = [sum(patch.get_height() for patch in container) for container in axes.containers]
    assert heights == [30, 30]
    means = [line.get_xdata()[0] for line in axes.lines]
    assert means == [result.relative_delta for result in results]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert all(f"{result.relative_delta:.3f}" in label for result, label in zip(results, labels, strict=True))


def test_draws_on_the_axes_given(results) -> None:  # type: ignore[no-untyped-def]
    axes = Figure().add_subplot()
    assert relative_delta_histogram(results[:1], axes=axes) is axes


def test_one_value_many_times() -> None:
    result = vocabulary_hyperbolicity(cloud(10, 2, 0), points=10, trials=4)
    axes = relative_delta_histogram([result])
    assert sum(patch.get_height() for patch in axes.containers[0]) == 4
    low, high = axes.get_xlim()
    assert low < result.relative_delta < high
    assert np.isfinite([low, high]).all()


def test_save(results, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save_figure(relative_delta_histogram(results), tmp_path / "f.svg")
    assert "relative" in (tmp_path / "f.svg").read_text(encoding="utf-8") or (tmp_path / "f.svg").stat().st_size > 5000
    with pytest.raises(OptionError, match="must end in one of"):
        check_figure_path("f.bmp")
    with pytest.raises(OptionError, match="there is no folder"):
        check_figure_path(tmp_path / "missing" / "f.png")
