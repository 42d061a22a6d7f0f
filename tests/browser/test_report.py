"""The page of a report in Chromium: it stands alone, can be read anywhere, sorts, and prints."""

from __future__ import annotations

import io
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from embgeom.report import markup, sweep, write_report
from tests.browser.conftest import HEIGHT, MEASURES, VIEWS, Open
from tests.report.made import put_ruler, write_prompts

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small sweep with all that a page can have: hidden layers, nulls, and a model that fails."""
    folder = put_ruler(tmp_path_factory.mktemp("report"))
    missing = str(folder / "a-model-with-a-long-name<b>and-markup</b>")
    asked: dict[str, Any] = {"layers": ["input", "all"], "null": ["permute", "spectrum"], "null_draws": 19}
    write_report(sweep(["demo", missing], write_prompts(folder), output=folder, **asked), folder)
    return folder / "index.html"


FITTED = """() => [...document.querySelectorAll("figure")].map((figure) => {
  const box = figure.querySelector(".wide"), image = figure.querySelector("img");
  const outer = box.getBoundingClientRect(), inner = image.getBoundingClientRect();
  const svg = new TextDecoder().decode(Uint8Array.from(atob(image.currentSrc.split(",")[1]), (c) => c.charCodeAt(0)));
  return {
    kind: figure.className, column: !figure.querySelector("picture"), left: inner.left, right: inner.right,
    box: [Math.max(outer.left, 0), Math.min(outer.right, document.documentElement.clientWidth)],
    scrolls: box.scrollWidth - box.clientWidth, width: inner.width,
    points: Number(svg.match(/<svg [^>]*?width="([\\d.]+)pt"/)[1]),
  };
})"""
"""Where each figure is, the part of its box that is seen, and the width, in points, that it was drawn at."""


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_can_be_read(open_page: Open, report: Path, width: int, scheme: str) -> None:
    page = open_page(report, width=width, scheme=scheme)
    unfold(page)
    page.evaluate(MEASURES)
    assert page.evaluate("measures.overflow()") == 0
    sizes = page.evaluate("measures.sizes()")
    assert len(sizes) > 200
    assert not [entry for entry in sizes if entry[1] < 12]
    assert not [entry for entry in page.evaluate("measures.contrasts()") if entry[1] < 4.5]
    boxes = page.evaluate("[...document.querySelectorAll('.wide')].map((box) => box.getBoundingClientRect().toJSON())")
    assert all(box["left"] >= 0 and box["right"] <= width for box in boxes)


@pytest.mark.parametrize("width", [1280, 800, 700, 390, 320])
def test_figures_fit_and_their_letters_are_large_enough(open_page: Open, report: Path, width: int) -> None:
    """No part of a figure is hidden; letters, of 7 pt in every figure, are as large as its scale makes them."""
    page = open_page(report, width=width)
    unfold(page)
    shown = page.evaluate(FITTED)
    assert len(shown) == 6
    for figure in shown:
        assert figure["left"] >= figure["box"][0] - 0.5, figure
        assert figure["right"] <= figure["box"][1] + 0.5, figure
        assert figure["scrolls"] == 0, figure
        assert 7 * figure["width"] / figure["points"] >= (8 if width < 390 else 9), figure
        # A figure that was drawn for a page is replaced by one for a column.
        assert figure["points"] == pytest.approx(3.3 * 72 if width <= 768 or figure["column"] else 6.9 * 72, abs=0.2)


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_figures_are_seen(open_page: Open, report: Path, width: int, scheme: str) -> None:
    page = open_page(report, width=width, scheme=scheme)
    unfold(page)
    page.evaluate(MEASURES)
    figures = page.locator("figure img")
    assert figures.count() == len(list((report.parent / "figures").glob("*.svg"))) == 6
    ground = [int(part) for part in page.evaluate("getComputedStyle(document.body).backgroundColor")[4:-1].split(",")]
    for figure in figures.all():
        drawn = figure.evaluate("(each) => [each.naturalWidth, each.naturalHeight, each.complete]")
        assert min(drawn[:2]) > 100
        assert drawn[2]
        shown = figure.bounding_box()
        assert shown["width"] > 250
        assert shown["height"] > 100
        # What is drawn stands out from a ground that is the page's own.
        figure.scroll_into_view_if_needed()
        pixels = imread(io.BytesIO(figure.screenshot()), format="png")[..., :3]
        colours = (pixels.reshape(-1, 3) * 255).round().astype(int)
        corner = colours[0].tolist()
        assert max(abs(a - b) for a, b in zip(corner, ground, strict=True)) <= 1
        far = colours[abs(colours - corner).sum(1).argmax()].tolist()
        assert page.evaluate("([a, b]) => measures.contrast(a, b)", [corner, far]) > 10


def value_of(shown: str) -> float | None:
    """Return the number that a cell shows before its ±; None for what is no number."""
    try:
        return float(shown.split()[0])
    except ValueError:
        return None


CLICKED = """(table) => [...table.tHead.rows[0].cells].flatMap((heading, column) => {
  const shown = () => [...table.tBodies[0].rows].map((row) => row.cells[column].textContent);
  const before = shown();
  return [1, 2].map(() => {
    heading.querySelector("button").click();
    const marked = [...table.querySelectorAll("[aria-sort]")];
    return {
      before, after: shown(), marked: marked.length === 1 && marked[0] === heading,
      way: heading.getAttribute("aria-sort"), numeric: heading.classList.contains("number"),
    };
  });
})"""
"""Clicks every heading twice, and says what its column then shows."""


def test_tables_sort(open_page: Open, report: Path) -> None:
    page = open_page(report)
    numeric = textual = missing = 0
    for table in page.locator("table").all():
        foot = table.locator("tfoot").all_text_contents()
        for number, clicked in enumerate(table.evaluate(CLICKED)):
            assert clicked["marked"]
            assert clicked["way"] == ("ascending", "descending")[number % 2]
            assert sorted(clicked["after"]) == sorted(clicked["before"])
            if clicked["numeric"]:
                values = [value_of(shown) for shown in clicked["after"]]
                numbers = [value for value in values if value is not None]
                assert values[: len(numbers)] == numbers, "what is missing comes last"
                assert numbers == sorted(numbers, reverse=clicked["way"] == "descending")
                numeric += len(set(numbers)) > 1
                missing += len(numbers) < len(values)
            else:
                textual += len(set(clicked["after"])) > 1
        assert table.locator("tfoot").all_text_contents() == foot
    assert min(numeric, textual, missing) > 0, "the trial is empty"


def test_numbers_sort_as_numbers(open_page: Open, tmp_path: Path) -> None:
    values = [10.0, 9.0, None, -1.5, 1e-9, 100.0, -20.0, None, 2.5e7]

    def spread(value: float | None) -> markup.Value:
        return markup.number(None) if value is None else markup.spread(value, 1.0)

    rows = [[markup.text(f"row {value}"), markup.number(value, 12), spread(value)] for value in values]
    script = (resources.files("embgeom.report") / "data" / "page.js").read_text(encoding="utf-8")
    content = markup.table("all", ["name", "value", "spread"], rows)
    (tmp_path / "page.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">{content}<script>{script}</script>',
        encoding="utf-8",
    )
    page = open_page(tmp_path / "page.html")
    ascending = [f"row {value}" for value in sorted(value for value in values if value is not None)]
    for column in (1, 2):
        for expected in (ascending, ascending[::-1]):
            page.locator("thead button").nth(column).click()
            assert page.locator("tbody th").all_text_contents() == [*expected, "row None", "row None"]


def test_tables_sort_from_the_keyboard(open_page: Open, report: Path) -> None:
    page = open_page(report)
    table = page.locator("#cells table")
    heading = table.locator("thead th").nth(6)
    heading.locator("button").focus()
    for key, way in (("Enter", "ascending"), ("Space", "descending")):
        page.keyboard.press(key)
        assert heading.get_attribute("aria-sort") == way
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert table.locator("thead th").nth(7).get_attribute("aria-sort") == "ascending"
    assert heading.get_attribute("aria-sort") is None


def test_rows_stay_whole(open_page: Open, report: Path) -> None:
    page = open_page(report)
    table = page.locator("#cells table")
    before = table.locator("tbody tr").all_text_contents()
    table.locator("thead button").nth(8).click()
    after = table.locator("tbody tr").all_text_contents()
    assert sorted(after) == sorted(before)
    assert after != before


def test_links_lead_to_sections(open_page: Open, report: Path) -> None:
    page = open_page(report, width=390)
    for link in page.locator("nav a").all():
        link.click()
        target = page.locator(str(link.get_attribute("href")))
        box = target.bounding_box()
        assert -2 <= box["y"] < HEIGHT
        page.evaluate("scrollTo(0, 0)")
    assert page.locator("nav a").count() == 7


def test_a_scrolled_table_keeps_its_names(open_page: Open, report: Path) -> None:
    page = open_page(report, width=390)
    box = page.locator("#cells .wide")
    box.scroll_into_view_if_needed()
    box.evaluate("(each) => (each.scrollLeft = 300)")
    outer, name, cell = (
        each.bounding_box() for each in (box, box.locator("tbody th").first, box.locator("tbody td").nth(5))
    )
    assert name["x"] == pytest.approx(outer["x"], abs=1)
    assert name["width"] < 0.45 * outer["width"]
    assert name["x"] + name["width"] <= cell["x"] + 1 < outer["x"] + outer["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints(open_page: Open, report: Path, scheme: str) -> None:
    page = open_page(report, scheme=scheme)
    page.evaluate(
        "const folded = () => document.querySelectorAll('details:not([open])').length;"
        "addEventListener('beforeprint', () => (window.folded_ = folded()))"
    )
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert page.evaluate("folded_") == 0
    assert page.locator("details").count() == page.locator("details:not([open])").count() == 2
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1030, "height": 700})  # a landscape page of A4 between its margins
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('img')).filter") == "none"
    assert not page.evaluate(
        "[...document.querySelectorAll('table')].filter((table) => table.offsetWidth > innerWidth)"
    )
    assert not page.locator("nav").is_visible()
