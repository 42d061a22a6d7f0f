r"""What a generated text gives as its answer: a number, a letter, or one of a task's labels. Nothing found is a miss.

The rule is the same for all kinds. A text that marks its answer is taken at its word: the last of ``#### …``,
``\boxed{…}``, ``answer is …``, ``answer: …`` counts, and what follows the mark. Without a mark, the last number is the
answer of a numeric task (as in the evaluation of LLM-Adapters, arXiv 2304.01933); of letters and labels, the only one
that is mentioned. A text that mentions several and marks none has not answered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

__all__ = ["extract_label", "extract_letter", "extract_number", "same_number"]

TOLERANCE = 1e-3
"""How far a number may be from the right one: that of the field's scripts, which round the answers of their data so."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_MARK = re.compile(
    r"####"
    r"|\b(?:final|correct|best|right)?\s*(?:answer|option|choice)\s*(?:is|are|would be|should be|must be|=|:)(?!\w)",
    re.IGNORECASE,
)
_WRAPPED = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathit)\s*\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*([^{}]*?)\s*\}\s*\{\s*([^{}]*?)\s*\}")
_TIMES_TEN = re.compile(r"\s*(?:×|\\times|\\cdot|·|\*|x)\s*10\s*(?:\^|\*\*)\s*\{?\s*([+-]?\d+)\s*\}?")
_DASHES = str.maketrans({"−": "-", "–": "-", "﹣": "-", "－": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "})

_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    # A minus belongs to the number unless something stands right before it that is subtracted from.
    r"(?P<sign>(?:(?<![\w.)\]}%])[-+])\s?)?(?:[$€£¥]\s?(?P<inner>-)?)?"
    r"(?:"
    rf"(?P<whole>\d+)[ ]+(?P<over>\d+)/(?P<under>\d+)"
    rf"|(?P<top>{_PLAIN})\s?/\s?(?P<bottom>{_PLAIN})(?!\s?/)"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<exponent>[+-]?\d+)(?!\w))?"
    r")"
)


def extract_number(text: str) -> float | None:
    r"""Return the number that a text gives as its answer, None where there is none.

    Reads signs, thousands' commas, decimals, fractions (``3/4``, ``1 1/2``, ``\frac{3}{4}``), percent (as the number
    that stands there: 25 for 25 %), currency, scientific notation (``1.2e5``, ``1.2 × 10^5``).
    """
    text = text.translate(_DASHES)
    marked = _after_last_mark(text)
    if marked is not None:
        found = _numbers(marked)
        if found:
            # "answer is 2 + 3 = 5": a sum that is worked out after the mark ends with its result.
            line = marked.strip().split("\n", 1)[0]
            return _numbers(line.rsplit("=", 1)[1])[0] if "=" in line and _numbers(line.rsplit("=", 1)[1]) else found[0]
    found = _numbers(text)
    return found[-1] if found else None


def same_number(found: float | None, expected: float) -> bool:
    """Return whether an extracted number is the right one, to within :data:`TOLERANCE` or float rounding."""
    return found is not None and math.isclose(found, expected, rel_tol=1e-9, abs_tol=TOLERANCE)


def extract_letter(text: str, letters: str = "ABCDE") -> str | None:
    r"""Return the letter of the choice that a text gives as its answer, in upper case; None where there is none.

    ``(B)``, ``B)``, ``B.``, ``\boxed{\text{B}}``, ``answer is B``. A lone capital in running text counts only where it
    is no word of its own there: the ``A`` and ``I`` of a sentence are not answers.
    """
    marked = _after_last_mark(text)
    if marked is not None:
        match = re.match(
            rf"[\s\"'*_({{\[$:]*(?:option|choice)?[\s(\[*]*([{letters}{letters.lower()}])(?![\w'’])", marked
        )
        if match and not _is_article(marked, match):
            undecided = re.match(rf"[)\]*]*\s*(?:or|and|/|,)\s*[(\[]?[{letters}](?!\w)", marked[match.end() :])
            return None if undecided else match[1].upper()
        found = _letters(marked.strip().split("\n", 1)[0], letters)
        if len(found) == 1:
            return found.pop()
    bare = re.fullmatch(rf"[\s\"'*_(\[]*([{letters}{letters.lower()}])[\s\"'*_)\].:,]*", text)
    if bare:
        return bare[1].upper()
    first = re.match(rf"\s*[(\[]?([{letters}])(?:[)\].:]|\s*\n|\s*$)", text)
    found = _letters(text, letters)
    if first and found <= {first[1]}:
        return first[1]
    return found.pop() if len(found) == 1 else None


