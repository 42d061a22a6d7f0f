"""The tables of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import fmean

from embgeom.calibration.records import Verdict
from embgeom.report.markup import Value, number, spread, table, text
from embgeom.report.records import REPORTED, Cell, Sweep
from embgeom.report.table import Row
from embgeom.report.words import MEANINGS, NAMES
from embgeom.spaces.ruler import SpaceMeasure

__all__ = ["errors", "everything", "null_tables", "paper_tables", "ruler_table", "verdicts"]

_SET_BESIDE = ("pooled_q", "mean_q", "relative_delta")


def ruler_table(spaces: Sequence[SpaceMeasure]) -> str:
    """Return the table of the reference spaces."""
    names = ("relative_delta", "mean_q", "pooled_q", "delta_over_sd", "star_residual")
    rows = [
        [text(each.space), *(spread(getattr(each, name).mean, getattr(each, name).sd) for name in names)]
        for each in spaces
    ]
    first = spaces[0]
    caption = f"Reference spaces of {first.points} points: mean ± standard deviation over {first.draws} draws"
    return table(caption, ["space", *(NAMES[name] for name in names)], rows)


def paper_tables(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return, for every statistic and layer, models down and data sets across, with the averages."""
    layers = [layer for layer in sweep.layers if layer != "all"]
    parts = []
    for name in REPORTED:
        parts.append(f'<h3 id="{name}">{escape(NAMES[name])}</h3>\n<p>{escape(MEANINGS[name])}</p>')
        parts += [_paper_table(sweep, rows, name, layer) for layer in layers]
    return "\n".join(parts)


def _paper_table(sweep: Sweep, rows: Sequence[Row], name: str, layer: str) -> str:
    places = {(row.model, row.data): row for row in rows if row.asked == layer}
    means: dict[tuple[str, str], float] = {}
    body = []
    for model in sweep.models:
        values = []
        for data in sweep.data:
            row = places.get((model, data))
            entry = None if row is None else row.of(name)
            if entry is None:
                values.append(Value("failed", "", "error"))
            else:
                means[model, data] = entry.mean
                values.append(spread(entry.mean, entry.sd))
        own = [means[model, data] for data in sweep.data if (model, data) in means]
        body.append([text(model), *values, _average(own, len(sweep.data))])
    foot = [text("average")]
    for data in sweep.data:
        foot.append(_average([means[m, data] for m in sweep.models if (m, data) in means], len(sweep.models)))
    foot.append(_average(list(means.values()), len(sweep.models) * len(sweep.data)))
    caption = f"{escape(NAMES[name])}, {escape(layer)}: mean ± standard deviation over prompts; averages of the means"
    return table(caption, ["model", *sweep.data, "average"], body, foot=foot)


def _average(values: Sequence[float], of: int) -> Value:
    if not values:
        return number(None)
    shown = f"{fmean(values):.3f}" + ("" if len(values) == of else f' <span class="sd">({len(values)} of {of})</span>')
    return Value(shown, repr(fmean(values)), "number")


def verdicts(sweep: Sweep) -> str:
    """Return how the cells of embeddings compare with each null: counted, in a table, and in words."""
    found = [(_title(cell), cell.result.calibration) for cell in sweep.cells if cell.result and cell.result.calibration]
    if not found:
        return ""
    more, less = (
        sum(set(getattr(each.verdict, which)) == set(each.nulls) for _, each in found) for which in ("more", "less")
    )
    count = f"Cells of embeddings: {len(found)}. More tree-like than every null: {more}; less than each: {less}."
    nulls = list(dict.fromkeys(null for _, each in found for null in each.nulls))
    body = [[text(title), *(_against(each.verdict, null) for null in nulls)] for title, each in found]
    level = " and ".join(f"{value:g}" for value in sorted({each.level for _, each in found}))
    caption = (
        f"More tree-like than the null, or less, or neither? Mean q and pooled q must both differ (level {level}). "
        "Undecided: they do, but not after the correction over the nulls; --null-draws 99 can tell"
    )
    sentences = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(each.verdict.sentence)} {escape(each.verdict.delta_sentence)}</dd>"
        for title, each in found
    )
    words = f"<details><summary>The verdicts in words</summary><dl>{sentences}</dl></details>"
    return f"<p>{count}</p>" + table(caption, ["cell", *nulls], body) + words


def _against(verdict: Verdict, null: str) -> Value:
    """Return the verdict against one null, sorted from more tree-like to less."""
    for place, shown in enumerate(("more", "undecided", "neither", "less")):
        if null in getattr(verdict, shown):
            return Value(shown, str(place), shown if shown in ("more", "less") else "sd")
    return Value("–", "")


def null_tables(rows: Sequence[Row], nulls: Sequence[str]) -> str:
    """Return a table for each statistic that has nulls beside it; layers against depth have figures of their own."""
    beside = [(row, entry) for row in rows if row.asked != "all" for entry in row.statistics if entry.nulls]
    parts = []
    for name in _SET_BESIDE:
        body = []
        for row, entry in beside:
            if entry.name != name:
                continue
            found = {null.null: null for null in entry.nulls}
            means = [spread(found[null].mean, found[null].sd) if null in found else number(None) for null in nulls]
            p_lower = [null.p_lower for null in entry.nulls if null.p_lower is not None]
            p_value = number(max(p_lower) if p_lower else None)
            body.append([text(_title(row)), spread(entry.mean, entry.sd), *means, p_value])
        if body:
            caption = f"{escape(NAMES[name])} of the data and of null clouds: mean ± standard deviation over prompts"
            parts.append(table(caption, ["cell", "data", *nulls, "largest p"], body))
    if not parts:
        return ""
    note = "Largest p: Monte-Carlo p-value of a lower mean, the largest over the nulls; hidden layers have none."
    return f"<p>{note}</p>" + "\n".join(parts)


def everything(rows: Sequence[Row]) -> str:
    """Return one table with a line for every model, corpus and layer."""
    body = []
    for row in rows:
        known = [text(row.model), text(row.data), text(row.layer)]
        if row.error is not None:
            body.append([*known, *[Value("failed", "", "error")] * (2 + len(REPORTED))])
            continue
        count = row.statistics[0].prompts
        values = [spread(entry.mean, entry.sd) for entry in row.statistics]
        body.append([*known, Value(str(count), str(count), "number"), number(row.points, 1), *values])
    headings = ["model", "data", "layer", "prompts", "points", *(NAMES[name] for name in REPORTED)]
    return table("Every cell: mean ± standard deviation over prompts", headings, body)


def errors(sweep: Sweep) -> str:
    """Return the list of what failed, and why; nothing if nothing did."""
    items = [f"<li><strong>{escape(names)}</strong>: {escape(reason)}</li>" for names, reason in sweep.reasons()]
    return f'<section id="failed"><h2>Failed</h2><ul class="errors">{"".join(items)}</ul></section>' if items else ""


def _title(of: Row | Cell) -> str:
    return f"{of.model} · {of.data} · {of.layer}"
