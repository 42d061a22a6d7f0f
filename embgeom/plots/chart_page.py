"""A page of scatters whose points say what they are: one HTML file with everything in it, which needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

from embgeom.results import versions

__all__ = ["Axis", "Chart", "chart_page"]


@dataclass(frozen=True)
class Axis:
    """What is along an axis.

    Attributes
    ----------
    label : str
    log : bool
        Whether the axis is logarithmic; a value of 0 then is in a strip before it.
    zero : str
        What the strip is called.
    """

    label: str
    log: bool = False
    zero: str = ""


@dataclass(frozen=True)
class Chart:
    """A scatter.

    Attributes
    ----------
    title, note : str
        Plain text.
    x, y : Axis
    points : dict
        Lists of equal length: ``x``, ``y``, ``token``, ``group`` (places in ``groups``), whatever ``shown`` names, and
        ``raw``, if given: how the vocabulary writes the token, empty where it is the same. The numbers are finite.
    groups : tuple of (str, str)
        Name and colour, ``#RRGGBB``.
    shown : tuple of (str, str)
        What is said of a point besides its token: a name, and the key of its values in ``points``.
    lines : list of list of float
        Drawn below the points: x, y, x, y, …
    disc : bool
        Whether it is the unit disc, without axes.
    """

    title: str
    note: str
    x: Axis
    y: Axis
    points: dict[str, list[Any]]
    groups: tuple[tuple[str, str], ...]
    shown: tuple[tuple[str, str], ...]
    lines: list[list[float]]
    disc: bool = False


def chart_page(title: str, charts: Sequence[Chart]) -> str:
    """Return the HTML of a page; the same charts give the same text, which is ASCII but for its own words."""
    values = [
        {
            "points": chart.points,
            "groups": [{"name": name, "colour": colour} for name, colour in chart.groups],
            "shown": chart.shown,
            "lines": chart.lines,
            "disc": chart.disc,
            "x": vars(chart.x),
            "y": vars(chart.y),
        }
        for chart in charts
    ]
    # Whatever a token is (`</script>`, half a surrogate pair): with no `<` in it, no markup begins or ends in it.
    content = json.dumps(values, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": escape(title),
        "figures": "\n".join(map(_figure, charts)),
        "footer": escape(", ".join(f"{name} {version}" for name, version in versions().items())),
        "charts": content,
        "style": _read("base.css") + _read("charts.css"),
        "script": _read("charts.js"),
    }
    return Template(_read("charts.html")).substitute(parts)


def _figure(chart: Chart) -> str:
    groups = "".join(
        f'<button type="button" data-group="{number}" aria-pressed="true"><i style="background: {colour}"></i>'
        f"{escape(name)}</button>"
        for number, (name, colour) in enumerate(chart.groups)
    )
    what = f"{chart.title}: {len(chart.points['token'])} points. Arrow keys go from one to the next."
    return (
        f'<figure class="chart{" disc" if chart.disc else ""}"><h2>{escape(chart.title)}</h2>'
        f'<figcaption>{escape(chart.note)}</figcaption><div class="controls">'
        '<label>Find <input type="search" spellcheck="false" autocomplete="off"></label><output></output>'
        '<div class="zoom"><button type="button" data-zoom="0.5" aria-label="Zoom in">+</button>'
        '<button type="button" data-zoom="2" aria-label="Zoom out">−</button>'
        '<button type="button" data-zoom="">Show all</button></div>'
        f'<div class="groups" role="group" aria-label="Show">{groups}</div></div><div class="plot"><canvas></canvas>'
        f'<canvas tabindex="0" role="application" aria-label="{escape(what)}"></canvas>'
        '<div class="tip" role="status" hidden></div></div></figure>'
    )


def _read(name: str) -> str:
    return (resources.files("embgeom.plots") / "data" / name).read_text(encoding="utf-8")
