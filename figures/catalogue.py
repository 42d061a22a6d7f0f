"""The figures by name, but for those that notebooks draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from figures import controls, models, noise, story
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
    "nulls-gsm8k": Entry(models.draw_nulls, real=True),
    "norms-minilm": Entry(models.draw_norms, real=True),
    "hierarchy-minilm": Entry(models.draw_hierarchy, real=True),
    "poincare-disc-minilm": Entry(models.draw_disc, real=True),
}
"""In the order in which they are drawn."""
