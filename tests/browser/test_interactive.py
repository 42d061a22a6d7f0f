"""Pages of interactive scatters in Chromium: what is pointed at is named, and no token does anything."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embgeom import load_embeddings
from embgeom.counts import TokenCounts, token_counts
from embgeom.hierarchy import Hierarchy, group_statistics
from embgeom.norms import TokenNorms, token_norms
from embgeom.plots.interactive import interactive_hierarchy, interactive_norms, interactive_tree
from embgeom.trees import TreeFit, fit_tree, token_tree
from embgeom.words import word_tokens
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
    " ": "␣",
    "▁猫🙂": "␣猫🙂",
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


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose groups and whose tree have more words than a phone has room for."""
    embeddings = load_embeddings("demo")
    known = [token[1:] for token in token_norms(embeddings).tokens if token[0] == "Ġ" and token[1:].isalpha()]
    words = dict(list(word_tokens(embeddings.tokenizer, known).found.items())[::20][:40])
    counts = counts_of({of: 2000 // (place**2 + 1) for place, of in enumerate(words.values())}, 3072)
    groups = {"often": tuple(words)[:20], "seldom": tuple(words)[20:]}
    tree = token_tree(embeddings, list(words)[:30])
    result = Hierarchy(
        "demo", "input", "some", group_statistics(embeddings, groups, counts, seed=0), None, None, (tree,)
    )
    path = tmp_path_factory.mktemp("hierarchy") / "hierarchy.html"
    path.write_text(interactive_hierarchy([result]), encoding="utf-8")
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
    assert [raw or token for raw, token in zip(points["raw"], points["token"], strict=True)] == list(norms.tokens)
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
        assert shown[0] == norms.tokens[at].replace("Ġ", "␣")
        assert page.locator(".tip code").text_content() == (norms.tokens[at] if "Ġ" in norms.tokens[at] else "")
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
        across, down = (6 + (box["width"] - 12) * (1 + part / 1.1) / 2 for part in (x, -y))
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


WRITTEN = """(figure) => {
  const { chart } = figure, texts = [], { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const ink = this.measureText(text), turned = this.getTransform().scale(1), ratio = devicePixelRatio;
    const [one, other] = [
      [x - ink.actualBoundingBoxLeft, y - ink.actualBoundingBoxAscent],
      [x + ink.actualBoundingBoxRight, y + ink.actualBoundingBoxDescent],
    ].map((corner) => turned.transformPoint(new DOMPoint(...corner)));
    const ends = (a, b) => [Math.min(a, b) / ratio, Math.max(a, b) / ratio];
    texts.push({ text, across: ends(one.x, other.x), down: ends(one.y, other.y) });
  };
  chart.draw();
  Object.assign(CanvasRenderingContext2D.prototype, { fillText });
  const { token, x, y } = chart.data.points, [left, right, above, below] = chart.box, places = [];
  for (let i = 0; i < token.length; i++) {
    const [px, py] = [chart.toX(chart.x[i]), chart.toY(chart.y[i])];
    if (px >= left && px <= right && py >= above && py <= below) places.push([px, py]);
  }
  return { texts, places, box: chart.box, size: [chart.base.clientWidth, chart.base.clientHeight] };
}"""
"""What a figure writes on its canvas, where its ink is, and where the points in view are."""


def check_labels(page: Any, shares: Sequence[float]) -> None:
    """Require that no text meets another, a point or the edge, and that a share of the points has a label."""
    for figure, share in zip(page.locator("figure").all(), shares, strict=True):
        drawn = figure.evaluate(WRITTEN)
        (left, right, above, below), (width, height) = drawn["box"], drawn["size"]
        inner = []
        for one in drawn["texts"]:
            (x0, x1), (y0, y1) = one["across"], one["down"]
            room = (0, 0, width, height)
            if x1 > left and y0 < below:  # what is written along the axes is outside of the box
                room = (left, above, right, below)
                inner.append(one)
            assert all(room[side] <= (x0, y0)[side] < (x1, y1)[side] <= room[side + 2] + 0.5 for side in (0, 1)), one
            if len(drawn["places"]) <= 80:
                met = [(x, y) for x, y in drawn["places"] if x0 - 3 < x < x1 + 3 and y0 - 3 < y < y1 + 3]
                assert not met, f"{one['text']!r} meets the points {met}"
        for one, other in itertools.combinations(drawn["texts"], 2):
            apart = [one[way][1] <= other[way][0] or other[way][1] <= one[way][0] for way in ("across", "down")]
            assert any(apart), f"{one['text']!r} meets {other['text']!r}"
        assert len(inner) >= share * len(drawn["places"])


@pytest.mark.parametrize(("width", "share"), [(1280, 0.7), (390, 0.3), (320, 0.2)])
def test_labels_meet_nothing(
    open_page: Open, hierarchy: Path, tree: tuple[TreeFit, Path], hostile: Path, width: int, share: float
) -> None:
    for path in (hierarchy, tree[1], hostile):
        page = open_page(path, width=width)
        figures = page.locator("figure").count()
        check_labels(page, [share] * figures)
        for _ in range(4):
            for button in page.get_by_role("button", name="Zoom in").all():
                button.click()
            check_labels(page, [0.0] * figures)


def test_numbers_along_the_axes_meet_nothing(open_page: Open, tmp_path: Path) -> None:
    norms = norms_of([str(number) for number in range(100)], [1000.0 + number for number in range(100)])
    counts = counts_of({number: 3 * 10 ** (number % 11) for number in range(1, 100)}, 100)
    (tmp_path / "wide.html").write_text(interactive_norms([(norms, counts)]), encoding="utf-8")
    for width in (1280, 390, 320):
        page = open_page(tmp_path / "wide.html", width=width)
        for _ in range(5):
            check_labels(page, [0.0])
            page.get_by_role("button", name="Zoom in").click()


@pytest.mark.parametrize(("width", "height"), [(1280, 1200), (1280, 800), (1024, 768), (390, 844)])
def test_the_disc_fills_its_figure(open_page: Open, tree: tuple[TreeFit, Path], width: int, height: int) -> None:
    page = open_page(tree[1], width=width)
    page.set_viewport_size({"width": width, "height": height})
    figure, plot, caption, controls = (
        page.locator(name).bounding_box() for name in ("figure", ".plot", "figcaption", ".controls")
    )
    assert plot["width"] == pytest.approx(plot["height"], abs=1)
    assert plot["height"] <= height
    page.wait_for_function("(w) => document.querySelector('figure').chart.box[1] > w - 8", arg=plot["width"])
    middle, radius = page.evaluate(
        "(({ chart }) => [chart.toX(0), chart.toX(1) - chart.toX(0)])(document.querySelector('figure'))"
    )
    assert 2 * radius > 0.85 * plot["width"]
    first, last = plot["x"] + middle - radius, plot["x"] + middle + radius
    assert figure["x"] + figure["width"] - last < 0.16 * figure["width"]
    if width > 960:  # what is said of it is beside it
        words = max(box["x"] + box["width"] for box in (caption, controls))
        assert 0 < first - words < 0.2 * figure["width"]
        assert controls["y"] + controls["height"] < plot["y"] + plot["height"]
    else:
        assert first - figure["x"] < 0.16 * figure["width"]
        assert controls["y"] + controls["height"] < plot["y"]


def test_touching_shows_the_token(open_page: Open, demo: tuple[TokenNorms, TokenCounts, Path]) -> None:
    norms, counts, path = demo
    page = open_page(path, width=390, touch=True)
    number = max(counts.as_dict().items(), key=lambda entry: entry[1])[0]
    page.locator(".plot").scroll_into_view_if_needed()
    box, (x, y) = page.locator("canvas").nth(1).bounding_box(), place(page, norms.token_ids.index(number))
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    shown = tip(page)
    assert shown is not None
    assert shown[0] == norms.tokens[norms.token_ids.index(number)].replace("Ġ", "␣")


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
    assert chart["points"]["token"] == [token.replace("▁", " ") for token in HOSTILE]
    page.locator("canvas").nth(1).focus()
    for token in HOSTILE:
        page.keyboard.press("ArrowRight")
        assert page.locator(".tip > *").count() == 3
        assert page.locator(".tip > * > *").count() == 0
        assert page.locator(".tip code").is_visible() == (token == "▁猫🙂")
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
    expected = [token.replace("Ġ", "␣") for token in norms.tokens if "tion" in token.lower()]
    assert len(expected) > 3
    assert page.locator("output").inner_text() == f"{len(expected)} found"
    seen = set()
    for _ in expected:
        page.keyboard.press("Enter")
        seen.add(page.locator(".tip b").text_content())
    assert seen == set(expected)
    page.fill("input", "")
    assert page.locator("output").inner_text() == ""
    # As it is shown, as the vocabulary writes it, and as the text that it is.
    found = f"{sum(token.lower().startswith('ġthe') for token in norms.tokens)} found"
    for wanted in ("␣the", "Ġthe", " the"):
        page.fill("input", wanted)
        assert page.locator("output").inner_text() == found
        page.keyboard.press("Enter")
        assert page.locator(".tip b").text_content().lower()[:4] == "␣the"
        assert page.locator(".tip code").inner_text().lower()[:4] == "ġthe"
    for wanted in ("Ċ", "\\n"):
        page.fill("input", wanted)
        page.keyboard.press("Enter")
        assert "\\n" in page.locator(".tip b").text_content()
        assert "Ċ" in page.locator(".tip code").inner_text()


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
    frequencies[77_776] = 10**10  # apart from all others
    norms = norms_of([f"Ġ{number}" for number in range(n)], rng.normal(1, 0.1, n).tolist())
    counts = counts_of(dict(enumerate(frequencies.tolist())), n)
    (tmp_path / "large.html").write_text(interactive_norms([(norms, counts)]), encoding="utf-8")
    page = open_page(tmp_path / "large.html")
    point_at(page, *place(page, 77_776))
    shown = tip(page)
    assert shown is not None
    assert shown[0] == "␣77776"
    page.fill("input", "Ġ1234")
    assert page.locator("output").inner_text() == "111 found"
