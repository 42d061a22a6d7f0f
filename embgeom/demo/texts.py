"""English that every Python carries: the paragraphs of its language reference, from ``pydoc_data.topics``.

The text is that of the *running* Python, so results on it belong to a Python version: store ``python_version`` with
them. Between neighbouring versions most paragraphs stay the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["demo_blocks", "demo_texts"]

_MIN_WORDS = 8
_MIN_LETTERS = 0.8  # of the characters that are not white space
_MIN_PLAIN = 0.6  # of the words: letters only, punctuation around them aside

_BLANK_LINES = re.compile(r"\n\s*\n")
_ITEM = re.compile(r"\n(?=\s*(?:\* |\d+\. |\[\d+\] ))")
_MARKER = re.compile(r"\A(?:\* |\d+\. |\[\d+\] )")
_HYPHEN_BREAK = re.compile(r"(?<=\w)-\s*\n\s*(?!and |or |to )(?=\w)")
_NOT_PROSE = re.compile(
    r"""::= | >>>\  | ^\.\.\.\  | ^Traceback  # grammar and sessions
    | ^\s*[|+*=~^#-]{3,} | -{3,}[|+] | ^\s*[|+].*[|+]\s*$  # headings and tables
    | ^\s*\# | \s{2}\# | ^\s*(?:class|def)\s\w+[(:] | ^\s*(?:try|else|finally):\s*$  # code
    """,
    re.MULTILINE | re.VERBOSE,
)
_PLAIN_WORD = re.compile(r"[\"'“‘(*]*[^\W\d_]+(?:[-’'/][^\W\d_]+)*[\"'”’)*.,;:!?…]*")
_LAST_CHARACTERS = frozenset(".:!?…)\"'”’")


def demo_texts() -> tuple[str, ...]:
    """Return the prose paragraphs of ``pydoc_data.topics``, each on one line, without duplicates.

    Returns
    -------
    tuple[str, ...]
        In a fixed order: that of the topics' names, then of the text. List items are paragraphs of their own;
        headings, code, grammar, tables and fragments are left out.
    """
    return tuple(dict.fromkeys(text for block in demo_blocks() if (text := _prose(block)) is not None))


def demo_blocks() -> tuple[str, ...]:
    """Return everything in ``pydoc_data.topics``, split at blank lines and list items, without duplicates.

    Returns
    -------
    tuple[str, ...]
        In the order of :func:`demo_texts`. Prose is on one line, exactly as there; the rest (code, grammar, tables,
        headings) keeps its lines but not its common indentation.
    """
    return tuple(dict.fromkeys(_prose(block) or block for block in _blocks()))


def _blocks() -> Iterator[str]:
    from pydoc_data.topics import topics

    for name in sorted(topics):
        for paragraph in _BLANK_LINES.split(topics[name]):
            for block in _ITEM.split(paragraph):
                if block.strip():
                    yield _dedent(block)


def _dedent(block: str) -> str:
    lines = [line.rstrip() for line in block.split("\n") if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    return "\n".join(line[margin:] for line in lines)


def _prose(block: str) -> str | None:
    """Return the block on one line, without its list marker, or None if it does not read as English."""
    if _NOT_PROSE.search(block):
        return None
    text = " ".join(_HYPHEN_BREAK.sub("-", _MARKER.sub("", block)).split())
    words = text.split(" ")
    if len(words) < _MIN_WORDS or text[-1] not in _LAST_CHARACTERS:
        return None
    letters = sum(map(str.isalpha, text)) / sum(map(len, words))
    plain = sum(_PLAIN_WORD.fullmatch(word) is not None for word in words) / len(words)
    return text if letters >= _MIN_LETTERS and plain >= _MIN_PLAIN else None
