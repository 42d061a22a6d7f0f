"""What ``python -m embgeom.hierarchy`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from embgeom import cli

if TYPE_CHECKING:
    from embgeom.hierarchy.records import DigitNorms, GroupStatistics, PairTest, SignTest, Spread, Trend
    from embgeom.trees import TreeFit

__all__ = ["print_digits", "print_groups", "print_pairs", "print_trees"]

_RANGES = {1: "0–9", 2: "10–99", 3: "100–999"}


def print_groups(results: list[tuple[str, GroupStatistics]]) -> None:
    """Print a row per group and model; the results come with the names of their models."""
    if not results:
        return
    table = cli.table("model", "data", "group", ">words", ">frequency", ">norm")
    notes = []
    for name, result in results:
        for row in result.groups:
            table.add_row(
                escape(name),
                escape(result.data or ""),
                escape(row.name),
                f"{len(row.words)}" + (f" of {len(row.words) + len(row.left_out)}" if row.left_out else ""),
                _spread(row.frequency, 0),
                _spread(row.norm, 3),
            )
        notes.append(
            f"{name}, {result.data}: norm {_trend(result.norm_trend)}; frequency {_trend(result.frequency_trend)}"
        )
        left_out = [word.word for row in result.groups for word in row.left_out]
        if left_out:
            notes.append(f"{name}: left out, being no single tokens: {', '.join(left_out)}")
    cli.print_table(
        table,
        title=f"Groups of words: mean [min ~ max], {results[0][1].layer} embeddings",
        caption="\n".join(dict.fromkeys(notes)),
    )


def print_digits(results: dict[str, DigitNorms]) -> None:
    """Print a row per range of numbers and model."""
    if not results:
        return
    table = cli.table("model", "numbers", "form", ">single tokens", ">norm")
    notes = []
    for name, result in results.items():
        for row in result.rows:
            table.add_row(
                escape(name), _RANGES[row.digits], row.form, f"{len(row.numbers)} of {row.of}", _spread(row.norm, 3)
            )
        if not result.multi_digit:
            notes.append(f"{name} has no number of two or three digits as a single token")
    cli.print_table(table, title="Numbers by digits: mean [min ~ max] of the norm", caption="\n".join(notes) or None)


def print_pairs(results: list[tuple[str, PairTest]]) -> None:
    """Print a row per test and model."""
    if not results:
        return
    table = cli.table("model", "data", "unit", ">n", ">ties", ">general shorter", ">by chance", ">p")
    notes = [
        "general shorter: the share with ‖general‖ < ‖specific‖ [95 %]; hypernym: by the majority of its pairs; ties "
        "(equal norms; as many pairs either way) are not among the n; "
        "matched: beside random words of the same frequencies"
    ]
    for name, result in results:
        cells = [escape(name), escape(result.data or "")]
        table.add_row(*cells, "pair", *_signs(result.by_pair))
        table.add_row(*cells, "hypernym", *_signs(result.by_hypernym))
        if result.matched:
            share = result.matched.share
            chance = _interval(share.expected, share.interval)
            table.add_row(
                *(*cells, "matched", f"{result.matched.pairs}", ""),
                *(f"{share.observed:.2f}", chance, f"{share.p_value:.2g}"),
            )
        notes += _pair_notes(name, result)
    # What a tokenizer lacks is said once, however many corpora there are.
    cli.print_table(table, title="General words against specific ones", caption="\n".join(dict.fromkeys(notes)))


def _pair_notes(name: str, result: PairTest) -> list[str]:
    total = len(result.pairs) + len(result.left_out)
    if not result.pairs:
        return [f"{name}: none of the {total} pairs has two words that are single tokens of this tokenizer"]
    notes = [f"{name}: {len(result.pairs)} of {total} pairs are two single tokens"]
    if result.split:
        shown = [word.word for word in result.split[:12]]
        more = f" and {len(result.split) - len(shown)} more" if len(result.split) > len(shown) else ""
        notes[0] += f"; left out for {', '.join(shown)}{more}"
    matched = result.matched.pairs if result.matched else 0
    about = f"{name}, {result.data}: {matched} pairs could be matched; {result.unseen} have a word that does not occur"
    few = len(result.pairs) - matched - (result.unseen or 0)
    about += f", {few} too few words of its frequency" if few else ""
    notes.append(about + ("; give a larger --data" if matched < len(result.pairs) / 2 else ""))
    return notes


def print_trees(results: dict[str, tuple[TreeFit, ...]]) -> None:
    """Print a row per method and model."""
    if not results:
        return
    table = cli.table("model", "method", ">words", ">|d_T − d|/diameter", ">mean", ">distortion", ">mean |d_T/d − 1|")
    notes = []
    for name, fits in results.items():
        for fit in fits:
            distortion = fit.multiplicative_distortion
            table.add_row(
                escape(name),
                fit.method,
                f"{fit.points}",
                f"{fit.relative_additive_distortion:.3f}",
                f"{fit.relative_mean_additive_distortion:.3f}",
                "∞" if distortion is None else f"{distortion:.3f}",
                f"{fit.mean_relative_error:.3f}",
            )
        if fits[0].left_out:
            notes.append(f"{name}: left out, being no single tokens: {', '.join(fits[0].left_out)}")
    notes.insert(
        0, "d: Euclidean distance, d_T: along the tree; distortion: largest d_T/d times largest d/d_T, 1 for a tree"
    )
    cli.print_table(table, title="Trees fitted to the distances between words", caption="\n".join(notes))


def _signs(test: SignTest) -> list[str]:
    if test.share is None or test.interval is None or test.p_value is None:
        return [f"{test.n}", f"{test.ties}", "–", "–", "–"]
    return [f"{test.n}", f"{test.ties}", _interval(test.share, test.interval), "0.50", f"{test.p_value:.2g}"]


def _interval(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return escape(f"{value:.2f} [{low:.2f} ~ {high:.2f}]")


def _spread(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return "–"
    mean = f"{spread.mean:.{max(digits, 1)}f}"
    return escape(f"{mean} [{spread.minimum:.{digits}f} ~ {spread.maximum:.{digits}f}]")


def _trend(trend: Trend | None) -> str:
    if trend is None:
        return "has no trend to test"
    from embgeom.hierarchy.trend import signed

    way = {1: "rises with the groups", -1: "falls with the groups", 0: "shows no trend that can be told"}
    numbers = f"τ = {signed(trend.tau, 3)}, Jonckheere–Terpstra p = {trend.p_value:.2g}"
    return f"{way[trend.direction]}: {numbers}"
