"""What the comparison with the nulls comes to, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from embgeom.calibration.records import NullComparison, StatisticCalibration, Verdict

__all__ = ["holm", "verdict_of"]

_Q = ("mean_q", "pooled_q")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number by the step-down method of Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda number: p_values[number])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, number in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = largest
    return adjusted


def verdict_of(
    statistics: Sequence[StatisticCalibration],
    nulls: Sequence[str],
    *,
    what: str,
    draws: int,
    level: float,
    sampled: bool = False,
) -> Verdict:
    """Return the verdict on ``what``, such as "200 prompts of gsm8k are".

    ``sampled`` says that quadruples were drawn, so that their largest 2δ is no more than a lower bound of that of all.
    """
    found = {entry.statistic: entry for entry in statistics}
    tested = [found[name] for name in _Q]
    p_lower = [max(entry.nulls[k].p_lower for entry in tested) for k in range(len(nulls))]
    p_higher = [max(entry.nulls[k].p_higher for entry in tested) for k in range(len(nulls))]
    more, unsure_more = _beaten(nulls, p_lower, level)
    less, unsure_less = _beaten(nulls, p_higher, level)
    undecided = tuple(name for name in nulls if name in (*unsure_more, *unsure_less))
    neither = tuple(name for name in nulls if name not in (*more, *less, *undecided))
    p_of = dict(zip(nulls, p_lower, strict=True))
    parts = []
    for names, word in ((more, "more"), (less, "less")):
        if names:
            parts.append(f"{word} tree-like than {_named(names, nulls)}")
    if neither:
        shown = ", ".join(f"{name} p = {p_of[name]:.2g}" for name in neither)
        some = f"any of the {len(nulls)} nulls" if len(neither) == len(nulls) > 1 else _named(neither, nulls)
        parts.append(f"no more tree-like than {some} ({shown})")
    if undecided:
        unsure = [
            f"{_listed(names)} ({side} q)" for names, side in ((unsure_more, "lower"), (unsure_less, "higher")) if names
        ]
        parts.append(
            f"undecided against {' and '.join(unsure)}: p ≤ {level:g}, but {draws} draws are too few to correct for "
            f"{len(nulls)} nulls"
        )
    values = "; ".join(_range(entry, name.replace("_", " ")) for entry, name in zip(tested, _Q, strict=True))
    largest = max(p_higher) if len(less) == len(nulls) else max(p_lower)
    against = " against each" if len(nulls) > 1 else ""
    ending = f"; p ≤ {largest:.2g}{against}" if len(nulls) in (len(more), len(less)) else ""
    caution = "" if "spectrum" in nulls else " Null spectrum was not drawn, and few dimensions alone lower q."
    return Verdict(
        more=more,
        less=less,
        undecided=undecided,
        neither=neither,
        p_more=max(p_lower),
        p_less=max(p_higher),
        sentence=f"The {what} {', '.join(parts)}. {values.capitalize()}{ending}.{caution}",
        delta_sentence=_delta_sentence(found["relative_delta"], level, sampled),
    )


def _beaten(nulls: Sequence[str], p_values: list[float], level: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the nulls that are rejected, and those that only the correction saves."""
    limit = level + 1e-12
    if max(p_values) <= limit:
        return tuple(nulls), ()
    adjusted = holm(p_values)
    rejected = tuple(name for name, p in zip(nulls, adjusted, strict=True) if p <= limit)
    saved = tuple(name for name, p in zip(nulls, p_values, strict=True) if p <= limit and name not in rejected)
    return rejected, saved


def _named(names: Sequence[str], nulls: Sequence[str]) -> str:
    if len(nulls) == 1:
        return f"null {names[0]}"
    if len(names) == len(nulls):
        count = "both" if len(nulls) == 2 else f"all {len(nulls)}"
        return f"{count} nulls ({', '.join(names)})"
    return _listed(names)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _range(entry: StatisticCalibration, title: str) -> str:
    means = sorted(null.mean for null in entry.nulls)
    span = f"{means[0]:.3f}" if len(means) == 1 else f"{means[0]:.3f} to {means[-1]:.3f}"
    return f"{title} {entry.mean:.3f} against {span}"


def _delta_sentence(entry: StatisticCalibration, level: float, sampled: bool) -> str:
    def of(p: str) -> list[NullComparison]:
        return [null for null in entry.nulls if getattr(null, p) <= level + 1e-12]

    lower, higher = of("p_lower"), of("p_higher")
    same = [null for null in entry.nulls if null not in lower and null not in higher]
    parts = [
        f"{word} {_listed([f'{null.null} ({null.mean:.3f})' for null in group])}"
        for word, group in (("below", lower), ("above", higher), ("not to be told from", same))
        if group
    ]
    return (
        f"2δ/diameter{' of the quadruples drawn' if sampled else ''}, {entry.mean:.3f}, is {', '.join(parts)}: it goes "
        "with how distances concentrate, and is no evidence for or against a tree."
    )
