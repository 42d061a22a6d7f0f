"""The page on reading δ is short, and its numbers are what is computed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from embgeom import prompt_tree_likeness
from embgeom.nulls import NULLS
from embgeom.spaces import measure_space
from figures import controls, noise, sources

PAGE = (Path(__file__).parents[2] / "docs" / "reading-delta.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def test_four_hundred_words_and_two_figures() -> None:
    assert len(PAGE.split()) <= 400
    assert re.findall(r"\]\(\.\./figures/([\w-]+)\.svg\)", PAGE) == ["noise-by-dimension", "nulls-gsm8k"]


def test_the_table_of_noise() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    dimensions, rule, four, base = rows
    assert set("".join(rule)) == {"-"}
    assert (dimensions[0], four[0], base[0]) == ("dimension", "2δ/diameter", "2δ_p/diameter")
    measured = [noise.gaussian_noise(int(d)) for d in dimensions[1:]]
    assert len(measured) == 5
    assert four[1:] == [f"{each.mean:.3f}" for each in measured]
    assert base[1:] == [f"{each.base_mean:.3f}" for each in measured]


def test_trees_and_noise() -> None:
    deltas, qs = [], []
    for name in ("branching walk", "Gaussian noise"):
        points = np.concatenate([controls.cloud_of(name, seed) for seed in range(controls.CLOUDS)])
        found = prompt_tree_likeness(points, np.arange(len(points)).reshape(-1, controls.POINTS).tolist())
        deltas.append(f"{found.relative_delta.mean:.3f}")
        qs.append(f"{found.pooled_q.mean:.3f}")
    assert f"{deltas[0]} for branching random walks, 40 points in 384 dimensions, {deltas[1]} for normal points" in TEXT
    assert f"{qs[0]} for these walks and {qs[1]} for this noise" in TEXT


def test_noise_in_the_plane() -> None:
    assert f"the plane: mean q {measure_space('Gaussian, d = 2').mean_q.mean:.3f}" in TEXT


def test_gsm8k_in_minilm(assets: Path, minilm: Path) -> None:
    found = prompt_tree_likeness(sources.minilm(), sources.gsm8k())
    assert f"GSM8K's {found.n} prompts have pooled q {found.pooled_q.mean:.3f}, the {_number(len(NULLS))} nulls" in TEXT
    assert f"mean q {found.mean_q.mean:.3f} against" in TEXT
    assert f"Their 2δ/diameter, {found.relative_delta.mean:.3f}," in TEXT


@pytest.mark.slow
def test_gsm8k_beside_its_nulls(assets: Path, minilm: Path) -> None:
    from figures.models import gsm8k_calibration

    found = gsm8k_calibration()
    ranges = {}
    for name in ("pooled_q", "mean_q"):
        means = [found.at(name, null).mean for null in found.nulls]
        ranges[name] = f"{min(means):.3f} to {max(means):.3f}"
        assert max(found.at(name, null).p_lower for null in found.nulls) <= 0.05
    assert f"the five nulls {ranges['pooled_q']};" in TEXT
    assert f"against {ranges['mean_q']}; p ≤ 0.05 against each" in TEXT
    below = [null for null in found.nulls if found.at("relative_delta", null).p_lower <= 0.05]
    above = [null for null in found.nulls if found.at("relative_delta", null).p_higher <= 0.05]
    assert (len(below), len(above), set(found.nulls) - set(below) - set(above)) == (3, 1, {"permute"})


def _number(count: int) -> str:
    return {4: "four", 5: "five", 6: "six"}[count]
