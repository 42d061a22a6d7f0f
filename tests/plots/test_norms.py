"""The figures of norms show the numbers of the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from embgeom import OptionError
from embgeom.norms import NormAnalysis, frequency_norms
from embgeom.plots import mean_frequency_by_norm, mean_norm_by_frequency, norm_grid, save_figure
from tests.norms.made import counts_of, norms_of

GREY = to_rgb("#BBBBBB")


def analysis(n: int = 800, bins: int = 20) -> NormAnalysis:
    rng = np.random.default_rng(0)
    f = rng.zipf(1.8, n).clip(max=5000)
    f[:20] = 0
    x = rng.normal(10, 1, n) - 0.5 * np.log(f + 1)
    return frequency_norms(norms_of(x), counts_of(f, data="planted"), bins=bins, resamples=50)


def dots_of(axes: Any) -> list[tuple[float, float]]:
    """Where the dots are."""
    return [tuple(container.lines[0].get_xydata()[0].tolist()) for container in axes.containers]


def test_dots() -> None:
    result = analysis()
    axes = mean_frequency_by_norm(result)
    filled = [chosen for chosen in result.norm_bins if chosen.types]
    assert [height for _, height in dots_of(axes)] == [chosen.mean_frequency for chosen in filled]
    assert axes.get_yscale() == "log"
    numbers = [text.get_text() for text in axes.texts[: len(filled)]]
    assert numbers == [str(chosen.types) for chosen in filled]
    colours = [to_rgb(container.lines[0].get_color()) for container in axes.containers]
    assert any(chosen.types < 10 for chosen in filled)
    for chosen, colour in zip(filled, colours, strict=True):
        assert (colour == pytest.approx(GREY)) == (chosen.types < 10)
    assert len(set(colours)) == 2
    lowest, highest = axes.get_ylim()
    assert lowest < min(chosen.mean_frequency for chosen in filled)
    assert highest > max(chosen.mean_frequency for chosen in filled)
    # The dots of the inner bins stand where the bins are.
    inner = [
        (middle, chosen)
        for (middle, _), chosen in zip(dots_of(axes), filled, strict=True)
        if chosen in result.norm_bins[1:-1]
    ]
    assert inner
    for middle, chosen in inner:
        assert middle == pytest.approx((chosen.low + chosen.high) / 2)


def test_band() -> None:
    result = analysis()
    axes = mean_norm_by_frequency(result)
    filled = [chosen for chosen in result.frequency_bins if chosen.types]
    line = axes.lines[0]
    assert line.get_ydata().tolist() == [chosen.mean_norm for chosen in filled]
    assert line.get_xdata().tolist() == [chosen.mean_frequency for chosen in filled]
    spread = axes.collections[0].get_paths()[0].vertices
    for chosen in filled:
        assert all(np.isclose(spread, [chosen.mean_frequency, edge]).all(axis=1).any() for edge in chosen.spread)
    interval = axes.collections[1].get_paths()[0].vertices
    first = filled[0]
    assert all(np.isclose(interval, [first.mean_frequency, edge]).all(axis=1).any() for edge in first.interval)
    never_seen = axes.lines[-1]
    assert set(never_seen.get_ydata()) == {result.never_seen.mean_norm}
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "never seen: 20 types" in labels


def test_draws_on_the_axes_given() -> None:
    result = analysis()
    for draw in (mean_frequency_by_norm, mean_norm_by_frequency):
        axes = Figure().add_subplot()
        assert draw(result, axes=axes) is axes


@pytest.mark.parametrize("bins", [2, 3, 100])
def test_any_number_of_bins(bins: int, tmp_path: Path) -> None:
    axes = mean_frequency_by_norm(analysis(bins=bins))
    save_figure(axes, tmp_path / "f.png")
    assert len(axes.containers) == sum(chosen.types > 0 for chosen in analysis(bins=bins).norm_bins)
    numbers = [text.get_text() for text in axes.texts if text.get_text().isdigit()]
    assert len(numbers) == (0 if bins == 100 else len(axes.containers))


@pytest.mark.parametrize("f", [[7], [3] * 30, [1, 2, 3]], ids=["one token", "equal counts", "three"])
def test_little_data(f: list[int], tmp_path: Path) -> None:
    result = frequency_norms(norms_of([2.0] * len(f)), counts_of(f), resamples=10)
    save_figure(norm_grid([result]), tmp_path / "f.png")
    axes = mean_frequency_by_norm(result)
    assert [height for _, height in dots_of(axes)] == [np.mean(f)]
    low, high = axes.get_xlim()
    assert low < 2 < high


def test_grid(tmp_path: Path) -> None:
    results = [analysis(), analysis(60)]
    figure = norm_grid(results)
    assert len(figure.axes) == 4
    titles = [row.get_suptitle() for row in figure.subfigs]
    assert all("planted" in title and "ρ = −0." in title for title in titles)
    save_figure(figure, tmp_path / "f.pdf")
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(OptionError, match="no results"):
        norm_grid([])


def test_the_legend_names_what_is_drawn() -> None:
    single = frequency_norms(norms_of([2.0, 3.0]), counts_of([7, 0]), resamples=10)
    labels = [text.get_text() for text in mean_norm_by_frequency(single).get_legend().get_texts()]
    assert labels == ["fewer than 10 types", "never seen: 1 type"]
    assert norm_grid([single]).subfigs[0].get_suptitle() == "embeddings:  Spearman ρ undefined"


def test_long_names_fit() -> None:
    import dataclasses

    result = dataclasses.replace(analysis(), model="organisation/" + "long-" * 20, data="data" * 25)
    figure = norm_grid([result])
    figure.draw_without_rendering()
    extent = figure.subfigs[0]._suptitle.get_window_extent()
    assert figure.bbox.x0 < extent.x0
    assert extent.x1 < figure.bbox.x1
