"""What a figure of this folder is: a drawing, and its figures in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Drawing"]


@dataclass(frozen=True)
class Drawing:
    """A figure, and the numbers that a page may quote from it, in one sentence or a few."""

    figure: Axes | Figure
    caption: str
