"""The figures of a calibration, and of layers side by side, show the numbers of the results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embgeom import OptionError
from embgeom.calibration import Calibration, calibrate_prompts
from embgeom.layers import layer_statistics
from embgeom.plots import calibration_grid, delta_plot_with_nulls, layer_grid, save_figure, statistic_with_nulls
from tests.oracles import cloud


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate_prompts(cloud(60, 5, 0), [list(range(9)), list(range(20, 40)), [1, 30, 50, 51, 52]])


def test_delta_plot_holds_densities_of_data_and_nulls(calibration: Calibration) -> None:
    axes = delta_plot_with_nulls(calibration)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["data", *calibration.nulls]
    drawn = [patch.get_data() for patch in axes.patches]  # type: ignore[attr-defined]
    assert len(drawn) == 7  # the data are filled besides
    for (heights, edges, _), histogram in zip(
        drawn[1:], (calibration.observed.histogram, *calibration.histograms), strict=True
    ):
        assert (heights * np.diff(edges)).sum() == pytest.approx(1)
        assert heights[3] == pytest.approx(sum(histogram[6:8]) / sum(histogram) * 50)


@pytest.mark.parametrize("statistic", ["mean_q", "relative_delta"])
def test_statistic_beside_its_nulls(calibration: Calibration, statistic: str) -> None:
    axes = statistic_with_nulls(calibration, statistic=statistic)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["data", *calibration.nulls]
    means = [float(bar.lines[0].get_xdata()[0]) for bar in axes.containers]  # type: ignore[attr-defined]
    expected = [calibration.at(statistic, null).mean for null in calibration.nulls]
    assert means == pytest.approx([getattr(calibration.observed, statistic).mean, *expected])
    assert tuple(axes.lines[0].get_xdata()) == getattr(calibration.observed, statistic).values
    with pytest.raises(OptionError, match="unknown statistic"):
        statistic_with_nulls(calibration, statistic="q")


def test_grids_are_written(calibration: Calibration, tmp_path: Path) -> None:
    figure = calibration_grid([calibration, calibration])
    assert len(figure.axes) == 6
    save_figure(figure, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 10_000
    profile = layer_statistics("demo", ["one two three four five six seven"] * 2, null_draws=2)
    layers = layer_grid([profile])
    (legend,) = layers.legends
    assert [text.get_text() for text in legend.get_texts()] == ["prompts", "after the final norm", "null: permute"]
    assert [axes.get_legend() for axes in layers.axes] == [None, None, None]
    save_figure(layers, tmp_path / "l.svg")
    assert (tmp_path / "l.svg").stat().st_size > 10_000
