"""One function per figure: it takes results, draws on an Axes, and returns it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.errors import OptionError
from embgeom.results import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.delta.records import HyperbolicityDistribution

__all__ = ["check_figure_path", "relative_delta_histogram", "save_figure"]

_FORMATS = (".png", ".svg", ".pdf")
# Okabe and Ito's colours, which the colour-blind can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def relative_delta_histogram(results: Sequence[HyperbolicityDistribution], *, axes: Axes | None = None) -> Axes:
    """Draw the distribution of relative δ over prompts or trials, one histogram per result, the mean as a line.

    Parameters
    ----------
    results : sequence of HyperbolicityDistribution
    axes : matplotlib Axes, optional
        By default those of a new figure.
    """
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if axes is None:
        axes = Figure(figsize=(5.5, 3.4 + 0.18 * len(results)), layout="constrained").add_subplot()
    values = [np.asarray(result.relative_deltas) for result in results]
    # Common bins, as many as the smallest of the results can fill.
    bins = int(np.clip(2 * np.sqrt(min(map(len, values))), 5, 50))
    edges = np.histogram_bin_edges(np.concatenate(values), bins)
    for number, (result, relative) in enumerate(zip(results, values, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        axes.hist(relative, list(edges), color=colour, alpha=0.5, label=_label(result))
        axes.axvline(result.relative_delta, color=colour, linewidth=1.5)
    level = {result.level for result in results}
    axes.set_xlabel("relative δ  (2δ / diameter)")
    axes.set_ylabel("prompts" if level == {"prompts"} else "trials" if level == {"vocabulary"} else "prompts or trials")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def check_figure_path(path: str | Path) -> None:
    """Raise :class:`OptionError` if no figure can be written there, before the work that would fill it."""
    target = Path(path)
    if target.suffix.lower() not in _FORMATS:
        raise OptionError(f"figure {str(path)!r}: the name must end in one of {', '.join(_FORMATS)}")
    if not target.parent.is_dir():
        raise OptionError(f"figure {str(path)!r}: there is no folder {target.parent}")


def save_figure(axes: Axes, path: str | Path) -> bool:
    """Write the figure that ``axes`` are in, in the format that the file's name asks for, whole or not at all.

    Return True when done.
    """
    check_figure_path(path)
    buffer = io.BytesIO()
    figure: Any = axes.figure
    figure.savefig(buffer, format=Path(path).suffix[1:].lower(), dpi=200)
    write_bytes(path, buffer.getvalue())
    return True


def _label(result: HyperbolicityDistribution) -> str:
    model = Path(result.model).name if result.model else "embeddings"
    what = result.data or f"{result.points:g} tokens"
    return f"{model} · {what}: {result.relative_delta:.3f} ± {result.relative_delta_sd:.3f}"
