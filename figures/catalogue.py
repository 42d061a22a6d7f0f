"""The figures by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from figures import controls, gates, models, noise, story
from figures.drawing import Drawing

__all__ = ["FIGURES", "Entry"]


@dataclass(frozen=True)
class Entry:
    """How a figure is drawn, and whether that takes a real model."""

    draw: Callable[[], Drawing]
    real: bool = False


FIGURES: dict[str, Entry] = {
    "tree-or-noise": Entry(story.draw_story, real=True),
    "noise-by-dimension": Entry(noise.draw_noise),
    "trees-and-nulls": Entry(controls.draw_controls),
    "ruler": Entry(models.ruler),
    "delta-demo": Entry(models.delta_demo),
    "nulls-demo": Entry(models.nulls_demo),
    "nulls-gsm8k": Entry(models.nulls_gsm8k, real=True),
    "layers-demo": Entry(models.layers_demo),
    "frequency-demo": Entry(models.frequency_demo),
    "norms-demo": Entry(models.norms_demo),
    "norms-minilm": Entry(models.norms_minilm, real=True),
    "hierarchy-demo": Entry(models.hierarchy_demo),
    "hierarchy-minilm": Entry(models.hierarchy_minilm, real=True),
    "poincare-disc-minilm": Entry(models.disc_minilm, real=True),
    "gate": Entry(gates.draw_gate),
}
"""In the order in which they are drawn."""
