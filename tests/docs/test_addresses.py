"""Addresses in the inline code of pages, as in `embgeom.hyperbolicity`, are there, and lead to what they name."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.docs.pages import PAGES, ROOT

ADDRESS = re.compile(r"(?:embgeom|hyplora)(?:\.\w+)+")
ROLE = re.compile(r"\{[\w:]+\}`")


def inline_code(page: Path) -> list[str]:
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    return [child.content for token in tokens for child in token.children or () if child.type == "code_inline"]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_addresses_are_there(page: Path) -> None:
    for code in inline_code(page):
        if ADDRESS.fullmatch(code):
            pkgutil.resolve_name(code)
    assert not ROLE.search(page.read_text(encoding="utf-8")), "a role of Sphinx's: GitHub shows it raw"


def test_addresses_are_looked_at() -> None:
    found = {code for page in PAGES for code in inline_code(page) if ADDRESS.fullmatch(code)}
    assert {"embgeom.hyperbolicity", "embgeom.nulls.gaussian", "hyplora.train.TrainingSummary"} <= found
