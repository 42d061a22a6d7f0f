"""Interactive pages hold the numbers of the records, and no token can end the place that it is written in."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import embgeom.hierarchy.__main__
import embgeom.norms.__main__
from embgeom import cli, load_embeddings
from embgeom.counts import TokenCounts, token_counts
from embgeom.errors import CountsError, OptionError
from embgeom.hierarchy import Hierarchy, general_specific, group_statistics
from embgeom.norms import TokenNorms, token_norms
from embgeom.plots.interactive import interactive_hierarchy, interactive_norms, interactive_tree
from embgeom.trees import fit_tree

TEXTS = ["How many cats and dogs are in the house?", "The time is now; the time was then."]
GROUPS = {"general": ["time", "number"], "specific": ["the", "is", "and"]}


def charts_of(page: str) -> list[dict[str, Any]]:
    (content,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    found: list[dict[str, Any]] = json.loads(content)
    return found


def spelt(chart: dict[str, Any]) -> list[str]:
    """Return each point's token as the vocabulary writes it."""
    points = chart["points"]
    assert all(raw != token for raw, token in zip(points["raw"], points["token"], strict=True))
    return [raw or token for raw, token in zip(points["raw"], points["token"], strict=True)]


@pytest.fixture(scope="module")
def demo() -> tuple[Any, Any, Any]:
    embeddings = load_embeddings("demo")
    return embeddings, token_norms(embeddings), token_counts(TEXTS, embeddings.tokenizer)


def test_every_token_is_a_point(demo: tuple[Any, Any, Any]) -> None:
    embeddings, norms, counts = demo
    page = interactive_norms([(norms, counts), (replace(norms, model="other"), counts)])
    first, second = charts_of(page)
    assert first["points"] == second["points"]
    assert spelt(first) == list(norms.tokens)
    assert first["points"]["x"] == counts.dense().tolist()
    expected = np.linalg.norm(embeddings.matrix.double().numpy(), axis=1)
    assert first["points"]["y"] == pytest.approx(expected.tolist(), rel=1e-12)
    assert len({group["colour"] for group in first["groups"]}) == len(first["groups"])
    assert page == interactive_norms([(norms, counts), (replace(norms, model="other"), counts)])


def test_special_tokens_that_were_not_counted_are_left_out(demo: tuple[Any, Any, Any]) -> None:
    embeddings, norms, _ = demo
    counts = token_counts(TEXTS, embeddings.tokenizer, special_tokens=False)
    (chart,) = charts_of(interactive_norms([(norms, counts)]))
    assert set(norms.token_ids) - set(chart["points"]["id"]) == set(counts.special_token_ids)
    assert counts.special_token_ids


