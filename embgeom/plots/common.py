"""What all figures share: the palette, new axes, names that fit, and files written whole."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.errors import OptionError
from embgeom.results import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "check_figure_path", "model_name", "new_axes", "plain", "save_figure", "shortened"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which the colour-blind can tell apart."""

_FORMATS = (".png", ".svg", ".pdf")

_LONGEST = 28
# Folders that many models are in, whose names tell none from another; the last is the hash of a snapshot.
_GENERIC = re.compile(
    r"(hf_?)?(models?|checkpoints?|snapshots?|weights|final|best|output)|checkpoint-\d+|[0-9a-f]{40}", re.I
)


def new_axes(width: float = 5.5, height: float = 3.6) -> Axes:
    """Return the axes of a new figure of that size in inches, in the common style; no global state is touched."""
    from matplotlib.figure import Figure

    axes: Axes = Figure(figsize=(width, height), layout="constrained").add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def model_name(model: str) -> str:
    """Return what to call a model: the last part of its path or Hub id.

    Where that says nothing (``model``, ``checkpoint-500``, the hash of a snapshot), as many parts as it takes. In the
    Hub's cache, ``models--org--name/snapshots/…``, it is ``org/name``.
    """
    path = Path(model)
    parts = [part for part in (path.resolve() if path.is_dir() else path).parts if part != path.anchor]
    first = next((place for place in reversed(range(len(parts))) if not _GENERIC.fullmatch(parts[place])), 0)
    if parts[first:] and parts[first].startswith("models--"):
        return parts[first].removeprefix("models--").replace("--", "/")
    return "/".join(parts[first:]) or model


def shortened(name: str, longest: int = _LONGEST) -> str:
    """Return the name if it has at most so many characters; else its beginning and its end with an ellipsis between."""
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end]}…{name[-end:]}"


def plain(text: str) -> str:
    """Return the text so that matplotlib reads no formula in it, and a line break breaks no line."""
    return text.replace("\n", "⏎").replace("$", r"\$")


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
    with warnings.catch_warnings():
        # A letter that the font has not is drawn as a box: seen in the figure, and no concern of the command line's.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format=Path(path).suffix[1:].lower(), dpi=200)
    write_bytes(path, buffer.getvalue())
    return True
