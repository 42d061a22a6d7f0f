"""What a reader of a figure needs, checked on any figure."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["check_readable"]


def check_readable(drawn: Any) -> None:
    """Raise if a figure is not as wide as a column or a page, has small or cut-off text, or an axis without a label."""
    figure: Figure = drawn.figure  # that of a figure is itself
    figure.draw_without_rendering()
    assert float(figure.get_size_inches()[0]) in (3.3, 6.9)
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    assert texts
    assert min(text.get_size() for text in texts) >= 7
    width, height = figure.get_size_inches()
    around = figure.get_tightbbox()  # of all that is drawn, in inches
    assert around.x0 >= -0.01, around
    assert around.y0 >= -0.01, around
    assert around.x1 <= width + 0.01, around
    assert around.y1 <= height + 0.01, around
    for axes in figure.axes:
        if not (axes.get_visible() and axes.axison):
            continue
        assert not axes.spines["top"].get_visible()
        assert not axes.spines["right"].get_visible()
        shared_x, shared_y = figure.get_supxlabel(), figure.get_supylabel()
        # An axis says what it measures, unless it names things.
        assert axes.get_xlabel() or shared_x or not _measures(axes.xaxis), axes
        assert axes.get_ylabel() or shared_y or not _measures(axes.yaxis), axes


def _measures(axis: Any) -> bool:
    """Whether the labels of the ticks are numbers."""
    shown = [label.get_text() for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]
    return bool(shown) and all(re.fullmatch(r"[−\d.]+|\$.*\$", text) for text in shown)
