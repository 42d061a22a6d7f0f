"""The cells that are to be measured, in the order of the work, with what is wrong with some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embgeom.cells import key_of, model_identity
from embgeom.errors import InputError
from embgeom.report.identity import cell_identity, corpus_identity
from embgeom.report.measure import options_of
from embgeom.report.options import SweepOptions

if TYPE_CHECKING:
    from embgeom.corpus import Corpus

__all__ = ["Job", "corpora_of", "data_names", "jobs_of", "title_of"]


@dataclass(frozen=True)
class Job:
    """A cell to be measured: places in the lists of models, corpora and layers, and what is known of them."""

    model: int
    data: int
    layer: int
    identity: dict[str, Any]
    error: str | None

    @property
    def key(self) -> str:
        """The name of its file."""
        return key_of(self.identity)

    @property
    def place(self) -> tuple[int, int, int]:
        """Model, corpus, layer: the order of the tables."""
        return self.model, self.data, self.layer


def corpora_of(options: SweepOptions) -> tuple[list[Corpus | None], list[str | None]]:
    """Return the texts of every data set, or None, and the error of those that have none."""
    from embgeom.corpus import load_texts

    corpora: list[Corpus | None] = []
    errors: list[str | None] = []
    for name in options.data:
        corpus, problem = None, None
        try:
            corpus = load_texts(name, field=options.field, limit=options.limit, data_root=options.data_root)
        except InputError as error:
            problem = " ".join(str(error).split())
        corpora.append(corpus)
        errors.append(problem)
    return corpora, errors


def jobs_of(options: SweepOptions, corpora: list[Corpus | None], corpus_errors: list[str | None]) -> list[Job]:
    """Return the cells in the order of the work: by layer first, so that ranks get some of each kind."""
    known: list[dict[str, Any] | None] = []
    model_errors: list[str | None] = []
    for name in options.models:
        identity, problem = None, None
        try:
            identity = model_identity(name)
        except InputError as error:
            problem = " ".join(str(error).split())
        except OSError as error:  # a folder that may not be listed
            problem = f"model {name!r}: {error.strerror or error}"
        known.append(identity)
        model_errors.append(problem)
    texts = [None if corpus is None else corpus_identity(corpus) for corpus in corpora]
    jobs = []
    for layer, layer_name in enumerate(options.layers):
        own = options_of(layer_name, *options.nulls_of(layer_name), options.seed)
        for model, model_known in enumerate(known):
            for data, text in enumerate(texts):
                reason = model_errors[model] or corpus_errors[data]
                cell = {} if reason else cell_identity(model_known or {}, text or {}, own)
                jobs.append(Job(model, data, layer, cell, reason))
    return jobs


def title_of(options: SweepOptions, corpora: list[Corpus | None], job: Job) -> str:
    """Return what the progress bar calls a cell."""
    from embgeom.plots.common import model_name, shortened

    corpus = corpora[job.data]
    names = model_name(options.models[job.model]), corpus.name if corpus else options.data[job.data]
    return " · ".join([*(shortened(name, 24) for name in names), options.layers[job.layer]])


def data_names(asked: Sequence[str], corpora: list[Corpus | None]) -> tuple[str, ...]:
    """Return what to call the data sets: by their short names, unless two would be called the same."""
    short = [name if corpus is None else corpus.name for name, corpus in zip(asked, corpora, strict=True)]
    return tuple(own if short.count(own) == 1 else name for own, name in zip(short, asked, strict=True))
