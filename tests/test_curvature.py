"""Khrulkov's constant: what it is made of, checked on points of the Poincaré disc."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from embgeom import OptionError, hyperbolicity
from embgeom.curvature import KHRULKOV, CurvatureSuggestion, suggest

CLIP = 1 - 1e-5


def disc_distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance in the Poincaré disc of curvature −1, of points as complex numbers."""
    gap = np.abs(x - y) ** 2 / ((1 - np.abs(x) ** 2) * (1 - np.abs(y) ** 2))
    return np.arccosh(1 + 2 * gap)


def test_radius_and_diameter_of_the_clipped_disc() -> None:
    """The 12.2 of the derivation is its radius; the diameter is twice that."""
    assert disc_distance(np.array(0j), np.array(CLIP + 0j)) == pytest.approx(12.2, abs=0.01)
    rim = CLIP * np.exp(2j * np.pi * np.arange(400) / 400)
    assert disc_distance(rim[:, None], rim).max() == pytest.approx(24.4, abs=0.02)


def slimness(scale: float) -> float:
    """The largest distance of a point on one side of a nearly ideal triangle to the other two sides."""
    corners = scale * np.exp(2j * np.pi * np.arange(3) / 3)

    def side(a: complex, b: complex) -> np.ndarray:
        """The geodesic: move a to the origin, take the straight line, move back."""
        moved = (b - a) / (1 - np.conj(a) * b)
        line = np.tanh(np.linspace(0, np.arctanh(np.abs(moved)), 3001)) * moved / np.abs(moved)
        return (line + a) / (1 + np.conj(a) * line)

    first, second, third = (side(corners[k], corners[(k + 1) % 3]) for k in range(3))
    others = np.concatenate([second, third])
    return max(float(disc_distance(point, others).min()) for point in first[::10])


def test_the_constant() -> None:
    """0.144 is twice the δ of slim triangles, ln(1 + √2), over the radius."""
    assert slimness(1 - 1e-6) == pytest.approx(math.log(1 + math.sqrt(2)), abs=2e-3)
    radius = float(disc_distance(np.array(0j), np.array(CLIP + 0j)))
    assert round(2 * math.log(1 + math.sqrt(2)) / radius, 3) == KHRULKOV


def test_four_points_of_the_disc() -> None:
    """Measured as data is, 2δ/diameter with δ over quadruples, the clipped disc has 2 ln 2/24.4 = 0.057, not 0.144."""
    rng = np.random.default_rng(0)
    rim = CLIP * np.exp(2j * np.pi * np.arange(40) / 40)
    inside = np.tanh(np.arctanh(CLIP) * np.sqrt(rng.random(100))) * np.exp(2j * np.pi * rng.random(100))
    points = np.concatenate([rim, inside])
    found = hyperbolicity(distances=disc_distance(points[:, None], points), method="exact", device="cpu")
    assert found.delta == pytest.approx(math.log(2), abs=1e-4)
    assert found.delta <= math.log(2) + 1e-9
    assert found.relative_delta == pytest.approx(2 * math.log(2) / 24.41, abs=1e-4)
    assert (KHRULKOV / found.relative_delta) ** 2 == pytest.approx(6.4, abs=0.1)


@pytest.mark.parametrize("c", [0.25, 1.0, 4.0])
def test_a_disc_of_other_curvature_gets_it_back(c: float) -> None:
    """At curvature −c, δ is 1/√c as large, as is every length that curvature sets; the radius, 12.2, is the data's."""
    delta = math.log(1 + math.sqrt(2)) / math.sqrt(c)
    found = suggest(2 * delta / 12.206)
    assert found.c == pytest.approx(c, rel=0.01)
    assert pytest.approx(1 / c, rel=0.01) == found.K


def test_values() -> None:
    """δ_rel ≈ 0.1 gives K ≈ 0.5, what HypLoRA's authors found best by search."""
    found = suggest(0.1)
    assert found.c == pytest.approx(2.0736)
    assert pytest.approx(1 / 2.0736) == found.K
    assert suggest(0.144).c == pytest.approx(1)
    assert suggest(0.05).c == pytest.approx(4 * found.c)
    assert CurvatureSuggestion.from_json(found.to_json()) == found


def test_the_caution_states_what_noise_gets() -> None:
    """The K of the caution are those of its δ, and its δ those of 40 Gaussian points."""
    words = suggest(0.1).caution
    deltas = {2: 0.46, 128: 0.24, 384: 0.157, 4096: 0.054}
    assert "0.46, 0.24, 0.157, 0.054 in 2, 128, 384, 4096 dimensions" in words
    assert [f"{suggest(delta).K:.2g}" for delta in deltas.values()] == ["10", "2.8", "1.2", "0.14"]
    assert "10, 2.8, 1.2, 0.14" in words
    for d, delta in deltas.items():
        rng = np.random.default_rng(d)
        noise = [hyperbolicity(rng.normal(size=(40, d)), method="exact").relative_delta for _ in range(20)]
        assert np.mean(noise) == pytest.approx(delta, abs=4 * np.std(noise) / math.sqrt(20))


def test_numbers_of_numpy() -> None:
    """A mean over float32 values is a number like any other."""
    assert suggest(np.float32(0.125)) == suggest(np.float64(0.125)) == suggest(0.125)


@pytest.mark.parametrize("delta", [0, -0.1, math.nan, math.inf, "0.1", None, True, 1.5, 1e-200, 5e-324, 1e200])
def test_bad_input(delta: object) -> None:
    with pytest.raises(OptionError, match="relative δ, 2δ/diameter, must be a positive number of at most 1"):
        suggest(delta)  # type: ignore[arg-type]


def test_needs_nothing_heavy() -> None:
    code = "import sys, embgeom.curvature; print([n for n in ('torch', 'numpy', 'numba', 'scipy') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
