"""What all figures share: the style, the palette, new axes, names that fit, and files written whole."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from embgeom.errors import OptionError
from embgeom.results import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "COLOURS",
    "COLUMN",
    "DATA_COLOUR",
    "LABELS",
    "NULL_COLOURS",
    "PAGE",
    "check_figure_path",
    "figure_svg",
    "legend_above",
    "model_name",
    "new_axes",
    "plain",
    "save_figure",
    "shortened",
    "style",
    "styled",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which the colour-blind can tell apart."""

DATA_COLOUR = COLOURS[0]
"""Of the data themselves, where nulls stand beside them."""

NULL_COLOURS = {
    "gaussian": COLOURS[1],
    "directions": COLOURS[2],
    "permute": COLOURS[3],
    "vocabulary": COLOURS[4],
    "spectrum": COLOURS[6],
}
"""Of each null, in every figure that tells nulls apart."""

COLUMN, PAGE = 3.3, 6.9
"""Widths of figures in inches: of a column, and of both columns of a page."""

LABELS = {
    "mean_q": "mean q",
    "pooled_q": "pooled q = ⟨S₁ − S₂⟩ / ⟨S₁ − S₃⟩",
    "delta_over_sd": "mean 2δ(quadruple) / sd of distances",
    "star_residual": "share of variance left by a star",
    "relative_delta": "relative δ = 2δ / diameter",
    "fixed_base": "relative δₚ = 2δₚ / diameter",
}
"""What to write on the axis of each statistic; all are ratios, without a unit."""

_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

_TICK = ("size", "width", "pad")
_LONGEST = 28
# Folders that many models are in, whose names tell none from another; the last is the hash of a snapshot.
_GENERIC = re.compile(
    r"(hf_?)?(models?|checkpoints?|snapshots?|weights|final|best|output)|checkpoint-\d+|[0-9a-f]{40}", re.I
)

P = ParamSpec("P")
Drawn = TypeVar("Drawn", "Axes", "Figure")


@contextmanager
def style() -> Iterator[None]:
    """Let what is drawn within be in the style of all figures: matplotlib's defaults and ``embgeom.mplstyle``.

    The settings that were there before come back at the end. For figures of one's own beside those of this package;
    its own functions need no such care.
    """
    import matplotlib.style

    with matplotlib.style.context(["default", "embgeom.plots.embgeom"]):
        yield


def styled(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """Make a function draw in the style of all figures, and touch no setting of the user's."""

    @wraps(draw)
    def drawing(*arguments: P.args, **options: P.kwargs) -> Drawn:
        with style():
            drawn = draw(*arguments, **options)
            if options.get("axes") is None:
                _settle(drawn.figure)
        return drawn

    return drawing


def new_axes(width: float = COLUMN, height: float = 2.4) -> Axes:
    """Return the axes of a new figure of that size in inches, in the common style; no global state is touched."""
    from matplotlib.figure import Figure

    with style():
        axes: Axes = Figure(figsize=(width, height)).add_subplot()
        _settle(axes.figure)
    return axes


def legend_above(axes: Axes, *, columns: int = 1, title: str | None = None) -> None:
    """Put the legend between the axes and the top of the figure, where it hides no data."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, title=title, alignment="left")


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


def check_figure_path(path: str | Path, *also: str) -> None:
    """Raise :class:`OptionError` if no figure can be written there, before the work that would fill it.

    ``also`` are endings beside those of images, as in ``.html``.
    """
    target, endings = Path(path), [*(f".{kind}" for kind in _METADATA), *also]
    if target.suffix.lower() not in endings:
        raise OptionError(f"figure {str(path)!r}: the name must end in one of {', '.join(endings)}")
    if not target.parent.is_dir():
        raise OptionError(f"figure {str(path)!r}: there is no folder {target.parent}")


def save_figure(drawn: Axes | Figure, path: str | Path) -> bool:
    """Write a figure, or the one that axes are in, in the format that the file's name asks for, whole or not at all.

    The file names neither a date nor a program: a figure that is drawn anew from the same results has the same bytes.
    Return True when done.
    """
    check_figure_path(path)
    write_bytes(path, _rendered(drawn, Path(path).suffix[1:].lower()))
    return True


def figure_svg(drawn: Axes | Figure) -> bytes:
    """Return a figure, or the one that axes are in, as SVG that is the same for the same results."""
    return _rendered(drawn, "svg")


def _rendered(drawn: Axes | Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure: Any = drawn.figure  # that of a figure is itself
    with style(), warnings.catch_warnings():
        # A letter that the font has not is drawn as a box: seen in the figure, and no concern of the command line's.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()


def _settle(figure: Figure | SubFigure) -> None:
    """Write down in every axis how its ticks look, where it does not say so: matplotlib asks when it draws."""
    import matplotlib

    settings: Any = matplotlib.rcParams
    for axes in figure.axes:
        for axis, kind in ((axes.xaxis, "xtick"), (axes.yaxis, "ytick")):
            for which in ("major", "minor"):
                looks = {"length" if key == "size" else key: settings[f"{kind}.{which}.{key}"] for key in _TICK}
                looks |= {key: settings[f"{kind}.{key}"] for key in ("labelsize", "color", "direction")}
                told = axis.get_tick_params(which)  # type: ignore[arg-type]
                axis.set_tick_params(which, **{key: looks[key] for key in looks if key not in told})  # type: ignore[arg-type]
