"""What the command prints of an evaluation."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from embgeom import cli

if TYPE_CHECKING:
    from hyplora.evaluate.scores import Accuracy, Evaluation

__all__ = ["print_evaluation"]


def print_evaluation(evaluation: Evaluation) -> None:
    """Print what the questions share with the training data, where that was asked for, and the accuracies."""
    try:
        _print_contamination(evaluation)
        _print_scores(evaluation)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_scores(evaluation: Evaluation) -> None:
    # Where only clean questions were asked, a second set of columns would say the same.
    clean = evaluation.clean_average not in (None, evaluation.average)
    table = cli.table(
        "task", ">questions", ">correct", ">accuracy", ">95 % interval", ">misses",
        *((">clean questions", ">clean accuracy", ">95 % interval") if clean else ()),
    )  # fmt: skip
    rows = [(task.task, task.scored, task.clean) for task in evaluation.tasks]
    if len(rows) > 1:
        rows.append(("M.AVG", evaluation.average, evaluation.clean_average))
    for number, (name, scored, untouched) in enumerate(rows, start=1):
        cells = [str(scored.questions), str(scored.correct), *_share(scored), str(scored.misses)]
        if clean and untouched is not None:
            cells += [str(untouched.questions), *_share(untouched)]
        table.add_row(escape(name), *cells, end_section=number == len(evaluation.tasks) and len(rows) > 1)
    by = {
        "generate": "answers that the model writes",
        "likelihood": "the likeliest of the answers there are, summed over its tokens",
    }[evaluation.scoring]
    notes = ["interval: Wilson", "misses: no answer was found, which counts as wrong"]
    if evaluation.average.too_long:
        notes.append(f"{evaluation.average.too_long} of them: the prompt is longer than the model's context")
    if len(rows) > 1:
        notes.append("M.AVG: over all questions, each counting the same")
    if evaluation.clean_average is not None:
        notes.append("clean: not in the training data" if clean else "only questions that are not in the training data")
    names = cli.short_names([name for name in (evaluation.model, evaluation.adapter) if name])
    title = f"Accuracy of {' with '.join(names.values())}, by {by}"
    cli.print_table(table, title=title, caption="; ".join(notes))


def _print_contamination(evaluation: Evaluation) -> None:
    for task in evaluation.tasks:
        found = task.contamination
        if found is None:
            continue
        typer.echo(f"{task.task}: {found.sentence()}")
        for example in found.quoted:
            ours, theirs, shared = example.lines()
            typer.echo(f"  {ours}\n  {theirs}\n    {shared}")
        typer.echo()
    for remark in evaluation.remarks:
        typer.echo(remark)


def _share(found: Accuracy) -> tuple[str, str]:
    if found.accuracy is None or found.low is None or found.high is None:
        return "–", "–"
    return f"{found.accuracy:.1%}", f"{found.low:.1%} – {found.high:.1%}"
