"""From cells to results: which setting is best, scores over seeds, differences to the first contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from hyplora.compare.options import Contender
from hyplora.compare.paired import holm, paired_test
from hyplora.compare.records import METRICS, CellResult, ContenderResult, Difference, Score, Setting

__all__ = ["choose_setting", "contender_result", "settings_of", "with_differences"]


def settings_of(metric: str, cells: Mapping[tuple[float, float], CellResult]) -> tuple[Setting, ...]:
    """Return the settings that were tried, with their scores."""
    return tuple(Setting(rate, alpha, cell.scores.get(metric), cell.error) for (rate, alpha), cell in cells.items())


def choose_setting(settings: Sequence[Setting]) -> Setting | None:
    """Return the setting with the least score, the first of equals; None if all failed."""
    scored = [(setting.score, number) for number, setting in enumerate(settings) if setting.score is not None]
    return settings[min(scored)[1]] if scored else None


def contender_result(
    contender: Contender,
    budget: tuple[int, int],
    settings: tuple[Setting, ...],
    chosen: Setting | None,
    cells: Sequence[CellResult],
    seeds: Sequence[int],
    metrics: Sequence[str],
) -> ContenderResult:
    """Return a contender's result, not yet compared; ``cells`` are in the order of the seeds."""
    result = ContenderResult(contender.name, contender.method, *budget, settings)
    if chosen is None:
        return replace(result, error=f"no setting could be trained; the first: {settings[0].error}")
    result = replace(result, learning_rate=chosen.learning_rate, alpha=chosen.alpha)
    for seed, cell in zip(seeds, cells, strict=True):
        if cell.error is not None:
            return replace(result, error=f"seed {seed}: {cell.error}")
    starts = [cell.curvature for cell in cells if cell.curvature is not None]
    ends = [K for cell in cells for K in cell.curvatures or ()]
    return replace(
        result,
        curvatures=(min(starts), max(starts)) if starts else None,
        end_curvatures=(min(ends), max(ends)) if ends else None,
        scores=tuple(_score(metric, [cell.scores[metric] for cell in cells]) for metric in metrics),
    )


def with_differences(results: Sequence[ContenderResult], metrics: Sequence[str]) -> tuple[ContenderResult, ...]:
    """Return the results, those after the first with their differences to it, where both have scores."""
    first, *others = results
    compared = [other for other in others if other.error is None and first.error is None]
    found: dict[str, list[Difference]] = {other.name: [] for other in compared}
    for place, metric in enumerate(metrics):
        tests = [
            paired_test([a - b for a, b in zip(other.scores[place].values, first.scores[place].values, strict=True)])
            for other in compared
        ]
        corrected = holm([test.p_flips if test.p_t is None else test.p_t for test in tests])
        for other, test, p in zip(compared, tests, corrected, strict=True):
            found[other.name].append(Difference(metric, test, p))
    return tuple(replace(result, differences=tuple(found.get(result.name, ()))) for result in results)


def _score(metric: str, values: Sequence[float]) -> Score:
    assert metric in METRICS
    return Score(metric, tuple(values), fmean(values), stdev(values))
