"""The figure shows the numbers of the profile."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from embgeom.embeddings import EmbeddingScale
from embgeom.errors import OptionError
from embgeom.layers import LAYER_STATISTICS, LayerMeasure, LayerProfile, LayerStatistic, NullBand
from embgeom.plots import statistics_by_depth
from embgeom.plots.common import LABELS
from embgeom.treelikeness import Spread


def made(layers: tuple[int, ...], nulls: tuple[str, ...] = ("permute", "spectrum"), **options: object) -> LayerProfile:
    rng = np.random.default_rng(0)

    def statistic(name: str) -> LayerStatistic:
        values = rng.uniform(0.2, 0.4, size=9)
        bands = tuple(NullBand(null, rng.uniform(0.4, 0.5), 0.01, -0.1, 0.02, 1.0) for null in nulls)
        return LayerStatistic(name, Spread(values.mean(), values.std(), tuple(values)), bands)

    measures = [LayerMeasure(k, tuple(map(statistic, LAYER_STATISTICS)), tuple(range(9)), 1.0) for k in layers]
    profile = LayerProfile(
        model="some/model",
        data="gsm8k",
        measures=tuple(measures),
        depth=4,
        last_is_normed=True,
        scale=EmbeddingScale(1.0, False),
        nulls=nulls,
        null_draws=3,
        n=9,
        left_out=0,
        points=40.0,
        repeats=False,
        quadruples=10,
        seed=0,
        dtype="float32",
        device="cpu",
        tokens=4096,
        provenance={},
        versions={},
    )
    return dataclasses.replace(profile, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("statistic", LAYER_STATISTICS)
def test_lines_are_the_means(statistic: str) -> None:
    profile = made((4, 0, 2))
    axes = statistics_by_depth(profile, statistic=statistic)
    lines = {str(line.get_label()): line for line in axes.lines}
    data = lines["prompts"]
    assert np.asarray(data.get_xdata()).tolist() == [0, 2, 4]
    assert np.asarray(data.get_ydata()).tolist() == [profile.at(layer, statistic).spread.mean for layer in (0, 2, 4)]
    for number, null in enumerate(profile.nulls):
        expected = [profile.at(layer, statistic).nulls[number].mean for layer in (0, 2, 4)]
        assert np.asarray(lines[f"null: {null}"].get_ydata()).tolist() == expected
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    assert axes.get_ylabel() == LABELS[statistic]
    assert axes.get_legend().get_title().get_text() == "some/model · gsm8k · 9 prompts"  # type: ignore[union-attr]
    assert len(axes.collections) == 2 + len(profile.nulls)


def test_bands_are_as_wide_as_said() -> None:
    profile = made((0, 1), nulls=())
    axes = statistics_by_depth(profile)
    spread = profile.at(0, "mean_q").spread
    heights = []
    for band in axes.collections:
        vertices = band.get_paths()[0].vertices
        at_0 = np.asarray(vertices)[np.asarray(vertices)[:, 0] == 0, 1]
        heights.append(at_0.max() - at_0.min())
    assert heights == pytest.approx([2 * spread.sd, 2 * 1.96 * spread.sd / 3])


@pytest.mark.parametrize(("layers", "normed", "marked"), [((0, 4), True, 1), ((0, 3), True, 0), ((0, 4), False, 0)])
def test_the_last_layer_is_marked(layers: tuple[int, ...], normed: bool, marked: int) -> None:
    axes = statistics_by_depth(made(layers, last_is_normed=normed))
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()].count("after the final norm") == marked


def test_one_layer() -> None:
    axes = statistics_by_depth(made((3,)))
    assert axes.get_xlim() == (2, 4)
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]


def test_draws_on_the_axes_given() -> None:
    axes = Figure().add_subplot()
    assert statistics_by_depth(made((0, 1)), axes=axes) is axes


def test_unknown_statistic() -> None:
    with pytest.raises(OptionError, match="unknown statistic 'q'; choose one of: mean_q"):
        statistics_by_depth(made((0, 1)), statistic="q")
