"""What all figures share: the palette, new axes, and files written whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.errors import OptionError
from embgeom.results import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "check_figure_path", "new_axes", "save_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which the colour-blind can tell apart."""

_FORMATS = (".png", ".svg", ".pdf")


def new_axes(width: float = 5.5, height: float = 3.6) -> Axes:
    """Return the axes of a new figure of that size in inches, in the common style; no global state is touched."""
    from matplotlib.figure import Figure

    axes: Axes = Figure(figsize=(width, height), layout="constrained").add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def check_figure_path(path: str | Path) -> None:
    """Raise :class:`OptionError` if no figure can be written there, before the work that would fill it."""
    target = Path(path)
    if target.suffix.lower() not in _FORMATS:
        raise OptionError(f"figure {str(path)!r}: the name must end in one of {', '.join(_FORMATS)}")
    if not target.parent.is_dir():
        raise OptionError(f"figure {str(path)!r}: there is no folder {target.parent}")


def save_figure(drawn: Axes | Figure, path: str | Path) -> bool:
    """Write a figure, or the one that axes are in, in the format that the file's name asks for, whole or not at all.

    Return True when done.
    """
    check_figure_path(path)
    buffer = io.BytesIO()
    figure: Any = drawn.figure  # that of a figure is itself
    figure.savefig(buffer, format=Path(path).suffix[1:].lower(), dpi=200)
    write_bytes(path, buffer.getvalue())
    return True