def extract_label(text: str, labels: Sequence[str]) -> str | None:
    """Return which label of a task (``true``, ``false``; ``solution1``, ``solution2``; …) a text gives as its answer.

    Case does not matter, nor a space before a label's number (``Answer 3``). None where none is mentioned, or several
    and none is marked.
    """
    patterns = {
        label: re.compile(r"\b" + re.sub(r"(?<=[a-z])(?=\d)", r"[\\s_]?", re.escape(label)) + r"\b", re.IGNORECASE)
        for label in labels
    }
    marked = _after_last_mark(text)
    if marked is not None:
        places = {label: match.start() for label, pattern in patterns.items() if (match := pattern.search(marked))}
        if places:
            return min(places, key=places.__getitem__)
    mentioned = [label for label, pattern in patterns.items() if pattern.search(text)]
    return mentioned[0] if len(mentioned) == 1 else None


def _after_last_mark(text: str) -> str | None:
    """Return what follows the last mark of an answer, or the inside of the last box; None without a mark."""
    box = _last_box(text)
    marks = list(_MARK.finditer(text))
    if box is not None and (not marks or box[0] > marks[-1].start()):
        return box[1]
    return text[marks[-1].end() :] if marks else None


def _last_box(text: str) -> tuple[int, str] | None:
    r"""Return the place and the inside of the last ``\boxed{…}``, whose braces may be nested."""
    for match in reversed(list(_BOX.finditer(text))):
        depth = 1
        for place in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return match.start(), _WRAPPED.sub(r"\1", text[match.end() : place])
    return None


def _numbers(text: str) -> list[float]:
    text = _FRACTION.sub(r" \1/\2 ", _WRAPPED.sub(r" \1 ", text)).replace("\\$", "$").replace("\\%", "%")
    text = _TIMES_TEN.sub(r"e\1", text)
    return [value for match in _NUMBER.finditer(text) if (value := _value(match)) is not None]


def _value(match: re.Match[str]) -> float | None:
    def number(digits: str) -> float:
        return float(digits.replace(",", ""))

    if match["plain"] is not None:
        exponent = match["exponent"] or "0"
        value = float(match["plain"].replace(",", "") + "e" + exponent)
    else:
        top, bottom = (match["over"], match["under"]) if match["whole"] else (match["top"], match["bottom"])
        if number(bottom) == 0:
            return None
        value = (number(match["whole"]) if match["whole"] else 0.0) + number(top) / number(bottom)
    if not math.isfinite(value):
        return None
    negative = ((match["sign"] or "").strip() == "-") != (match["inner"] is not None)
    return -value if negative else value


def _letters(text: str, letters: str) -> set[str]:
    """Return the letters of choices that a text mentions as such."""
    bracketed = re.findall(rf"(?<!\w)[(\[]([{letters}])[)\]]", text)
    closed = re.findall(rf"(?:^|(?<=\s))([{letters}])[)](?=\s|$|[.,])", text)
    named = re.findall(rf"\b(?:option|choice|answer)\s+[(\[]?([{letters}])\b(?!['’])", text, re.IGNORECASE)
    alone = [
        match[1]
        for match in re.finditer(rf"(?<![\w'’.])([{letters}])(?![\w'’])", text)
        if not _is_article(text, match) and not re.match(r"\.\w", text[match.end() :])
    ]
    return {letter.upper() for letter in (*bracketed, *closed, *named, *alone)}


def _is_article(text: str, match: re.Match[str]) -> bool:
    """Return whether a matched ``A``, ``a`` or ``I`` is a word of its sentence: another word follows it directly."""
    followed = re.match(r"[ \t]+(?!(?:and|as|because|but|is|or|since|which)\b)[a-z]", text[match.end(1) :])
    return match[1] in "AaIi" and followed is not None
