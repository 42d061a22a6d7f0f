"""The pages build without a warning and without a network, and describe every public name."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT

PACKAGES = ("embgeom", "hyplora")
inventory = pytest.importorskip("sphinx.util.inventory", reason="the test extra sphinx is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built strictly where no proxy leads anywhere."""
    out = tmp_path_factory.mktemp("docs")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", out / "doctrees"]
    ended = subprocess.run(
        [*map(str, command), str(DOCS), str(out / "html")],
        capture_output=True,
        text=True,
        env={**os.environ, **nowhere},
    )
    assert ended.returncode == 0, ended.stderr
    return out / "html"


def public_names() -> set[str]:
    """Every name that a package, or a module directly in one of the two, offers, as its source says without running."""
    found = set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            own = parts[:-1] if is_package else parts
            if (is_package or len(parts) == 2) and not any(part.startswith("_") for part in own):
                found |= {f"{'.'.join(own)}.{name}" for name in offered(path)}
    return found


def offered(path: Path) -> set[str]:
    """The names in ``__all__``, or in the stub that it is made from."""
    stub = path.with_suffix(".pyi")
    if stub.is_file():
        tree = ast.parse(stub.read_text(encoding="utf-8"))
        return {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return set()


def test_every_public_name_is_described(built: Path) -> None:
    items = inventory.InventoryFile.loads((built / "objects.inv").read_bytes(), uri="").data
    described = {name for kind, names in items.items() if kind.startswith("py:") for name in names}
    missing = public_names() - described
    assert not missing, f"no page describes: {', '.join(sorted(missing))}"


def test_the_names_are_not_few() -> None:
    """What is compared above is what users import."""
    names = public_names()
    assert {"embgeom.hyperbolicity", "embgeom.delta.METHODS", "hyplora.HypLoraConfig", "hyplora.train.train"} <= names
    assert len(names) > 200


def test_descriptions_are_not_empty(built: Path) -> None:
    page = (built / "api" / "delta.html").read_text(encoding="utf-8")
    assert "S1 − S2" in page
    assert "Population standard deviation" in re.sub(r"\s+", " ", page) or "population standard deviation" in page


class Resources(HTMLParser):
    """What a page loads when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag in ("script", "img", "iframe", "source", "video") and "src" in given:
            self.found.append(given["src"])
        if tag == "link" and given.get("rel") not in ("canonical", "index", "search", "next", "prev", "author"):
            self.found.append(given.get("href", ""))


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    for page in built.rglob("*.html"):
        resources = Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert resources.found
        outside = [each for each in resources.found if re.match(r"(?:https?:)?//", each)]
        assert not outside, f"{page.name} loads {outside}"
    for sheet in built.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_every_page_is_reached(built: Path) -> None:
    """Sphinx warns of a page in no table of contents; this is that every source became a page."""
    for page in PAGES:
        assert (built / page.relative_to(DOCS)).with_suffix(".html").is_file()


def test_no_markup_is_left_over(built: Path) -> None:
    """A docstring that is cut in the middle of a literal shows its quotes, which no warning tells."""
    left = [
        page.name
        for page in built.glob("api/*.html")
        if "``" in re.sub(r"<(pre|script)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
    ]
    assert not left


def test_no_place_is_left_to_fill_in() -> None:
    assert not [page.name for page in (*PAGES, *ROOT.glob("*.md")) if "@@" in page.read_text(encoding="utf-8")]


def test_addresses_in_code_are_links(built: Path) -> None:
    page = (built / "commands" / "delta.html").read_text(encoding="utf-8")
    link = re.search(
        r'<a class="[^"]*internal[^"]*" href="([^"]+)"><code[^>]*><span class="pre">embgeom\.hyperbolicity<', page
    )
    assert link is not None
    path, _, anchor = link[1].partition("#")
    assert f'id="{anchor}"' in (built / "commands" / path).read_text(encoding="utf-8")
