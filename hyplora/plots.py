"""Figures of the adapter: its gate, its training, and what it multiplies tokens by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.errors import InputError
from embgeom.plots.common import COLOURS, PAGE, new_axes, plain, styled
from hyplora._checks import check_positive
from hyplora.config import HypLoraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from embgeom.counts import TokenCounts

__all__ = ["gain_by_frequency", "gate_by_norm", "gate_grid", "training_losses"]

_LONGEST, _STEPS = 4.0, 160


@styled
def gate_by_norm(
    curvatures: Sequence[float] = (0.1, 0.5, 2.0, 10.0), *, stretch: float = 0.1, axes: Axes | None = None
) -> Axes:
    """Draw the gate of the form ``space`` against the norm of the token, a line for each K.

    In units of the norm scale c nothing depends on c: with θ = ‖x‖/(c√K) and b = ‖BAx‖/‖x‖ the gate is
    g · c = arsinh(b sinh θ)/(bθ). At b = 1 the maps cancel, and it is 1 for every K. A flat line is LoRA.

    Parameters
    ----------
    curvatures : sequence of float
        K, each positive.
    stretch : float
        b, positive: by how much BA stretches the tokens.
    axes : matplotlib Axes, optional
        By default those of a new figure.

    Raises
    ------
    ValueError
        If a K or ``stretch`` is not a positive and finite number.
    """
    import torch

    from hyplora.gate import gate

    check_positive("stretch", stretch)
    if axes is None:
        axes = new_axes()
    norms = torch.linspace(_LONGEST / _STEPS, _LONGEST, _STEPS, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    for number, K in enumerate(curvatures):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(norms.numpy(), gate(norms[:, None], one, stretch * one, K).numpy(), color=colour, label=f"K = {K:g}")
    axes.set_xlim(0, _LONGEST)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("norm ‖x‖ / c of the token")
    axes.set_ylabel("gate g · c")
    axes.set_title(f"‖BAx‖ = {stretch:g} ‖x‖")
    return axes


@styled
def gate_grid(curvatures: Sequence[float] = (0.1, 0.5, 2.0, 10.0), stretches: Sequence[float] = (0.1, 10.0)) -> Figure:
    """Draw :func:`gate_by_norm` side by side for several ‖BAx‖/‖x‖: a map that shrinks, and one that stretches."""
    from matplotlib.figure import Figure

    if not stretches:
        raise HypLoraError("there is nothing to draw: no stretches")
    figure = Figure(figsize=(PAGE, 2.6))
    panels: Any = figure.subplots(1, len(stretches), squeeze=False)[0]
    for axes, stretch in zip(panels, stretches, strict=True):
        gate_by_norm(curvatures, stretch=stretch, axes=axes)
    panels[-1].legend()
    return figure


@styled
def training_losses(folders: Mapping[str, str | Path], *, axes: Axes | None = None) -> Axes:
    """Draw the training loss of several trainings against the step, and their validation losses as rings.

    Parameters
    ----------
    folders : mapping
        What to call each training, and the folder that ``python -m hyplora.train`` or :func:`hyplora.train.train` left.
    axes : matplotlib Axes, optional
        By default those of a new figure.

    Raises
    ------
    InputError
        If a folder has no history of a training.
    """
    from matplotlib.ticker import MaxNLocator

    if not folders:
        raise InputError("there is nothing to draw: no folders of trainings")
    if axes is None:
        axes = new_axes()
    for number, (name, folder) in enumerate(folders.items()):
        colour, entries = COLOURS[number % len(COLOURS)], _history(Path(folder))
        # Rings, a larger one for each: at the end they are often in one place.
        rings = {"linestyle": "", "marker": "o", "markerfacecolor": "none", "markersize": 4 + 2.5 * number}
        for key, looks in (("loss", {"label": plain(name)}), ("eval_loss", rings)):
            points = [(entry["step"], entry[key]) for entry in entries if key in entry]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, **looks)  # type: ignore[arg-type]
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step (rings: validation)")
    axes.set_ylabel("loss (nats per token)")
    axes.legend()
    return axes


@styled
def gain_by_frequency(
    gain: Tensor, token_ids: Tensor, counts: TokenCounts, *, norm_scale: float = 1.0, axes: Axes | None = None
) -> Axes:
    """Draw the gain of tokens in one layer against how often each token occurs; a flat line at 1 is LoRA.

    Parameters
    ----------
    gain : Tensor
        (batch, length), a layer's of :func:`hyplora.gains`. NaN, at padding, is left out.
    token_ids : Tensor
        (batch, length): the ``input_ids`` that it was measured on.
    counts : TokenCounts
        Of :func:`embgeom.token_counts`. Tokens that it does not have are left out.
    norm_scale : float
        What gains are multiplied by: c, near which 1/g is at the start of a training.
    axes : matplotlib Axes, optional
        By default those of a new figure.

    Raises
    ------
    HypLoraError
        If the shapes differ, or nothing is left to draw.
    ValueError
        If ``norm_scale`` is not a positive and finite number.
    """
    check_positive("norm_scale", norm_scale)
    if gain.shape != token_ids.shape:
        raise HypLoraError(f"gain {tuple(gain.shape)} and token_ids {tuple(token_ids.shape)} must have one shape")
    frequency = counts.as_dict()
    shown = [
        (frequency[token], norm_scale * value)
        for token, value in zip(token_ids.reshape(-1).tolist(), gain.reshape(-1).tolist(), strict=True)
        if value == value and token in frequency  # NaN is not itself
    ]
    if not shown:
        raise HypLoraError("there is nothing to draw: no token has both a gain and a count")
    if axes is None:
        axes = new_axes()
    axes.plot(*zip(*shown, strict=True), ".", markersize=3, alpha=0.3, rasterized=True)
    axes.set_xscale("log")
    axes.set_xlabel("frequency (occurrences)")
    axes.set_ylabel("gate g" if norm_scale == 1 else "gate g · c")
    return axes


def _history(folder: Path) -> list[dict[str, Any]]:
    from hyplora.train.run import HISTORY

    path = folder / HISTORY
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        told = f"there is no {path.name}" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"{str(folder)!r} holds no finished training: {told}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{str(path)!r} is no history of a training: {error}") from None
    return entries
