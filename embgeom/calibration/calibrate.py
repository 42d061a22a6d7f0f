"""The doors: the prompts of a corpus, or random subsets of a vocabulary, beside their nulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.calibration.checks import check_calibration, choose_nulls
from embgeom.calibration.compare import compared, run_nulls
from embgeom.calibration.records import Calibration, StatisticCalibration
from embgeom.calibration.unused import unused_tokens
from embgeom.calibration.verdict import verdict_of
from embgeom.delta.rows import matrix_of, rows_used, token_ids_of
from embgeom.nulls import Vocabulary
from embgeom.nulls.models import FROM_VOCABULARY
from embgeom.progress import progress_of
from embgeom.treelikeness.clouds import distinct_of, prompt_tree_likeness, vocabulary_tree_likeness
from embgeom.treelikeness.records import STATISTICS, TreeLikenessDistribution

if TYPE_CHECKING:
    from embgeom.corpus import Corpus
    from embgeom.embeddings import Embeddings
    from embgeom.metric import Array

__all__ = ["calibrate_prompts", "calibrate_vocabulary"]


def calibrate_prompts(
    embeddings: Embeddings | Array,
    prompts: Corpus | Sequence[str] | Sequence[Sequence[int]],
    *,
    nulls: str | Sequence[str] = "all",
    draws: int = 19,
    level: float = 0.05,
    repeats: bool = False,
    metric: str = "euclidean",
    quadruples: int = 1_000_000,
    seed: int = 0,
    progress: bool = False,
) -> Calibration:
    """Return the tree-likeness of a corpus' prompts beside that of null clouds, and what the comparison comes to.

    Each prompt has its own ``draws`` null clouds of every null, of as many points, and is compared with them. The
    p-value of the corpus compares the mean over its prompts with that of ``draws`` whole corpora of null clouds. It is
    about these prompts: null clouds are independent of each other, while prompts share tokens.

    Parameters
    ----------
    embeddings, prompts, repeats, metric, quadruples
        As for :func:`embgeom.prompt_tree_likeness`.
    nulls : "all", str or sequence of str
        Names in ``embgeom.nulls.NULLS``. ``gaussian`` and ``vocabulary`` draw from the vocabulary, less
        :func:`unused_tokens`.
    draws : int
        Null clouds per prompt and null. With 19 the least p-value is 0.05, enough for a verdict against all nulls; to
        say against which of k nulls takes k/level − 1, 99 for all five.
    level : float
        Of the verdict, for each direction.
    seed : int
        Of the nulls, and of the quadruples where these are drawn.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    CorpusError, PointsError
        As for :func:`embgeom.prompt_tree_likeness`, and if the vocabulary is not finite or too small for a null.
    OptionError
        For an unknown null or metric, or draws too few for the level.
    """
    names = choose_nulls(nulls, level="prompts")
    check_calibration(draws=draws, level=level)
    observed = prompt_tree_likeness(
        embeddings, prompts, repeats=repeats, metric=metric, quadruples=quadruples, seed=seed, progress=progress
    )
    token_ids = token_ids_of(embeddings, prompts)
    clouds = [token_ids[number] if repeats else distinct_of(token_ids[number]) for number in observed.clouds]
    return _calibrate(observed, embeddings, clouds, names, draws, level, quadruples, seed, progress)


def calibrate_vocabulary(
    embeddings: Embeddings | Array,
    *,
    nulls: str | Sequence[str] = "all",
    draws: int = 19,
    level: float = 0.05,
    points: int = 400,
    trials: int = 10,
    metric: str = "euclidean",
    quadruples: int = 1_000_000,
    seed: int = 0,
    progress: bool = False,
) -> Calibration:
    """Return the tree-likeness of random subsets of a vocabulary beside that of null clouds.

    Parameters
    ----------
    embeddings, points, trials, metric, quadruples
        As for :func:`embgeom.vocabulary_tree_likeness`. Subsets are of the whole vocabulary, and ``gaussian`` has its
        moments. Where there are :func:`unused_tokens`, a part of the difference is theirs: for MiniLM, whose subsets of
        400 have a pooled q of 0.38 with them and 0.42 without, where nulls have 0.45 to 0.48, nearly half.
    nulls : "all", str or sequence of str
        Not ``vocabulary``, of which the subsets are draws.
    draws, level, seed, progress
        As for :func:`calibrate_prompts`.

    Raises
    ------
    PointsError
        As for :func:`embgeom.vocabulary_tree_likeness`.
    OptionError
        For an unknown null or metric, or draws too few for the level.
    """
    names = choose_nulls(nulls, level="vocabulary")
    check_calibration(draws=draws, level=level)
    observed = vocabulary_tree_likeness(
        embeddings, points=points, trials=trials, metric=metric, quadruples=quadruples, seed=seed, progress=progress
    )
    generator = np.random.default_rng(seed)
    subsets = [generator.choice(len(matrix_of(embeddings)), points, replace=False) for _ in range(trials)]
    clouds = [subsets[number] for number in observed.clouds]
    return _calibrate(observed, embeddings, clouds, names, draws, level, quadruples, seed, progress)


def _calibrate(
    observed: TreeLikenessDistribution,
    embeddings: Embeddings | Array,
    clouds: list[NDArray[np.int64]],
    nulls: tuple[str, ...],
    draws: int,
    level: float,
    quadruples: int,
    seed: int,
    progress: bool,
) -> Calibration:
    matrix = matrix_of(embeddings)
    vocabulary, unused = None, unused_tokens(embeddings)
    with progress_of(f"{draws} draws of {len(nulls)} nulls of {observed.n} {_unit(observed)}", show=progress) as bar:
        if set(nulls) & set(FROM_VOCABULARY):
            kept = np.setdiff1d(np.arange(len(matrix)), unused if observed.level == "prompts" else [])
            vocabulary = Vocabulary(matrix[kept] if len(kept) < len(matrix) else matrix)
        rows, indices = rows_used(matrix, clouds, metric=observed.metric)
        data = np.array([getattr(observed, name).values for name in STATISTICS])
        sums = run_nulls(
            rows.cpu().numpy(),
            indices,
            data,
            nulls=nulls,
            draws=draws,
            vocabulary=vocabulary,
            metric=observed.metric,
            quadruples=quadruples,
            seed=seed,
            on_progress=bar,
        )
    statistics = tuple(
        StatisticCalibration(
            name,
            getattr(observed, name).mean,
            getattr(observed, name).sd,
            tuple(
                compared(null, own, place, data[place], draws=draws, level=level)
                for null, own in zip(nulls, sums, strict=True)
            ),
        )
        for place, name in enumerate(STATISTICS)
    )
    return Calibration(
        observed=observed,
        nulls=nulls,
        draws=draws,
        level=level,
        statistics=statistics,
        verdict=verdict_of(
            statistics, nulls, what=_what(observed), draws=draws, level=level, sampled=observed.sampled > 0
        ),
        histograms=tuple(tuple(own.histogram.tolist()) for own in sums),
        unused_tokens=len(unused),
        seed=seed,
    )


def _unit(observed: TreeLikenessDistribution) -> str:
    return "prompts" if observed.level == "prompts" else "subsets"


def _what(observed: TreeLikenessDistribution) -> str:
    """Return subject and verb."""
    kind = "prompt" if observed.level == "prompts" else "random subset"
    of = f" of {observed.data}" if observed.data else ""
    if observed.level == "vocabulary":
        of = f" of {observed.points:.0f} tokens"
    return f"{kind}{of} is" if observed.n == 1 else f"{observed.n} {kind}s{of} are"
