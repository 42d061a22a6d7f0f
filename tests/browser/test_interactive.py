"""Pages of interactive scatters in Chromium: what is pointed at is named, and no token does anything."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embgeom import load_embeddings
from embgeom.counts import TokenCounts, token_counts
from embgeom.norms import TokenNorms, token_norms
from embgeom.plots.interactive import interactive_norms, interactive_tree
from embgeom.trees import TreeFit, fit_tree
from tests.browser.conftest import MEASURES, VIEWS, Open
from tests.report.made import PROMPTS

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- <script>",
    "&lt;b&gt;",
    "'\"`${alert(1)}\\",
    "]]>",
    "\x00\x1b[31m\x7f",
    "\u202eabc\u2066",
    "\ud800",
    "\u2028",
    " ",
    "שלום",
    "مرحبا",
    "▁猫🙂",
    "<s>",
    "constructor",
    "__proto__",
]
SHOWN = {
    "\x00\x1b[31m\x7f": "\\u{0}\\u{1b}[31m\\u{7f}",
    "\u202eabc\u2066": "\\u{202e}abc\\u{2066}",
    "\ud800": "\\u{d800}",
    "\u2028": "\\u{2028}",
}
WORDS = ["dog", "cow", "animal", "apple", "banana", "fruit", "red", "purple", "color", "</script>"]


def counts_of(frequencies: dict[int, int], size: int) -> TokenCounts:
    ids = sorted(number for number, count in frequencies.items() if count)
    counted = tuple(frequencies[number] for number in ids)
    return TokenCounts(tuple(ids), counted, 1, size, True, (), None, "some", {})


def norms_of(tokens: list[str], norms: list[float]) -> TokenNorms:
    n = len(tokens)
    classes = tuple(["word-start", "continuation", "special"][number % 3] for number in range(n))
    return TokenNorms(tuple(range(n)), tuple(tokens), classes, tuple(norms), n, 0, 0, "a/model", "input", {})


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenNorms, TokenCounts, Path]:
    embeddings = load_embeddings("demo")
    norms, counts = token_norms(embeddings), token_counts(PROMPTS, embeddings.tokenizer)
    path = tmp_path_factory.mktemp("norms") / "norms.html"
    path.write_text(interactive_norms([(norms, counts)]), encoding="utf-8")
    return norms, counts, path


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[TreeFit, Path]:
    points = np.random.default_rng(0).normal(size=(len(WORDS), 6))
    fit = fit_tree(np.linalg.norm(points[:, None] - points, axis=2), labels=WORDS, method="neighbor-joining")
    path = tmp_path_factory.mktemp("tree") / "tree.html"
    path.write_text(interactive_tree([fit]), encoding="utf-8")
    return fit, path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "hostile.html"
    norms = norms_of(HOSTILE, [1.0 + 0.1 * number for number in range(len(HOSTILE))])
    counts = counts_of({number: 2**number for number in range(len(HOSTILE))}, len(HOSTILE))
    norms, counts = replace(norms, model="<b>model"), replace(counts, data="</title><script>alert(2)</script>")
    path.write_text(interactive_norms([(norms, counts)]), encoding="utf-8")
    return path


def tip(page: Any) -> tuple[str, str] | None:
    """Return the token and the line below it that are shown, if any."""
    shown = page.locator(".tip")
    return (shown.locator("b").inner_text(), shown.locator("span").inner_text()) if shown.is_visible() else None


def point_at(page: Any, x: float, y: float) -> None:
    box = page.locator("canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)


def place(page: Any, number: int) -> tuple[float, float]:
    x, y = page.evaluate(
        "(i) => { const c = document.querySelector('.chart').chart; return [c.toX(c.x[i]), c.toY(c.y[i])] }", number
    )
    return x, y


@pytest.mark.parametrize("which", ["norms", "tree", "hostile"])
@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_can_be_read(
    open_page: Open,
    demo: tuple[TokenNorms, TokenCounts, Path],
    tree: tuple[TreeFit, Path],
    hostile: Path,
    width: int,
    scheme: str,
    which: str,
) -> None:
    page = open_page({"norms": demo[2], "tree": tree[1], "hostile": hostile}[which], width=width, scheme=scheme)
    page.locator("canvas").nth(1).focus()
    page.keyboard.press("ArrowRight")
    assert tip(page) is not None
    page.evaluate(MEASURES)
    assert page.evaluate("measures.overflow()") == 0
    assert not [entry for entry in page.evaluate("measures.sizes()") if entry[1] < 12]
    assert not [entry for entry in page.evaluate("measures.contrasts()") if entry[1] < 4.5]
    drawn = page.locator("canvas").first.evaluate(
        "(each) => [...each.getContext('2d').getImageData(0, 0, each.width, each.height).data].filter((v) => v).length"
    )
    assert drawn > 5000
    outer, inner = (page.locator(name).bounding_box() for name in (".plot", ".tip"))
    assert outer["x"] <= inner["x"]
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1


def test_the_page_holds_the_record(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    norms, counts, path = demo
    (chart,) = json.loads(open_page(path).evaluate("document.getElementById('charts').textContent"))
    points, names = chart["points"], [group["name"] for group in chart["groups"]]
    assert points["token"] == list(norms.tokens)
    assert points["id"] == list(norms.token_ids)
    assert points["y"] == list(norms.norms)
    assert points["x"] == counts.dense().tolist()
    assert [names[group] for group in points["group"]] == list(norms.classes)


def test_hovering_shows_the_token(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    norms, counts, path = demo
    page = open_page(path)
    often = sorted(counts.as_dict().items(), key=lambda entry: -entry[1])[:3]
    for number, frequency in often:
        at = norms.token_ids.index(number)
        point_at(page, *place(page, at))
        shown = tip(page)
        assert shown is not None
        assert shown[0] == norms.tokens[at]
        values = dict(part.split(": ") for part in shown[1].split(" · "))
        assert values["id"] == str(number)
        assert values["class"] == norms.classes[at]
        assert values["frequency"] == str(frequency)
        assert float(values["norm"]) == pytest.approx(norms.norms[at], rel=1e-4)
    page.mouse.move(0, 0)
    assert tip(page) is None


@pytest.mark.parametrize("width", [1280, 390])
def test_hovering_over_a_leaf_of_the_tree(open_page: Open, tree: tuple[TreeFit, Path], width: int) -> None:
    fit, path = tree
    page = open_page(path, width=width)
    (chart,) = json.loads(page.evaluate("document.getElementById('charts').textContent"))
    assert chart["points"]["token"] == WORDS
    assert len(chart["lines"]) == len(fit.edges)
    box = page.locator(".plot").bounding_box()
    for word, x, y in zip(WORDS, chart["points"]["x"], chart["points"]["y"], strict=True):
        assert math.hypot(x, y) < 1
        across, down = (6 + (box["width"] - 12) * (1 + part / 1.15) / 2 for part in (x, -y))
        point_at(page, across, down)
        shown = tip(page)
        assert shown is not None
        assert shown[0] == word
        covered = page.locator(".tip").bounding_box()
        assert not covered["y"] < box["y"] + down < covered["y"] + covered["height"], "the tip hides its point"


def test_it_is_the_nearest_point(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    page = open_page(demo[2])
    width, height, *places = page.evaluate(
        "(() => { const c = document.querySelector('.chart').chart;"
        "const { clientWidth, clientHeight } = c.base;"
        "return [clientWidth, clientHeight, [...c.x].map((x) => c.toX(x)), [...c.y].map((y) => c.toY(y))] })()"
    )
    rng = np.random.default_rng(0)
    asked = rng.uniform([58, 8], [width - 12, height - 44], size=(300, 2))
    found = page.evaluate(
        "(asked) => asked.map(([x, y]) => document.querySelector('.chart').chart.nearest(x, y))", asked.tolist()
    )
    far = np.hypot(*(np.asarray(own)[None] - asked[:, [axis]] for axis, own in enumerate(places)))
    hits = 0
    for distances, number in zip(far, found, strict=True):
        if number == -1:
            assert distances.min() >= 24
        else:
            assert distances[number] == pytest.approx(distances.min(), abs=1e-6)
            assert distances[number] < 24
            hits += 1
    assert 0 < hits < 300


def test_touching_shows_the_token(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    norms, counts, path = demo
    page = open_page(path, width=390, touch=True)
    number = max(counts.as_dict().items(), key=lambda entry: entry[1])[0]
    page.locator(".plot").scroll_into_view_if_needed()
    box, (x, y) = page.locator("canvas").nth(1).bounding_box(), place(page, norms.token_ids.index(number))
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    shown = tip(page)
    assert shown is not None
    assert shown[0] == norms.tokens[norms.token_ids.index(number)]


def test_arrow_keys_go_from_point_to_point(open_page: Open, hostile: Path) -> None:
    page = open_page(hostile)
    page.locator("canvas").nth(1).focus()
    seen = []
    for _ in HOSTILE:
        page.keyboard.press("ArrowRight")
        shown = page.locator(".tip b").text_content()
        seen.append(shown)
    assert seen == [SHOWN.get(token, token) for token in HOSTILE]  # by frequency, which rises with their place
    page.keyboard.press("ArrowUp")  # by norm, from the last back to the first
    assert page.locator(".tip b").text_content() == HOSTILE[0]
    page.keyboard.press("Escape")
    assert tip(page) is None


def test_hostile_tokens_are_inert(open_page: Open, hostile: Path) -> None:
    page = open_page(hostile)
    assert page.locator("script").count() == 2
    assert page.locator("img, b").count() == 0  # the tip has been empty so far
    (chart,) = json.loads(page.evaluate("document.getElementById('charts').textContent"))
    assert chart["points"]["token"] == HOSTILE
    page.locator("canvas").nth(1).focus()
    for token in HOSTILE:
        page.keyboard.press("ArrowRight")
        assert page.locator(".tip > *").count() == 2
        assert page.locator(".tip b > *").count() == 0
        assert page.locator(".tip b").text_content() == SHOWN.get(token, token)
    page.fill("input", "<img")
    assert page.locator("output").inner_text() == "1 found"
    assert page.locator("h2").inner_text() == "<b>model · </title><script>alert(2)</script>"
    assert page.locator("script").count() == 2
    assert page.title() == "Frequency and norm"


def test_tokens_are_found(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    norms, _, path = demo
    page = open_page(path)
    page.fill("input", "TION")
    expected = [token for token in norms.tokens if "tion" in token.lower()]
    assert len(expected) > 3
    assert page.locator("output").inner_text() == f"{len(expected)} found"
    seen = set()
    for _ in expected:
        page.keyboard.press("Enter")
        seen.add(page.locator(".tip b").text_content())
    assert seen == set(expected)
    page.fill("input", "")
    assert page.locator("output").inner_text() == ""


def test_zoom_and_groups(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    norms, _, path = demo
    page = open_page(path)
    view = "document.querySelector('.chart').chart.view"
    everything = page.evaluate(view)
    box = page.locator("canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 150, steps=3)
    page.mouse.up()
    x0, x1, y0, y1 = page.evaluate(view)
    assert everything[0] < x0 < x1 < everything[1]
    assert everything[2] < y0 < y1 < everything[3]
    width = box["width"] - 58 - 12
    assert x1 - x0 == pytest.approx((everything[1] - everything[0]) * 300 / width)
    page.locator("canvas").nth(1).dblclick()
    assert page.evaluate(view) == everything
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(view)[1] - page.evaluate(view)[0] == pytest.approx((everything[1] - everything[0]) / 2)
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate(view) == everything
    # A class that is switched off is not to be hit.
    at = norms.classes.index("special")
    point_at(page, *place(page, at))
    assert tip(page) is not None
    page.get_by_role("button", name="special").click()
    hit = page.evaluate("([x, y]) => document.querySelector('.chart').chart.nearest(x, y)", place(page, at))
    assert hit == -1 or norms.classes[hit] != "special"


def test_a_vocabulary_of_128k_types(open_page: Open, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 128_256
    frequencies = np.where(rng.random(n) < 0.5, 0, rng.zipf(1.5, n).clip(max=10**9))
    frequencies[77_777] = 10**10  # apart from all others
    norms = norms_of([f"Ġ{number}" for number in range(n)], rng.normal(1, 0.1, n).tolist())
    counts = counts_of(dict(enumerate(frequencies.tolist())), n)
    (tmp_path / "large.html").write_text(interactive_norms([(norms, counts)]), encoding="utf-8")
    page = open_page(tmp_path / "large.html")
    point_at(page, *place(page, 77_777))
    shown = tip(page)
    assert shown is not None
    assert shown[0] == "Ġ77777"
    page.fill("input", "Ġ1234")
    assert page.locator("output").inner_text() == "111 found"
