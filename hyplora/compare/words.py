"""A comparison in words: what was counted, the finding of each contender, and what to distrust."""

from __future__ import annotations

from hyplora.compare.records import METRICS, Comparison, ContenderResult, Difference

__all__ = ["LEVEL", "at_edges", "finding", "notes", "number", "p_value", "parts_text", "signed"]

LEVEL = 0.05
"""Of p, corrected, at which a difference is said to be one."""


def number(metric: str, value: float) -> str:
    """Return a value of a metric as it is written."""
    how = METRICS[metric]
    return f"{value * how.factor:.{how.digits}f}"


def signed(metric: str, value: float) -> str:
    """Return a difference with its sign; none for what rounds to zero."""
    how = METRICS[metric]
    text = f"{value * how.factor:+.{how.digits}f}"
    return (text if float(text) else text[1:]).replace("-", "−")


def p_value(p: float | None) -> str:
    """Return p to three digits; small ones as a bound."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3g}"


def finding(contender: ContenderResult, difference: Difference, first: ContenderResult, others: int) -> str:
    """Return one contender's difference to the first in a sentence."""
    how, test = METRICS[difference.metric], difference.test
    interval = f"[{signed(difference.metric, test.low)}, {signed(difference.metric, test.high)}]"
    if test.p_t is None:
        student = "all differences are the same, which leaves no t-test"
    else:
        student = f"t-test p {_equals(test.p_t)}"
        student += f" ({p_value(difference.p)} after Holm for {others} comparisons)" if others > 1 else ""
    better = (test.mean > 0) == how.rises
    by = "t-test" if test.p_t is not None else "sign flips"
    verdict = "no difference shown" if difference.p > LEVEL else f"{'better' if better else 'worse'} by the {by}"
    return (
        f"{contender.name} against {first.name}: {signed(difference.metric, test.mean)} {how.unit} {interval}, "
        f"{student}, sign-flip p {_equals(test.p_flips)} (the least that {test.pairs} seeds can give: "
        f"{test.least_p_flips:.4g}): {verdict}"
    )


def parts_text(comparison: Comparison) -> str:
    """Return what was learned from, tuned on, and compared on."""
    parts = comparison.parts
    if comparison.tuned_on == "loss":
        return (
            f"{parts['training']} problems to learn from, {parts['tuning']} to tune on, {parts['test']} to compare on: "
            "no pair of numbers is in two of the parts"
        )
    held = f" of {comparison.held_out}" if comparison.held_out else ""
    text = (
        f"{parts['training']} texts to learn from; held out{held}: {parts['tuning']} to tune on, {parts['test']} "
        f"({parts['test_characters']:,} characters) to compare on"
    )
    left = [
        f"{parts[name]} {what}"
        for name, what in (
            ("learned_from_too", "that are among those learned from, but for case, punctuation and numbers"),
            ("too_long", "longer than the cut-off"),
        )
        if parts[name]
    ]
    text += f"; left out of these: {', '.join(left)}" if left else ""
    return text + (f"; {parts['training_cut']} of those to learn from were cut" if parts["training_cut"] else "")


def notes(comparison: Comparison, metric: str) -> str:
    """Return how a metric is counted, and what its intervals are of."""
    counted = {
        "bits_per_character": "−log₂ likelihood of all test texts, the end of each (EOS) included, given BOS (EOS "
        "where a tokenizer has none), over their characters; less is better",
        "accuracy": "share of the problems whose written answer (greedy) is right; more is better",
        "loss": "−ln likelihood of the right answer per token, EOS included; less is better",
    }[metric]
    seeds = comparison.seeds
    return (
        f"{METRICS[metric].name}: {counted}\n"
        f"mean ± sample standard deviation over seeds {seeds[0]} to {seeds[-1]}; interval: 95 %, of the mean of the "
        "paired differences (Student's t); p as it is, not corrected for the number of contenders; seeds vary the "
        "order of the records and the start of A, not the test part"
    )


def at_edges(comparison: Comparison) -> list[str]:
    """Return a sentence for each contender whose best setting is at an end of a list of several."""
    found = []
    for contender in comparison.contenders:
        ends = []
        for name, value, tried in (
            ("learning rate", contender.learning_rate, comparison.learning_rates),
            ("alpha", contender.alpha, comparison.alphas),
        ):
            if value is not None and len(tried) > 1 and value in (min(tried), max(tried)):
                ends.append(f"the {'largest' if value == max(tried) else 'smallest'} {name}, {value:g}")
        if ends:
            found.append(f"{contender.name} was best with {' and '.join(ends)}: a longer list may have better ones")
    return found


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"
