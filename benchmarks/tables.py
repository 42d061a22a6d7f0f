"""Tables of a run, for a terminal and for a README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from race import Entry
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from embgeom.results import Record

__all__ = ["Report", "Section", "Table", "rich_text", "tables_of", "to_markdown"]


@dataclass(frozen=True)
class Section:
    """How the entries of one section are shown.

    Attributes
    ----------
    name, title, caption : str
    ours : str
        The contender whose time the others are divided by.
    labels : tuple of two str
        Names of the first two columns.
    cell : {"time", "rate", "share"}
        What a cell says beside the ratio: the time, units per second, or the value as a share of the exact one.
    quotients : tuple of (title, numerator, denominator)
        Further columns: the time of one contender over that of another.
    unlisted : frozenset of str
        Contenders that are there for their values alone.
    """

    name: str
    title: str
    caption: str
    ours: str
    labels: tuple[str, str] = ("cloud", "n")
    cell: str = "time"
    quotients: tuple[tuple[str, str, str], ...] = ()
    unlisted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Report(Record):
    """Everything that was measured, and on what."""

    header: tuple[str, ...]
    entries: tuple[Entry, ...]
    footer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, of which the first ``words`` hold words, the others numbers."""

    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


def tables_of(entries: Sequence[Entry], sections: Sequence[Section]) -> list[Table]:
    """Return the table of values, then one of times per section that has entries."""
    times = [_times(section, _of(entries, section)) for section in sections if _of(entries, section)]
    return [_values(entries, sections), *times]


def rich_text(tables: Sequence[Table], console: Console) -> None:
    """Print the tables to a console."""
    for table in tables:
        console.print(f"\n[bold]{table.title}[/bold]")
        shown = RichTable(*table.header, box=SIMPLE_HEAD, pad_edge=False)
        for column in shown.columns[table.words :]:
            column.justify = "right"
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
        console.print(table.caption, style="dim")


def to_markdown(table: Table) -> str:
    """Return one table as GitHub shows it."""
    lines = [
        f"**{table.title}**",
        "",
        "| " + " | ".join(table.header) + " |",
        "|" + "|".join(" --- " if column < table.words else " ---: " for column in range(len(table.header))) + "|",
        *("| " + " | ".join(row) + " |" for row in table.rows),
        "",
        table.caption,
    ]
    return "\n".join(lines)


def _of(entries: Sequence[Entry], section: Section) -> list[Entry]:
    return [entry for entry in entries if entry.section == section.name]


def _values(entries: Sequence[Entry], sections: Sequence[Section]) -> Table:
    """Return what every contender's values are, beside ours."""
    rows = []
    for section in sections:
        own = _of(entries, section)
        for name in dict.fromkeys(entry.contender for entry in own):
            found = [entry for entry in own if entry.contender == name]
            if name == section.ours or found[0].kind == "":
                continue
            sizes = sorted({entry.n for entry in found})
            low, high = min(entry.agreement for entry in found), max(entry.agreement for entry in found)
            rows.append(
                (
                    section.name,
                    name,
                    found[0].kind,
                    f"{sizes[0]}–{sizes[-1]}" if len(sizes) > 1 else str(sizes[0]),
                    f"{max(entry.error for entry in found):.0e}",
                    f"{low:.4f}–{high:.4f}",
                    "yes" if all(entry.right for entry in found) else "WRONG",
                )
            )
    return Table(
        "Values: every contender against embgeom",
        "Largest difference as a share of the diameter, and value ÷ that of embgeom, over all clouds. "
        "“As it should be”: equal within rounding where the kind says exact, never larger where it is a lower bound.",
        ("section", "contender", "kind", "n", "difference", "value ÷ embgeom", "as it should be"),
        tuple(rows),
        words=3,
    )


def _times(section: Section, entries: list[Entry]) -> Table:
    names = [name for name in dict.fromkeys(e.contender for e in entries) if name not in section.unlisted]
    rows = []
    for cloud, n in dict.fromkeys((entry.cloud, entry.n) for entry in entries):
        found = {entry.contender: entry for entry in entries if (entry.cloud, entry.n) == (cloud, n)}
        cells = [_cell(section, found.get(name)) for name in names]
        for _, over, under in section.quotients:
            both = over in found and under in found
            cells.append(_number(found[over].seconds / found[under].seconds) if both else "–")
        rows.append((cloud, f"{n:,}", *cells))
    header = (*section.labels, *names, *(title for title, _, _ in section.quotients))
    return Table(section.title, section.caption, header, tuple(rows))


def _cell(section: Section, entry: Entry | None) -> str:
    if entry is None:
        return "–"
    if section.cell == "share":
        return f"{entry.agreement:.1%} · {_time(entry.seconds)}"
    main = f"{_rate(1 / entry.seconds)}" if section.cell == "rate" else _time(entry.seconds)
    return main if entry.contender == section.ours else f"{main} ({_number(entry.ratio)}×)"


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.9995 * size:
            return f"{_number(seconds / size)} {unit}"
    return f"{_number(seconds / 1e-6)} µs"


def _rate(per_second: float) -> str:
    return f"{_number(per_second / 1e6)} M/s"


def _number(value: float) -> str:
    """Return three digits, as people write them."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
