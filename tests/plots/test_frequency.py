"""The figure of token frequencies shows the counts, and the fit where it was made."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import zipf

from embgeom.errors import OptionError
from embgeom.frequency import PowerLawFit, fit_power_law
from embgeom.plots import frequency_distribution, frequency_grid, save_figure

COUNTS = zipf.rvs(2.0, size=3000, random_state=np.random.default_rng(1))


@pytest.fixture(scope="module")
def fit() -> PowerLawFit:
    return fit_power_law(COUNTS, k_min=3, alternatives=False)


def named(fit: PowerLawFit, *pairs: tuple[str, str]) -> list[PowerLawFit]:
    return [dataclasses.replace(fit, tokenizer=tokenizer, data=data) for tokenizer, data in pairs]


def visible(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def dots(axes: Axes) -> np.ndarray:
    """The dots below and in the tail, all that were drawn."""
    return np.concatenate([np.asarray(collection.get_offsets()) for collection in axes.collections[:2]])


def test_a_dot_for_every_frequency_that_occurs(fit: PowerLawFit) -> None:
    drawn = {(int(k), int(n)) for k, n in dots(frequency_distribution(fit))}
    assert drawn == set(Counter(COUNTS.tolist()).items())


def test_below_and_in_the_tail_are_told_apart(fit: PowerLawFit) -> None:
    below, tail = frequency_distribution(fit).collections[:2]
    assert sorted(k for k, _ in below.get_offsets()) == [1, 2]
    assert min(k for k, _ in tail.get_offsets()) == 3
    assert not np.array_equal(below.get_facecolor(), tail.get_facecolor())


def test_the_line_is_over_the_fitted_range_and_adds_up_to_the_tail(fit: PowerLawFit) -> None:
    (line,) = frequency_distribution(fit).lines
    k, expected = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    assert (round(k[0]), round(k[-1])) == (3, COUNTS.max())
    # The law itself, extended to all k, holds all types of the tail: the part beyond N is n N^(1-γ)/((γ-1)ζ), nearly.
    slope, constant = np.polyfit(np.log(k), np.log(expected), 1)
    assert slope == pytest.approx(-fit.gamma)
    n = np.arange(3, 200_000, dtype=float)
    rest = np.exp(constant) * 200_000 ** (1 + slope) / -(1 + slope)
    assert (np.exp(constant) * n**slope).sum() + rest == pytest.approx((COUNTS >= 3).sum(), rel=1e-5)


def test_the_circles_are_means_over_octaves(fit: PowerLawFit) -> None:
    circles = np.asarray(frequency_distribution(fit).collections[2].get_offsets())
    low, expected = 3, []
    while low <= COUNTS.max():
        held = sum(low <= count < 2 * low for count in COUNTS.tolist())
        if held:
            expected.append((np.sqrt(low * (2 * low - 1)), held / low))
        low *= 2
    assert circles == pytest.approx(np.array(expected))


def test_everything_is_within_the_axes(fit: PowerLawFit) -> None:
    axes = frequency_distribution(fit)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert axes.get_xscale() == axes.get_yscale() == "log"
    for collection in axes.collections:
        k, n = np.asarray(collection.get_offsets()).T
        assert ((left < k) & (k < right) & (low < n) & (n < high)).all()
    assert low < np.asarray(axes.lines[0].get_ydata(), float).min()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("frequency k (occurrences)", "token types per frequency")


def test_the_legend_and_the_axes_given(fit: PowerLawFit) -> None:
    axes = Figure().add_subplot()
    assert frequency_distribution(fit, axes=axes) is axes
    first, *others = (text.get_text() for text in axes.get_legend().get_texts())
    assert f"γ = {fit.gamma:.3f} ± {fit.standard_error:.3f}" in first
    assert "k ≥ 3" in first
    assert others == ["mean from k to 2k", "each k < 3", "each k ≥ 3"]


def test_no_dots_below_and_powers_of_two() -> None:
    axes = frequency_distribution(fit_power_law([1] * 60 + [2] * 15 + [4] * 4 + [8], k_min=1, alternatives=False))
    assert len(axes.collections[0].get_offsets()) == 0
    assert [n for _, n in axes.collections[2].get_offsets()] == [60, 15 / 2, 4 / 4, 1 / 8]


# --- grids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokenizers", "data"), [(1, 1), (1, 2), (1, 5), (3, 1), (2, 3), (2, 5)])
def test_a_panel_for_each_on_common_scales(fit: PowerLawFit, tokenizers: int, data: int) -> None:
    small = fit_power_law(COUNTS[:500], k_min=2, alternatives=False)
    pairs = [(f"some/model{t}", f"data{d}") for t in range(tokenizers) for d in range(data)]
    results = [*named(fit, *pairs[:-1]), *named(small, pairs[-1])]
    panels = visible(frequency_grid(results))
    titles = {f"data{d}" + (f" · model{t}" if tokenizers > 1 else "") for t in range(tokenizers) for d in range(data)}
    assert {axes.get_title(loc="left") for axes in panels} == titles
    assert len(panels) == len(results)
    assert len({(*axes.get_xlim(), *axes.get_ylim()) for axes in panels}) == 1
    largest = max(result.frequency_values[-1] for result in results)
    assert all(largest < axes.get_xlim()[1] and len(dots(axes)) for axes in panels)
    (smaller,) = (axes for axes in panels if f"γ = {small.gamma:.3f}" in axes.get_legend().get_texts()[0].get_text())
    assert smaller.get_title(loc="left").startswith(f"data{data - 1}")


def test_tokenizers_and_data_cross(fit: PowerLawFit) -> None:
    """Rows of tokenizers and columns of data, with a gap where a pair is missing."""
    figure = frequency_grid(named(fit, ("x", "a"), ("x", "b"), ("x", "c"), ("y", "a"), ("y", "c")))
    shown = [axes.get_title(loc="left") if axes.get_visible() else None for axes in figure.axes]
    assert shown == ["a · x", "b · x", "c · x", "a · y", None, "c · y"]
    assert figure.get_supxlabel() == "frequency k (occurrences)"


def test_a_grid_of_nothing() -> None:
    with pytest.raises(OptionError, match="there are no results to draw"):
        frequency_grid([])


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures_and_axes_are_saved(fit: PowerLawFit, tmp_path: Path, suffix: str, start: bytes) -> None:
    for number, drawn in enumerate((frequency_grid([fit]), frequency_distribution(fit))):
        path = tmp_path / f"{number}.{suffix}"
        assert save_figure(drawn, path)
        assert path.read_bytes().startswith(start)


def test_long_names_do_not_overlap(fit: PowerLawFit) -> None:
    pairs = [("organisation/" + "long-" * 18 + t, "data-" * 18 + d) for t in "ab" for d in "xy"]
    figure = frequency_grid(named(fit, *pairs))
    figure.draw_without_rendering()
    first, second = (axes._left_title.get_window_extent() for axes in figure.axes[:2])
    assert first.x1 < second.x0
    assert len({axes.get_title(loc="left") for axes in visible(figure)}) == 4


def test_a_name_that_says_nothing_has_its_folder(fit: PowerLawFit) -> None:
    titles = [
        axes.get_title(loc="left")
        for axes in visible(frequency_grid(named(fit, ("/x/one/model", "a"), ("b/two", "a"))))
    ]
    assert titles == ["a · one/model", "a · two"]
