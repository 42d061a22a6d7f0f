"""Small pieces of HTML: tables whose columns sort, text that is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Value", "number", "spread", "table", "text"]


@dataclass(frozen=True)
class Value:
    """The contents of a table's cell.

    Attributes
    ----------
    shown : str
        HTML.
    sort : str
        What the column sorts by: a number, or text; empty values come last.
    kind : str
        Class of the cell: ``number``, ``error``, or nothing.
    """

    shown: str
    sort: str
    kind: str = ""


def text(value: str, kind: str = "") -> Value:
    """Return a text."""
    return Value(escape(value), value.casefold(), kind)


def number(value: float | None, digits: int = 3) -> Value:
    """Return a number; a dash for None."""
    return Value("–", "", "number") if value is None else Value(f"{value:.{digits}f}", repr(float(value)), "number")


def spread(mean: float, sd: float, digits: int = 3) -> Value:
    """Return mean ± standard deviation, sorted by the mean."""
    shown = f'{mean:.{digits}f} <span class="sd">± {sd:.{digits}f}</span>'
    return Value(shown, repr(float(mean)), "number")


def table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Value]], *, foot: Sequence[Value] = ()) -> str:
    """Return a table that sorts by the column whose heading is clicked; its foot stays where it is.

    Parameters
    ----------
    caption : str
        HTML.
    headings : sequence of str
        Plain text.
    rows : sequence of sequences of Value
        The first value of each is the heading of the row.
    foot : sequence of Value
        A last row that does not take part.
    """
    numeric = [
        all(row[place].kind == "number" for row in rows if row[place].kind != "error") for place in range(len(headings))
    ]
    head = "".join(
        f'<th scope="col"{" class=number" if of_numbers else ""}><button type="button">{escape(name)}</button></th>'
        for name, of_numbers in zip(headings, numeric, strict=True)
    )
    body = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    feet = f"<tfoot><tr>{_row(foot)}</tr></tfoot>" if foot else ""
    return (
        f'<div class="wide"><table>\n<caption><span>{caption}</span></caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n{feet}</table></div>"
    )


def _row(values: Sequence[Value]) -> str:
    cells = []
    for place, value in enumerate(values):
        tag = 'th scope="row"' if place == 0 else "td"
        kind = f' class="{value.kind}"' if value.kind else ""
        cells.append(f'<{tag}{kind} data-sort="{escape(value.sort)}">{value.shown}</{tag.split()[0]}>')
    return "".join(cells)
