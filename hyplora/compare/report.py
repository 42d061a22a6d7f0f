"""What the command prints of a comparison."""

from __future__ import annotations

import os
import sys

import typer
from rich.markup import escape

from embgeom import cli
from hyplora.compare.records import METRICS, Comparison, ContenderResult
from hyplora.compare.words import at_edges, finding, notes, number, p_value, parts_text, signed

__all__ = ["print_comparison"]


def print_comparison(comparison: Comparison) -> None:
    """Print the settings that were tried, those chosen, and for each metric a table with its findings."""
    try:
        _print_settings(comparison)
        _print_contenders(comparison)
        for metric in comparison.metrics:
            _print_metric(comparison, metric)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_settings(comparison: Comparison) -> None:
    table = cli.table(">learning rate", ">alpha", *(f">{each.name}" for each in comparison.contenders))
    metric = comparison.tuned_on
    for place, setting in enumerate(comparison.contenders[0].settings):
        cells = []
        for contender in comparison.contenders:
            own = contender.settings[place]
            chosen = (own.learning_rate, own.alpha) == (contender.learning_rate, contender.alpha)
            cells.append("failed" if own.score is None else number(metric, own.score) + ("*" if chosen else " "))
        table.add_row(f"{setting.learning_rate:g}", f"{setting.alpha:g}", *cells)
    reasons = {
        f"{each.name}, learning rate {own.learning_rate:g}, alpha {own.alpha:g}, failed: {own.error}": None
        for each in comparison.contenders
        for own in each.settings
        if own.error is not None
    }
    lines = ["the same settings for all; on records, and with a seed, that the results below do not have; * the best"]
    lines += [*reasons, *at_edges(comparison)]
    cli.print_table(table, title=f"Tuning: {METRICS[metric].name}", caption="\n".join(lines))


def _print_contenders(comparison: Comparison) -> None:
    table = cli.table(
        "contender", ">parameters", ">of them K, c", ">learning rate", ">alpha", ">K at first", ">at last"
    )
    for each in comparison.contenders:
        table.add_row(
            escape(each.name),
            f"{each.parameters:,}",
            str(each.geometry),
            "–" if each.learning_rate is None else f"{each.learning_rate:g}",
            "–" if each.alpha is None else f"{each.alpha:g}",
            _range(each.curvatures),
            _range(each.end_curvatures),
        )
    lines = [
        f"rank {comparison.rank}, {comparison.steps} steps of {comparison.batch} records; the same parameters but for "
        "K and the norm scale c of each layer",
        "K: over seeds, and at last over layers",
    ]
    cli.print_table(table, title=f"{_title(comparison)}: contenders", caption="\n".join(lines))


def _print_metric(comparison: Comparison, metric: str) -> None:
    first = comparison.contenders[0]
    table = cli.table(
        "contender", f">{METRICS[metric].name}", f">minus {first.name}", ">95 % interval", ">p (t)", ">p (sign flips)"
    )
    table.add_row("no adapter", number(metric, comparison.untrained[metric]), "", "", "", "")
    sentences = []
    others = sum(bool(each.differences) for each in comparison.contenders)
    for each in comparison.contenders:
        score = next((score for score in each.scores if score.metric == metric), None)
        if score is None:
            table.add_row(escape(each.name), "failed", "", "", "", "")
            continue
        cells = [f"{number(metric, score.mean)} ± {number(metric, score.sd)}"]
        for difference in each.differences:
            if difference.metric == metric:
                test = difference.test
                cells.append(signed(metric, test.mean))
                cells.append(f"[{signed(metric, test.low)}, {signed(metric, test.high)}]")
                cells += [p_value(test.p_t), p_value(test.p_flips)]
                sentences.append(finding(each, difference, first, others))
        table.add_row(escape(each.name), *cells, *[""] * (5 - len(cells)))
    caption = f"{parts_text(comparison)}\n{notes(comparison, metric)}"
    cli.print_table(table, title=f"{_title(comparison)}: {METRICS[metric].name}", caption=caption)
    for sentence in sentences:
        typer.echo(sentence)
    typer.echo("")


def _title(comparison: Comparison) -> str:
    (name,) = cli.short_names([comparison.model]).values()
    return f"{name} adapted to {comparison.data}"


def _range(values: ContenderResult | tuple[float, float] | None) -> str:
    if not isinstance(values, tuple):
        return "–"
    low, high = (f"{value:.3g}" for value in values)
    return low if low == high else f"{low} – {high}"
