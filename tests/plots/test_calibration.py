"""The figures of a calibration, and of layers side by side, show the numbers of the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from embgeom import OptionError
from embgeom.calibration import Calibration, calibrate_prompts
from embgeom.layers import layer_statistics
from embgeom.nulls import NULLS
from embgeom.plots import (
    calibration_grid,
    delta_plot_with_nulls,
    layer_grid,
    save_figure,
    statistic_with_nulls,
    statistics_by_depth,
)
from embgeom.plots.common import COLOURS, COLUMN, DATA_COLOUR, NULL_COLOURS, PAGE
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


def test_a_null_has_the_same_colour_in_every_figure(calibration: Calibration) -> None:
    assert set(NULL_COLOURS) == set(NULLS) == set(calibration.nulls)
    assert len({DATA_COLOUR, *NULL_COLOURS.values()}) == 1 + len(NULLS)
    assert {DATA_COLOUR, *NULL_COLOURS.values()} <= set(COLOURS)
    every = {"data": DATA_COLOUR, **NULL_COLOURS}
    some = calibrate_prompts(cloud(60, 5, 0), [list(range(9)), list(range(20, 40))], nulls=["spectrum", "directions"])
    for found in (calibration, some):
        names = ["data", *found.nulls]
        plot: Any = delta_plot_with_nulls(found)
        drawn = {patch.get_label(): to_hex(patch.get_edgecolor()).upper() for patch in plot.patches[1:]}
        assert drawn == {name: every[name] for name in names}
        bars: Any = statistic_with_nulls(found).containers
        assert [to_hex(bar.lines[0].get_color()).upper() for bar in bars] == [every[name] for name in names]
    texts = ["one two three four five six seven"] * 2
    for nulls in (["spectrum"], ["permute", "spectrum"]):
        axes = statistics_by_depth(layer_statistics("demo", texts, null=nulls, null_draws=2))
        lines = {str(line.get_label()): to_hex(line.get_color()).upper() for line in axes.lines}
        assert lines["prompts"] == DATA_COLOUR
        assert [lines[f"null: {null}"] for null in nulls] == [NULL_COLOURS[null] for null in nulls]


def test_layers_below_each_other_show_the_same() -> None:
    profile = layer_statistics("demo", ["one two three four five six seven"] * 2, null_draws=2)
    wide, narrow = layer_grid([profile, profile]), layer_grid([profile, profile], narrow=True)
    assert (wide.get_figwidth(), narrow.get_figwidth()) == (PAGE, COLUMN)
    for one, other in zip(wide.axes, narrow.axes, strict=True):
        assert one.get_ylabel() == other.get_ylabel()
        assert [np.asarray(line.get_ydata()).tolist() for line in one.lines] == [
            np.asarray(line.get_ydata()).tolist() for line in other.lines
        ]


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
