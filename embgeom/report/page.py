"""The page: one file with everything in it, which opens without a network."""

from __future__ import annotations

import base64
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
    null_table = sections.null_table(rows, sweep.nulls)
    drawn = {kind: [figure for figure in figures if figure.kind == kind] for kind in _KINDS}
    beside = ""
    if null_table:
        plots = _folded("The δ-plots, data and nulls", drawn["nulls"])
        beside = _section("nulls", "Tree, or only high dimension?", sections.verdicts(sweep, rows) + null_table + plots)
    depth = "".join(map(_figure, drawn["layers"]))
    failed = sections.errors(sweep)
    paper = sections.paper_tables(sweep, rows) if set(sweep.layers) != {"all"} else ""
    parts = {
        "title": f"Geometry of {len(sweep.models)} {'model' if len(sweep.models) == 1 else 'models'} on "
        f"{len(sweep.data)} {'data set' if len(sweep.data) == 1 else 'data sets'}",
        "summary": escape(_summary(sweep)),
        "failed": failed,
        "overview": "".join(map(_figure, drawn["overview"])) + sections.everything(rows),
        "tables": _section("tables", "Models and data sets", paper) if paper else "",
        "nulls": beside,
        "depth": _section("depth", "Against depth", depth) if depth else "",
        "ruler": "".join(map(_figure, drawn["ruler"])) + sections.ruler_table(spaces),
        "versions": escape(", ".join(f"{name} {version}" for name, version in versions().items())),
    }
    shown = {"failed": failed, "tables": paper, "nulls": beside, "depth": depth}
    links = [f'<a href="#{name}">{label}</a>' for name, label in _LINKS.items() if shown.get(name, "always")]
    return Template(_read("page.html")).substitute(
        parts, links="".join(links), style=_read("page.css"), script=_read("page.js")
    )


_KINDS = ("ruler", "overview", "nulls", "layers")
_LINKS = {
    "failed": "Failed",
    "overview": "Overview",
    "tables": "Tables",
    "nulls": "Nulls",
    "depth": "Depth",
    "ruler": "Ruler",
}


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
    source = "data:image/svg+xml;base64," + base64.b64encode(figure.svg).decode("ascii")
    title = escape(figure.title)
    return (
        f'<figure class="{figure.kind}"><div class="wide"><img alt="{title}" src="{source}"></div>'
        f"<figcaption>{title}</figcaption></figure>"
    )


def _read(name: str) -> str:
    return (resources.files("embgeom.report") / "data" / name).read_text(encoding="utf-8")
