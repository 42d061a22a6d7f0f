"""The examples of the pages run as they stand, from top to bottom of each page, and print what it says."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, PAGES, Block, blocks_of, command_lines
from tests.hyplora import tiny

pytestmark = [
    *tiny.allow_third_party,
    pytest.mark.filterwarnings("ignore:.*no accelerator is found:UserWarning"),  # torch's, of pinned memory
]

# The built-in texts are those of the Python that runs; what the pages print was printed by this one.
PRINTED_BY = (3, 11)
NUMBER = re.compile(r"[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-−]?\d+)?")
WITH_EXAMPLES = [page for page in PAGES if any(block.runs for block in blocks_of(page))]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: str(page.relative_to(DOCS).with_suffix("")))
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("EMBGEOM_DATA", "EMBGEOM_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    namespace: dict[str, Any] = {"__name__": "example"}
    for block in blocks_of(page):
        if block.runs:
            printed = _run(block, page, namespace, monkeypatch)
            if block.printed is not None and sys.version_info[:2] == PRINTED_BY:
                _compare(printed, block.printed, f"{page.name}:{block.line}")


def _run(block: Block, page: Path, namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if block.words == ("python",):
            source = "\n" * (block.line - 1) + block.text  # so that a traceback has the page's line
            exec(compile(source, str(page), "exec", dont_inherit=True), namespace)
        else:
            for words in command_lines(block):
                _run_command(words, monkeypatch)
    return out.getvalue()


def _run_command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert words[:2] == ["python", "-m"], f"only `python -m` runs here, not {words}"
    monkeypatch.setattr(sys, "argv", words[2:])
    monkeypatch.delitem(sys.modules, f"{words[2]}.__main__", raising=False)  # runpy warns of what is there already
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    assert ended.value.code in (0, None), words


def _compare(printed: str, expected: str, place: str) -> None:
    """Words are the same; a number may differ in its last digits, which depend on the processor."""
    words, wanted_words = (NUMBER.sub("0", text).split() for text in (printed, expected))
    assert words == wanted_words, _shown(place, printed, expected)
    for found, wanted in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        near = pytest.approx(_value(wanted), rel=0.02, abs=2 * _last_digit(wanted))
        assert _value(found) == near, _shown(place, printed, expected)


def _value(number: str) -> float:
    return float(number.replace("−", "-").replace(",", ""))


def _last_digit(number: str) -> float:
    plain = number.partition("e")[0]
    return 10.0 ** -len(plain.partition(".")[2]) if "." in plain else 0.0


def _shown(place: str, printed: str, expected: str) -> str:
    parts = (f"{place} says", expected, "and it prints", printed)
    return "\n".join(textwrap.indent(part, "  ") if number % 2 else part for number, part in enumerate(parts))


def test_a_wrong_output_is_found() -> None:
    _compare("δ = 0.2282 over 200 prompts", "δ = 0.2281 over 200 prompts", "here")
    with pytest.raises(AssertionError, match="here says"):
        _compare("δ = 0.2282 over 200 prompts", "δ = 0.2382 over 200 prompts", "here")
    with pytest.raises(AssertionError, match="and it prints"):
        _compare("δ = 0.2282 over 200 prompts", "δ = 0.2282 over 200 texts", "here")


def test_few_blocks_are_left_out() -> None:
    left_out = [block for page in PAGES for block in blocks_of(page) if block.words[:2] == ("python", "no-run")]
    run = [block for page in PAGES for block in blocks_of(page) if block.words == ("python",)]
    assert len(run) >= 15
    assert len(left_out) <= 3
    for block in left_out:
        compile(block.text, "page", "exec")
