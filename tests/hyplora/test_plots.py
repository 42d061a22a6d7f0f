"""Figures of the adapter show the gate of the formula, the history that was written, and the gains as measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from embgeom import InputError
from hyplora import HypLoraError
from hyplora.plots import gain_by_frequency, gate_by_norm, gate_grid, training_losses
from tests.figures.drawn import check_readable
from tests.norms.made import counts_of


@pytest.mark.parametrize("stretch", [0.1, 1.0, 10.0])
def test_the_gate_is_the_formula(stretch: float) -> None:
    """α = √K sinh(‖x‖/√K)/‖x‖, ρ = α‖BAx‖/√K, g = α arsinh(ρ)/ρ; for ‖BAx‖ = ‖x‖ the maps undo each other."""
    curvatures = (0.5, 1.0, 2.0)
    axes = gate_by_norm(curvatures, stretch=stretch)
    for line, K in zip(axes.lines, curvatures, strict=True):
        assert line.get_label() == f"K = {K:g}"
        norms, gate = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        alpha = np.sqrt(K) * np.sinh(norms / np.sqrt(K)) / norms
        rho = alpha * stretch * norms / np.sqrt(K)
        assert gate == pytest.approx(alpha * np.arcsinh(rho) / rho, rel=1e-9)
        if stretch == 1:
            assert gate == pytest.approx(1, rel=1e-9)
        else:
            assert ((np.diff(gate) > 0) == (stretch < 1)).all()


def test_gates_side_by_side() -> None:
    figure = gate_grid()
    check_readable(figure)
    left, right = figure.axes
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("‖BAx‖ = 0.1 ‖x‖", "‖BAx‖ = 10 ‖x‖")
    assert [len(axes.lines) for axes in figure.axes] == [4, 4]


@pytest.mark.parametrize("stretch", [0.0, -1.0, float("nan"), float("inf")])
def test_a_stretch_is_a_positive_number(stretch: float) -> None:
    with pytest.raises(ValueError, match="stretch must be positive and finite"):
        gate_by_norm(stretch=stretch)


@pytest.mark.parametrize("K", [0.0, float("nan"), "a", None])
def test_a_curvature_is_a_positive_number(K: float) -> None:
    with pytest.raises(ValueError, match="K must be positive and finite"):
        gate_by_norm([0.5, K])


def test_nothing_to_draw() -> None:
    with pytest.raises(HypLoraError, match="no stretches"):
        gate_grid(stretches=())
    with pytest.raises(InputError, match="no folders"):
        training_losses({})


def test_losses_are_those_of_the_histories(tmp_path: Path) -> None:
    histories = {
        "LoRA": [{"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0}, {"step": 2, "eval_loss": 4.5}],
        "HypLoRA $K$": [{"step": 1, "loss": 5.5}, {"step": 3, "loss": 3.0}],  # without validation
    }
    for name, entries in histories.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.json").write_text(json.dumps(entries))
    axes = training_losses({name: tmp_path / name for name in histories})
    check_readable(axes)
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert drawn == [([1, 2], [5.0, 4.0]), ([2], [4.5]), ([1, 3], [5.5, 3.0])]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["LoRA", r"HypLoRA \$K\$"]


def test_a_folder_without_a_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no finished training: there is no history\.json"):
        training_losses({"lora": tmp_path})
    (tmp_path / "history.json").write_text("[{")
    with pytest.raises(InputError, match="is no history of a training"):
        training_losses({"lora": tmp_path})
    with pytest.raises(InputError, match="holds no finished training: Not a directory"):
        training_losses({"lora": tmp_path / "history.json"})


def test_gains_stand_over_the_frequency_of_their_token() -> None:
    counts = counts_of([0, 0, 3, 1, 0])
    ids = torch.tensor([[2, 3], [4, 2]])  # the texts have no 4
    gain = torch.tensor([[0.1, 0.2], [0.3, float("nan")]])
    axes = gain_by_frequency(gain, ids, counts, norm_scale=10.0)
    check_readable(axes)
    (line,) = axes.lines
    assert line.get_xdata() == pytest.approx([3, 1])
    assert line.get_ydata() == pytest.approx([1.0, 2.0])
    with pytest.raises(HypLoraError, match="must have one shape"):
        gain_by_frequency(gain[:1], ids, counts)
    with pytest.raises(ValueError, match="norm_scale must be positive"):
        gain_by_frequency(gain, ids, counts, norm_scale=0.0)
    with pytest.raises(HypLoraError, match="nothing to draw"):
        gain_by_frequency(gain[1:], ids[1:], counts)
