"""The comparison: every cell once, stored as soon as it is known; settings chosen; contenders set beside the first."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path

from embgeom.cells import make_folder
from embgeom.errors import InputError, OptionError
from embgeom.progress import progress_bar
from hyplora.compare.bench import Bench, all_versions
from hyplora.compare.judging import choose_setting, contender_result, settings_of, with_differences
from hyplora.compare.options import CompareOptions, Contender
from hyplora.compare.records import CellResult, Comparison

__all__ = ["compare"]


def compare(
    options: CompareOptions,
    *,
    output: str | PathLike[str],
    progress: bool = False,
    on_cells: Callable[[int, int], object] = lambda stored, computed: None,
) -> Comparison:
    """Train and score every contender; what is stored in ``output`` already is not calculated again.

    First each setting (learning rate and alpha) of each contender is trained with a seed of its own and scored on the
    tuning part; then each contender, with its best setting, is trained with every seed and scored on the test part.
    Each of these is a cell, stored in ``output/cells/`` under the hash of everything that determines it: a comparison
    that was stopped goes on where it was, and changed options calculate only what they change.

    Parameters
    ----------
    options : CompareOptions
    output : path
        A folder; made if there is none.
    progress : bool
        Show a bar over the cells on standard error.
    on_cells : callable
        Called at the end with the number of cells that were there, and of those that were calculated.

    Returns
    -------
    Comparison
        A contender whose training failed has the reason as its ``error``.

    Raises
    ------
    InputError
        Model, data or options are at fault; the folder cannot be written to; or no contender could be trained.
    """
    from hyplora.evaluate.models import load_model
    from hyplora.train.base import third_party_advice

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise OptionError("a comparison runs in one process; start it without torchrun or accelerate launch")
    third_party_advice()
    cells = make_folder(Path(output) / "cells")
    bench = Bench.of(options, load_model(options.model), cells)
    options, material = bench.options, bench.material
    grid = [(rate, alpha) for rate in options.learning_rates for alpha in options.alphas or ()]
    total = 1 + len(options.contenders) * (len(grid) + options.seeds)
    with progress_bar(total, "cells", show=progress) as bar:

        def cell(title: str, work: Callable[[], CellResult]) -> CellResult:
            bar.set_description(title)
            result = work()
            bar.update()
            return result

        untrained = cell("no adapter", bench.untrained)
        if untrained.error is not None:
            raise InputError(f"{options.model} cannot be scored: {untrained.error}")
        bench.loaded = replace(bench.loaded, model=None)  # every training loads its own
        tuned = {
            each: settings_of(
                material.tuned_on,
                {
                    setting: cell(f"{each.name}, tuning", lambda e=each, s=setting: bench.tuning(e, *s))  # type: ignore[misc]
                    for setting in grid
                },
            )
            for each in options.contenders
        }
        chosen = {each: choose_setting(settings) for each, settings in tuned.items()}
        runs: dict[Contender, list[CellResult]] = {each: [] for each in options.contenders}
        for seed in options.all_seeds:
            for each, setting in chosen.items():
                if setting is None:
                    bar.update()
                    continue
                runs[each].append(
                    cell(
                        f"{each.name}, seed {seed}",
                        lambda e=each, s=setting, n=seed: bench.test(e, s.learning_rate, s.alpha, n),  # type: ignore[misc]
                    )
                )
    _check_pairs(runs)
    results = [
        contender_result(
            each, bench.budgets[each], tuned[each], chosen[each], runs[each], options.all_seeds, material.metrics
        )
        for each in options.contenders
    ]
    if all(result.error is not None for result in results):
        raise InputError(f"no contender could be trained; {results[0].name}: {results[0].error}")
    on_cells(bench.stored, bench.computed)
    return Comparison(
        model=options.model,
        data=material.name,
        held_out=material.held_out,
        metrics=material.metrics,
        tuned_on=material.tuned_on,
        untrained=untrained.scores,
        seeds=options.all_seeds,
        learning_rates=options.learning_rates,
        alphas=options.alphas or (),
        steps=options.steps,
        batch=options.batch,
        rank=options.rank,
        parts=material.counts,
        contenders=with_differences(results, material.metrics),
        seconds=bench.seconds,
        versions=all_versions(),
    )


def _check_pairs(runs: dict[Contender, list[CellResult]]) -> None:
    """Raise unless, by seed, all contenders had the same records in the same order, and started from the same A."""
    for name, what in (
        ("order", "learned from the records in different orders"),
        ("start", "started from different A"),
    ):
        for cells in zip(*(own for own in runs.values() if own), strict=True):
            if len({getattr(cell, name) for cell in cells if cell.error is None}) > 1:
                raise RuntimeError(f"the contenders {what}, so they are no pairs; this is a fault of the program")
