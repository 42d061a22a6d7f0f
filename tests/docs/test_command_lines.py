"""Every command of the pages and of the README is one that the real command lines take."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from embgeom import cli
from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks_of, command_lines, is_shell

README = ROOT / "README.md"
LAUNCHERS = ("torchrun", "accelerate")


def blocks() -> Iterator[tuple[Path, Block]]:
    for page in [*PAGES, README]:
        yield from ((page, block) for block in blocks_of(page) if not block.words or is_shell(block))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the words of each command that is of this project, from the module's name on."""
    for page, block in blocks():
        for words in command_lines(block):
            if "…" in words:
                continue
            launched = words[0] in LAUNCHERS or words[:2] == ["python", "-m"]
            if launched and "-m" in words and words[words.index("-m") + 1].startswith(("embgeom", "hyplora")):
                place = f"{page.relative_to(ROOT)}:{block.line}"
                yield place, words[words.index("-m") + 1 :]


ALL = list(commands())


@pytest.mark.parametrize(("place", "words"), ALL, ids=[f"{place} {words[0]}" for place, words in ALL])
def test_is_parsed(place: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if words[0] == "hyplora.harness":
        _parse_harness(words[1:], monkeypatch)
    elif words[0] != "embgeom.demo.train":
        _parser(words[0]).make_context(words[0], words[1:])


def _parser(module: str) -> Any:
    loaded = importlib.import_module(f"{module}.__main__")
    main = loaded.main
    if "flags" in inspect.signature(main).parameters:
        main = loaded.with_flags(main)
    app = typer.Typer(add_completion=False)
    app.command(cls=cli.Command)(main)
    return typer.main.get_command(app)


def _parse_harness(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    harness = pytest.importorskip("lm_eval._cli.harness", reason="lm-evaluation-harness is not installed")
    monkeypatch.setattr(sys, "argv", ["lm_eval", *arguments])
    harness.HarnessCLI().parse_args()


def test_a_wrong_option_is_found() -> None:
    with pytest.raises(Exception, match=r"No such option.*--dtaa"):
        _parser("embgeom.delta").make_context("embgeom.delta", ["--dtaa", "gsm8k"])


def test_every_command_has_its_page() -> None:
    for page in sorted((DOCS / "commands").glob("*.md")):
        if page.stem != "index":
            title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
            assert title.partition(".")[2] == page.stem
            assert title in {words[0] for place, words in ALL if page.name in place}
    there = {
        f"{path.parent.parent.name}.{path.parent.name}"
        for package in ("embgeom", "hyplora")
        for path in (ROOT / package).glob("*/__main__.py")
    }
    assert there <= {words[0] for _, words in ALL}


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[1] for _, block in blocks() for words in command_lines(block) if words[0] == "make"}
    assert named
    assert named <= targets


def test_extras_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*PAGES, README])
    named = {extra for extras in re.findall(r"\.\[([a-z,]+)\]", text) for extra in extras.split(",")}
    assert named
    assert named <= set(known)


def test_files_that_are_named_exist() -> None:
    invented = ("NAME", "diametral")
    for page in PAGES:
        for path in re.findall(
            r"`((?:benchmarks|embgeom|hyplora|tests|docs)/[\w./-]+)`", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / path).exists() or any(word in path for word in invented), f"{page.name}: {path}"
