"""The page stands alone, its parts fit together, and its numbers are those of the table."""

from __future__ import annotations

import base64
import xml.etree.ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from embgeom.plots import sweep_overview
from embgeom.report import REPORTED, Row, Sweep, rows_of, sweep, write_report
from embgeom.report.markup import number, table, text
from embgeom.report.words import NAMES
from tests.report.made import put_ruler, write_prompts

_VOID = {"meta", "link", "img", "br", "source"}


class Page(HTMLParser):
    """A strict reader: every element is closed in its turn; keeps tables, links, ids and images."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self.captions: list[str] = []
        self.text = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.attributes.append((tag, named))
        self.ids += [value for value in [named.get("id")] if value]
        if tag == "table":
            self.tables.append([])
        elif tag == "caption":
            self.captions.append("")
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(("", named.get("data-sort")))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            shown, sort = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = shown + data, sort
        elif "caption" in self.open:
            self.captions[-1] += data
        elif not {"script", "style"} & set(self.open):
            self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, Page, Path]:
    folder = tmp_path_factory.mktemp("page")
    models = ["demo", str(folder / "<b>none</b>")]
    asked: dict[str, Any] = {"layers": ["input", "hidden:-1"], "null": ["permute", "spectrum"], "null_draws": 19}
    found = sweep(models, write_prompts(folder), output=folder / "out", **asked)
    put_ruler(folder / "out")
    write_report(found, folder / "out")
    return found, Page((folder / "out" / "index.html").read_text(encoding="utf-8")), folder / "out"


def test_it_is_well_formed_and_needs_no_network(made: tuple[Sweep, Page, Path]) -> None:
    _, page, _ = made
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    for tag, named in page.attributes:
        for name in ("src", "srcset", "href"):
            value = named.get(name)
            if value is not None:
                assert value.startswith(("data:", "#")), f"<{tag} {name}={value[:40]}>"
            if name == "href" and value is not None and value.startswith("#"):
                assert value[1:] in page.ids
        assert tag not in ("iframe", "object", "embed")
    assert not [tag for tag, _ in page.attributes if tag == "b"], "a name was taken for markup"
    assert "<b>none</b>" in page.text


def test_style_and_script_fetch_nothing(made: tuple[Sweep, Page, Path]) -> None:
    content = (made[2] / "index.html").read_text(encoding="utf-8")
    for part in ("style", "script"):
        inner = content.split(f"<{part}>")[1].split(f"</{part}>")[0]
        assert len(inner) > 500
        assert not [word for word in ("http", "url(", "@import", "fetch(", "import ") if word in inner]
    assert "prefers-color-scheme: dark" in content
    assert 'name="viewport"' in content


def test_figures_are_those_in_the_folder(made: tuple[Sweep, Page, Path]) -> None:
    _, page, folder = made
    images = [named for tag, named in page.attributes if tag == "img"]
    contents = [base64.b64decode(str(named["src"]).partition("base64,")[2]) for named in images]
    assert sorted(contents) == sorted(path.read_bytes() for path in (folder / "figures").glob("*.svg"))
    assert len(images) == 2 + 2  # ruler and overview, a δ-plot for each cell of embeddings
    assert all(named["alt"] for named in images)
    for content in contents:
        xml.etree.ElementTree.fromstring(content)
        assert b"<dc:date>" not in content


def test_wide_figures_have_a_narrow_form(made: tuple[Sweep, Page, Path]) -> None:
    sources = [named for tag, named in made[1].attributes if tag == "source"]
    assert len(sources) == 1  # of the overview; the others are as wide as a column
    content = base64.b64decode(str(sources[0]["srcset"]).partition("base64,")[2])
    assert b'width="237.6pt"' in content
    assert sources[0]["width"] == "428"


def test_without_nulls_the_page_promises_none(tmp_path: Path, made: tuple[Sweep, Page, Path]) -> None:
    found = sweep(["demo"], write_prompts(tmp_path)[:1], output=put_ruler(tmp_path / "out"), null=["none"])
    write_report(found, tmp_path / "out")
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    titles = [str(named["alt"]) for tag, named in page.attributes if tag == "img"]
    assert "Relative δ and pooled q of every model and data set" in titles
    assert not [title for title in titles if "null" in title]
    assert "what the nulls tell" not in page.text
    assert "the report has no nulls" in page.text
    with_nulls = made[1]
    assert "what the nulls tell" in with_nulls.text
    assert [named for tag, named in with_nulls.attributes if tag == "img" and "beside their nulls" in str(named["alt"])]


def test_models_stand_below_each_other_and_data_sets_beside(made: tuple[Sweep, Page, Path]) -> None:
    found, page, _ = made
    rows = {(row.model, row.data, row.asked): row for row in rows_of(found)}
    tables = {caption.split(":")[0]: own for caption, own in zip(page.captions, page.tables, strict=True)}
    for name, title in zip(REPORTED[:2], ("relative δ_p", "relative δ"), strict=True):
        head, demo, failed, foot = tables[f"{title}, input"]
        assert [shown for shown, _ in head] == ["model", "one", "two", "average"]
        means = []
        for (shown, sort), data in zip(demo[1:3], ("one", "two"), strict=True):
            entry = rows["demo", data, "input"].of(name)
            assert entry is not None
            assert shown == f"{entry.mean:.3f} ± {entry.sd:.3f}"
            assert float(sort or "") == entry.mean
            means.append(entry.mean)
        assert float(demo[3][1] or "") == pytest.approx(fmean(means), rel=1e-15)
        assert [shown for shown, _ in failed[1:3]] == ["failed", "failed"]
        assert foot[1][0] == f"{means[0]:.3f} (1 of 2)"
        assert foot[3][0] == f"{fmean(means):.3f} (2 of 4)"
    assert f"{REPORTED[0]}" in page.ids
    assert any(caption.startswith("pooled q, hidden") for caption in page.captions)


def test_nulls_verdicts_and_ruler_are_there(made: tuple[Sweep, Page, Path]) -> None:
    found, page, _ = made
    for row in rows_of(found):
        if row.verdict is not None:
            assert row.verdict in page.text
    found_lower = [
        cell.result.calibration.verdict.p_more for cell in found.cells if cell.result and cell.result.calibration
    ]
    more = sum(p <= 0.05 for p in found_lower)
    assert f"Cells of embeddings: 2. More tree-like than every null: {more};" in page.text
    beside = {caption: own for caption, own in zip(page.captions, page.tables, strict=True) if "null clouds" in caption}
    for (caption, own), name in zip(beside.items(), ("pooled_q", "mean_q", "relative_delta"), strict=True):
        assert caption.startswith(f"{NAMES[name]} of the data")
        assert [shown for shown, _ in own[0]] == ["cell", "data", "permute", "spectrum", "largest p"]
        listed = {shown[0][0]: shown for shown in own[1:]}
        for row in (row for row in rows_of(found) if row.error is None):
            entry = row.of(name)
            assert entry is not None
            values = listed.pop(f"{row.model} · {row.data} · {row.layer}")[1:4]
            assert [float(sort or "") for _, sort in values] == [entry.mean, *(null.mean for null in entry.nulls)]
        assert not listed
    (verdicts,) = (own for caption, own in zip(page.captions, page.tables, strict=True) if "or neither?" in caption)
    by_cell = {
        f"{cell.model} · {cell.data} · {cell.layer}": cell.result.calibration.verdict
        for cell in found.cells
        if cell.result and cell.result.calibration
    }
    assert [shown[0][0] for shown in verdicts[1:]] == list(by_cell)
    for (shown, _), *against in verdicts[1:]:
        for null, (word, _) in zip(("permute", "spectrum"), against, strict=True):
            assert null in getattr(by_cell[shown], word)
    (spaces,) = (own for caption, own in zip(page.captions, page.tables, strict=True) if "Reference" in caption)
    assert spaces[1][0][0] == "random tree"
    assert spaces[1][1][0] == "0.000 ± 0.000"


def test_every_cell_of_a_body_can_be_sorted(made: tuple[Sweep, Page, Path]) -> None:
    for rows in made[1].tables:
        assert all(sort is None for _, sort in rows[0])
        for row in rows[1:]:
            assert len(row) == len(rows[0])
            assert all(sort is not None for _, sort in row)


def test_columns_of_numbers_are_known_as_such() -> None:
    content = table("a", ["name", "value"], [[text("x<y"), number(0.5)], [text("z"), number(None)]])
    assert content.count('<th scope="col" class=number>') == 1
    assert "x&lt;y" in content
    assert 'data-sort="">–' in content


def test_the_overview_has_a_line_for_every_row(made: tuple[Sweep, Page, Path]) -> None:
    found, _, _ = made
    rows: list[Row] = [row for row in rows_of(found) if row.error is None]
    figure = sweep_overview([*rows, replace(rows[0], error="failed")])
    left, right = figure.axes
    narrow = sweep_overview(rows, narrow=True).axes
    for wide, own in zip((left, right), narrow, strict=True):
        assert [line.get_xydata().tolist() for line in own.lines] == [line.get_xydata().tolist() for line in wide.lines]
        assert own.get_xlim() == wide.get_xlim()
    assert [label.get_text() for label in left.get_yticklabels()] == [f"{row.data} · {row.layer}" for row in rows]
    for axes, name in ((left, "relative_delta"), (right, "pooled_q")):
        containers: list[Any] = axes.containers
        drawn = [container.lines[0].get_xdata()[0] for container in containers]
        assert drawn == [entry.mean for row in rows if (entry := row.of(name)) is not None]