def test_tokens_are_data_and_no_markup(demo: tuple[Any, Any, Any]) -> None:
    _, norms, counts = demo
    hostile = [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "\ud800",
        "\x00",
        "\u202e",
        "]]>",
        "${x}",
        "$title",
    ]
    tokens = (*hostile, *norms.tokens[len(hostile) :])
    page = interactive_norms([(replace(norms, tokens=tokens, model="<i>$style</i>"), counts)])
    page.encode("utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<i>" not in page.replace('<i style="background: #', "")
    (chart,) = charts_of(page)
    assert spelt(chart) == list(tokens)


def test_the_text_of_a_token_is_what_its_tokenizer_decodes(demo: tuple[Any, Any, Any]) -> None:
    embeddings, norms, counts = demo
    (chart,) = charts_of(interactive_norms([(norms, counts)]))
    texts = dict(zip(norms.tokens, chart["points"]["token"], strict=True))
    assert {texts["Ġthe"], texts["the"], texts["Ċ"]} == {" the", "the", "\n"}
    decoded = 0
    for number, token, of_class in zip(norms.token_ids, norms.tokens, norms.classes, strict=True):
        if of_class == "byte":  # no text, so by number
            assert re.fullmatch(r"[ -~]*(\\x[89a-f][0-9a-f])+", texts[token]), token
        else:
            assert texts[token] == embeddings.tokenizer.decode([number], clean_up_tokenization_spaces=False)
            decoded += texts[token] != token
    assert decoded > 1000


@pytest.mark.parametrize(
    "written",
    [
        {"Ġthe": " the", "the": "the", "Ã©": "é", "Ġä¸": " \\xe4\\xb8", "ĊĊ": "\n\n", "<|end▁Ġ|>": "<|end▁Ġ|>"},
        {"▁the": " the", "the": "the", "▁▁": "  ", "<0x0A>": "<0x0A>", "Ġ": "Ġ", "<mask▁1>": "<mask▁1>"},
        {"##ing": "ing", "the": "the", "##": "##", "#": "#", "▁": "▁", "[##]": "[##]", "##[MASK]": "##[MASK]"},
        {"the": "the", "é": "é", " ": " "},
    ],
    ids=["byte-level", "SentencePiece", "WordPiece", "characters"],
)
def test_the_text_of_a_token_however_it_is_written(written: dict[str, str]) -> None:
    special = "<|end▁Ġ|>", "<mask▁1>", "[##]", "##[MASK]"
    n, classes = len(written), tuple("special" if token in special else "other" for token in written)
    norms = TokenNorms(tuple(range(n)), tuple(written), classes, (1.0,) * n, n, 0, 0, "a", "input", {})
    (chart,) = charts_of(interactive_norms([(norms, TokenCounts((0,), (1,), 1, n, True, (), None, "some", {}))]))
    assert dict(zip(written, chart["points"]["token"], strict=True)) == written
    assert spelt(chart) == list(written)


def test_the_counts_of_another_tokenizer_are_refused(demo: tuple[Any, Any, Any]) -> None:
    _, norms, counts = demo
    with pytest.raises(CountsError, match="with 5 tokens, that of the embeddings has 3072"):
        interactive_norms([(norms, replace(counts, vocabulary_size=5))])


@pytest.mark.parametrize("method", ["gromov", "neighbor-joining"])
def test_the_tree_is_that_of_the_record(method: str) -> None:
    points = np.random.default_rng(0).normal(size=(12, 5))
    fit = fit_tree(np.linalg.norm(points[:, None] - points, axis=2), labels=list("abcdefghijkl"), method=method)
    (chart,) = charts_of(interactive_tree([fit]))
    assert chart["points"]["token"] == list("abcdefghijkl")
    place = np.array([chart["points"]["x"], chart["points"]["y"]]).T
    assert (np.linalg.norm(place, axis=1) < 1).all()
    # An edge begins and ends where its points are, and is as long as it should be, but for a scale that all share.
    lines = [np.array(line).reshape(-1, 2) for line in chart["lines"]]
    scales = []
    for (u, v, length), line in zip(fit.edges, lines, strict=True):
        for node, end in ((u, line[0]), (v, line[-1])):
            if node < fit.points:
                assert end == pytest.approx(place[node], abs=1e-9)
        a, b = (complex(*end) for end in (line[0], line[-1]))
        if length > 1e-3:
            scales.append(2 * math.atanh(abs((b - a) / (1 - a.conjugate() * b))) / length)
    assert len(scales) > fit.points
    assert scales == pytest.approx([scales[0]] * len(scales), rel=1e-6)
    along = dict(nx.all_pairs_dijkstra_path_length(fit.graph(), weight="length"))
    nearest = min(along.values(), key=lambda far: sum(far[point] for point in range(fit.points)))
    assert chart["points"]["from"] == pytest.approx([nearest[point] for point in range(fit.points)])
    marked = [label for label, group in zip(fit.labels, chart["points"]["group"], strict=True) if group]
    assert marked == ([fit.labels[fit.root]] if method == "gromov" else [])


def test_words_of_the_hierarchy(demo: tuple[Any, Any, Any]) -> None:
    embeddings, _, counts = demo
    groups = group_statistics(embeddings, GROUPS, counts, seed=0)
    pairs = general_specific(embeddings, counts, pairs=[("time", "the"), ("number", "is"), ("time", "and")])
    result = Hierarchy("demo", "input", "some", groups, None, pairs, ())
    first, second = charts_of(interactive_hierarchy([result]))
    words = [word for row in groups.groups for word in row.words]
    assert first["points"]["token"] == [word.word for word in words]
    assert first["points"]["raw"] == [f"Ġ{word.word}" for word in words]
    assert first["points"]["x"] == [word.frequency for word in words]
    assert first["points"]["y"] == [word.norm for word in words]
    assert second["points"]["token"] == [f"{pair.specific} → {pair.general}" for pair in pairs.pairs]
    assert sum(second["points"]["group"]) == pairs.by_pair.smaller
    uncounted = replace(result, groups=group_statistics(embeddings, GROUPS, seed=0), pairs=None)
    (chart,) = charts_of(interactive_hierarchy([uncounted]))
    assert set(chart["points"]["x"]) <= {0, 1}


def test_nothing_to_draw() -> None:
    for draw in (interactive_hierarchy, interactive_norms, interactive_tree):
        with pytest.raises(OptionError, match="nothing to draw"):
            draw([])


@pytest.mark.parametrize(
    ("module", "title", "drawn"),
    [(embgeom.norms.__main__, "Frequency and norm", 1), (embgeom.hierarchy.__main__, "Hierarchy", 2)],
    ids=["norms", "hierarchy"],
)
def test_the_commands_write_pages(
    module: Any, title: str, drawn: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    path = tmp_path / "page.html"
    for figure, code in ((path, 0), (tmp_path / "page.htm", 1)):
        monkeypatch.setattr(sys, "argv", ["x", "--data", str(tmp_path / "texts.txt"), "--figure", str(figure), "-q"])
        with pytest.raises(SystemExit) as exit_:
            cli.run(module.main)
        assert exit_.value.code == code
    assert capsys.readouterr().err.endswith("must end in one of .png, .svg, .pdf, .html\n")
    page = path.read_text(encoding="utf-8")
    assert f"<title>{title}</title>" in page
    assert len(charts_of(page)) == page.count("<figure") == drawn
