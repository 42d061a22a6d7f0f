"""The pages as the tests read them: their fenced blocks, in order.

A ``python`` block runs, and all of a page share one namespace; ``python no-run`` marks what takes a model or a GPU that
is not here. A ``sh`` block is parsed against the real command lines, and a ``sh run`` block runs. A ``text`` block
right below a block that runs is what it prints.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OURS = ("make ", "python -m ", "torchrun ", "accelerate ")
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


@dataclass(frozen=True)
class Block:
    """A fenced block: what is said of it, its text, its first line in the page, and what it prints if the page says."""

    words: tuple[str, ...]
    text: str
    line: int
    printed: str | None = None

    @property
    def runs(self) -> bool:
        return self.words == ("python",) or self.words == ("sh", "run")


def blocks_of(page: Path) -> list[Block]:
    tokens = [token for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) if token.level == 0]
    found: list[Block] = []
    for number, token in enumerate(tokens):
        if token.type != "fence" or token.map is None:
            continue
        block = Block(tuple(token.info.split()), token.content, token.map[0] + 2)
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        if block.runs and after is not None and after.type == "fence" and after.info == "text":
            block = Block(block.words, block.text, block.line, after.content)
        found.append(block)
    return found


def command_lines(block: Block) -> Iterator[list[str]]:
    """Yield the words of every command of a block; of several joined by ``&&`` each by itself.

    A block that does not say what it is may be the output of a command: its commands are what begins like ours.
    """
    for line in block.text.replace("\\\n", " ").splitlines():
        if not block.words and not line.startswith(OURS):
            continue
        command: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                command.append(word)
            elif command:
                yield command
                command = []


def is_shell(block: Block) -> bool:
    return block.words[:1] == ("sh",)
