"""The page: one file with everything in it, which opens without a network."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template

from embgeom.report import sections
from embgeom.report.figures import Figure
from embgeom.report.records import Sweep
from embgeom.report.table import Row
from embgeom.results import versions
from embgeom.spaces.ruler import SpaceMeasure

__all__ = ["page_of"]


def page_of(sweep: Sweep, rows: Sequence[Row], spaces: Sequence[SpaceMeasure], figures: Sequence[Figure]) -> str:
    """Return the HTML of a report."""
    drawn = {kind: [figure for figure in figures if figure.kind == kind] for kind in _KINDS}
    nulls = sections.verdicts(sweep) + sections.null_tables(rows, sweep.nulls)
    nulls += _folded("The δ-plots, data and nulls", drawn["nulls"])
    depth = "".join(map(_figure, drawn["layers"]))
    failed = sections.errors(sweep)
    paper = sections.paper_tables(sweep, rows) if set(sweep.layers) != {"all"} else ""
    parts = {
        "title": escape(_title(sweep)),
        "summary": escape(_summary(sweep)),
        "failed": failed,
        "told": _TOLD if sweep.nulls else _UNTOLD,
        "overview": "".join(map(_figure, drawn["overview"])),
        "nulls": _section("nulls", "Tree, or only high dimension?", nulls) if nulls else "",
        "tables": _section("tables", "Models and data sets", paper) if paper else "",
        "depth": _section("depth", "Against depth", depth) if depth else "",
        "cells": sections.everything(rows),
        "ruler": "".join(map(_figure, drawn["ruler"])) + sections.ruler_table(spaces),
        "versions": escape(", ".join(f"{name} {version}" for name, version in versions().items())),
    }
    shown = {"failed": failed, "tables": paper, "nulls": nulls, "depth": depth}
    links = [f'<a href="#{name}">{label}</a>' for name, label in _LINKS.items() if shown.get(name, "always")]
    style = _read("embgeom.plots", "base.css") + _read("embgeom.report", "page.css")
    return Template(_read("embgeom.report", "page.html")).substitute(
        parts, links="".join(links), style=style, script=_read("embgeom.report", "page.js")
    )


_TOLD = "whether it is lower than that of null clouds of the same prompts is what the nulls tell"
_UNTOLD = (
    "whether it is lower than that of null clouds of the same prompts is not measured here, as the report has no nulls"
)
_KINDS = ("ruler", "overview", "nulls", "layers")
_LINKS = {
    "failed": "Failed",
    "overview": "Overview",
    "nulls": "Nulls",
    "tables": "Tables",
    "depth": "Depth",
    "cells": "Every cell",
    "ruler": "Ruler",
}


def _title(sweep: Sweep) -> str:
    models = sweep.models[0] if len(sweep.models) == 1 else f"{len(sweep.models)} models"
    data = sweep.data[0] if len(sweep.data) == 1 else f"{len(sweep.data)} data sets"
    return f"Geometry of {models} on {data}"


def _summary(sweep: Sweep) -> str:
    failed = len(sweep.failures)
    done = len(sweep.cells) - failed
    nulls = f"beside the nulls {', '.join(sweep.nulls)}" if sweep.nulls else "without nulls"
    return (
        f"{done} {'cell' if done == 1 else 'cells'} measured"
        + (f", {failed} failed" if failed else "")
        + f", {nulls}; "
        f"layers: {', '.join(sweep.layers)}; seed {sweep.seed}."
    )


def _section(name: str, title: str, content: str) -> str:
    return f'<section id="{name}"><h2>{escape(title)}</h2>\n{content}\n</section>'


def _folded(title: str, figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    return (
        f'<details><summary>{escape(title)}</summary><div class="grid">{"".join(map(_figure, figures))}</div></details>'
    )


def _figure(figure: Figure) -> str:
    # As an image of its own: ids within one SVG could meet those of another.
    title = escape(figure.title)
    image = f'<img alt="{title}" width="{_shown_width(figure.svg)}" src="{_source(figure.svg)}">'
    if figure.narrow is not None:
        size = f'width="{_shown_width(figure.narrow)}" srcset="{_source(figure.narrow)}"'
        image = f'<picture><source media="screen and (max-width: 48rem)" {size}>{image}</picture>'
    return f'<figure class="{figure.kind}"><div class="wide">{image}</div><figcaption>{title}</figcaption></figure>'


def _source(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _shown_width(svg: bytes) -> int:
    """Return the width in pixels at which the smallest letters, of 7 pt, are 12.6 pixels high."""
    found = re.search(rb'<svg [^>]*?width="([\d.]+)pt"', svg)
    assert found is not None
    return round(1.8 * float(found[1]))


def _read(package: str, name: str) -> str:
    return (resources.files(package) / "data" / name).read_text(encoding="utf-8")
