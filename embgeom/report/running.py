"""The sweep: every cell once, stored as soon as it is measured, shared by the processes that ``torchrun`` starts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.cells import make_folder
from embgeom.errors import InputError
from embgeom.progress import progress_bar
from embgeom.report.jobs import Job, corpora_of, data_names, jobs_of, title_of
from embgeom.report.measure import measure_cell
from embgeom.report.options import SweepOptions
from embgeom.report.records import Cell, CellResult, Sweep
from embgeom.results import write_text

if TYPE_CHECKING:
    from embgeom.corpus import Corpus
    from embgeom.embeddings import Embeddings

__all__ = ["sweep"]

# How long a rank waits for the others, whose cells may be larger.
_PATIENCE = timedelta(days=7)


def sweep(
    models: Sequence[str] = ("demo",),
    data: Sequence[str] = ("demo",),
    *,
    output: str | PathLike[str],
    layers: Sequence[str] = ("input",),
    null: Sequence[str] = ("all",),
    null_draws: int | None = None,
    limit: int | None = None,
    field: str | None = None,
    data_root: str | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Sweep:
    """Measure every model on every corpus at every layer; what is stored in ``output`` already is not measured again.

    A cell is stored in ``output/cells/`` under the hash of everything that determines it: the model's files or commit,
    the layer, the texts, nulls, draws, seed, and versions. So a sweep that was stopped goes on where it was, and one
    with other options measures only what these change. A cell that fails, for whatever reason, has the reason as its
    ``error``, and is tried again the next time.

    Where torch.distributed is initialised, its ranks share the cells through ``output``, a folder that all of them
    see, and every rank returns all of them.

    Parameters
    ----------
    output : str or os.PathLike
        A folder; made if there is none.
    models, data, layers, null, null_draws, limit, field, data_root, seed
        As in :class:`SweepOptions`.
    progress : bool
        Show a bar over the cells on standard error.

    Raises
    ------
    OptionError
        For an unknown option, or a folder that cannot be written to.
    """
    options = SweepOptions(
        _listed(models), _listed(data), _listed(layers), _listed(null), null_draws, limit, field, data_root, seed
    )
    cells = make_folder(Path(output) / "cells")
    corpora, corpus_errors = corpora_of(options)
    jobs = jobs_of(options, corpora, corpus_errors)
    rank, size = _world()
    group = _patient_group(size)
    errors = {job.place: job.error for job in jobs if job.error is not None}
    loaded = _Loaded()
    computed = 0
    mine = jobs[rank::size]
    with progress_bar(len(mine), "cells", show=progress) as bar:
        for job in mine:
            bar.set_description(title_of(options, corpora, job))
            if job.error is None and _stored(cells, job) is None:
                try:
                    corpus = corpora[job.data]
                    assert corpus is not None
                    result = measure_cell(
                        options.models[job.model], corpus, identity=job.identity, key=job.key, load=loaded
                    )
                    write_text(cells / f"{job.key}.json", result.to_json() + "\n")
                    computed += 1
                except InputError as error:
                    errors[job.place] = " ".join(str(error).split())
                except Exception as error:  # hours of other cells are not to be lost to a fault in one
                    errors[job.place] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            bar.update()
    errors = _of_all_ranks(errors, size, group)
    return _gathered(options, corpora, jobs, errors, cells, computed)


def _listed(names: Sequence[str]) -> Any:
    """Return a tuple, but of a text, which is no list of its letters: it is left for the check to refuse."""
    return names if isinstance(names, str) else tuple(names)


class _Loaded:
    """The embeddings that were loaded last: a layer of a model is measured on one corpus after the other."""

    def __init__(self) -> None:
        self._named: tuple[str, str] | None = None
        self._embeddings: Embeddings | None = None

    def __call__(self, model: str, layer: str) -> Embeddings:
        from embgeom.embeddings import load_embeddings

        if self._embeddings is None or self._named != (model, layer):
            self._embeddings, self._named = load_embeddings(model, layer=layer), (model, layer)
        return self._embeddings


def _stored(cells: Path, job: Job) -> CellResult | None:
    """Return what is stored of a cell; None where there is nothing, or nothing that can be read."""
    with contextlib.suppress(InputError):
        result = CellResult.load(cells / f"{job.key}.json")
        if result.identity == job.identity:
            return result
    return None


def _world() -> tuple[int, int]:
    from embgeom.delta.gpu.sharded import world

    return world()


def _patient_group(size: int) -> Any:
    """Return a group of all ranks in which they wait longer for each other than they do by default."""
    if size == 1:
        return None
    import torch.distributed as dist

    return dist.new_group(backend="gloo", timeout=_PATIENCE)


def _of_all_ranks(errors: dict[tuple[int, int, int], str], size: int, group: Any) -> dict[tuple[int, int, int], str]:
    """Wait for the other ranks, and return the errors of all."""
    if size == 1:
        return errors
    import torch.distributed as dist

    found: list[Any] = [None] * size
    dist.all_gather_object(found, errors, group=group)
    return {place: text for own in found for place, text in own.items()}


def _gathered(
    options: SweepOptions,
    corpora: list[Corpus | None],
    jobs: list[Job],
    errors: dict[tuple[int, int, int], str],
    cells: Path,
    computed: int,
) -> Sweep:
    """Read all cells, and put them in the order of the tables."""
    from embgeom.cli import short_names

    named = short_names(options.models)
    models = tuple(named[name] for name in options.models)
    data = data_names(options.data, corpora)
    found = []
    for job in sorted(jobs, key=lambda job: job.place):
        reason = errors.get(job.place)
        result = None if reason else _stored(cells, job)
        if result is None and reason is None:
            reason = f"{cells / job.key}.json cannot be read; do all processes see the same folder? Run the sweep again"
        found.append(Cell(models[job.model], data[job.data], options.layers[job.layer], result, reason))
    nulls = dict.fromkeys(name for layer in options.layers for name in options.nulls_of(layer)[0])
    return Sweep(models, data, options.layers, tuple(nulls), options.seed, tuple(found), computed)
