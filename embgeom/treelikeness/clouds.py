"""Tree-likeness over many clouds of token embeddings: the prompts of a corpus, or random subsets of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom import provenance
from embgeom.delta.checks import require_at_least, require_four
from embgeom.delta.rows import matrix_of, rows_used, token_ids_of
from embgeom.embeddings import Embeddings
from embgeom.errors import CorpusError, ModelError, PointsError
from embgeom.progress import progress_of
from embgeom.results import versions
from embgeom.treelikeness.batch import CloudValues, measure_clouds
from embgeom.treelikeness.estimate import TOLERANCE, check_tree_options
from embgeom.treelikeness.prepare import prepare
from embgeom.treelikeness.records import STATISTICS, Spread, TokenFit, TreeLikenessDistribution

if TYPE_CHECKING:
    from embgeom.corpus import Corpus
    from embgeom.metric import Array

__all__ = ["distinct_of", "prompt_tree_likeness", "vocabulary_tree_likeness"]


def prompt_tree_likeness(
    embeddings: Embeddings | Array,
    prompts: Corpus | Sequence[str] | Sequence[Sequence[int]],
    *,
    repeats: bool = False,
    metric: str = "euclidean",
    quadruples: int = 1_000_000,
    seed: int = 0,
    progress: bool = False,
) -> TreeLikenessDistribution:
    """Return how tree-like the prompts of a corpus are: every statistic as mean ± standard deviation over the prompts.

    Each prompt is the cloud of the embeddings of its distinct tokens, special tokens included.

    Parameters
    ----------
    embeddings : Embeddings or array, shape (vocabulary, d)
    prompts : Corpus, texts, or token ids
        As for :func:`embgeom.prompt_hyperbolicity`.
    repeats : bool
        Take a token that a prompt repeats for a point each time, as *Hyperbolic Fine-Tuning for Large Language Models*
        does. Quadruples with such a pair have q = 0, so that a prompt looks the more like a tree the more it repeats.
    metric : {"euclidean", "angular", "cosine"}
    quadruples : int
        How many to draw in prompts of more than 200 points; of all others every quadruple is looked at.
    seed : int
        Of these.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    CorpusError
        If there are no prompts, or none with four (distinct) tokens that are not all the same point.
    PointsError
        If the embedding of a token that occurs is not finite.
    OptionError
        For an unknown metric.
    """
    check_tree_options(method="auto", metric=metric, quadruples=quadruples, seed=seed)
    token_ids = token_ids_of(embeddings, prompts)
    points = token_ids if repeats else [distinct_of(ids) for ids in token_ids]
    kind = "tokens" if repeats else "distinct tokens"
    large_enough = np.flatnonzero([len(ids) >= 4 for ids in points])
    if not len(large_enough):
        raise CorpusError(
            f"none of the {len(points)} prompts has 4 {kind} or more; q is about four points, and not defined for fewer"
        )
    clouds = [points[number] for number in large_enough]
    values, offsets = _measure(embeddings, clouds, metric, quadruples, seed, f"q of {len(clouds)} prompts", progress)
    if not (values.diameter > 0).any():
        raise CorpusError(f"in each of the {len(clouds)} prompts all points are equal: every diameter is 0")
    return _summary(
        values,
        offsets,
        embeddings,
        clouds,
        numbers=large_enough,
        total=len(points),
        level="prompts",
        data=getattr(prompts, "name", None),
        repeats=repeats,
        metric=metric,
        seed=seed if values.sampled.any() else None,
        provenance=provenance.of_embeddings(embeddings) | provenance.of_texts(prompts),
    )


def vocabulary_tree_likeness(
    embeddings: Embeddings | Array,
    *,
    points: int = 400,
    trials: int = 10,
    metric: str = "euclidean",
    quadruples: int = 1_000_000,
    seed: int = 0,
    progress: bool = False,
) -> TreeLikenessDistribution:
    """Return how tree-like random subsets of a vocabulary are: mean ± standard deviation over the trials.

    Parameters
    ----------
    embeddings : Embeddings or array, shape (vocabulary, d)
    points : int
        Tokens per trial, drawn without replacement.
    trials : int
    metric, quadruples, progress
        As for :func:`prompt_tree_likeness`.
    seed : int
        Of the subsets, which are those of :func:`embgeom.vocabulary_hyperbolicity`, and of the quadruples.

    Raises
    ------
    PointsError
        For fewer than four points, more than the vocabulary has, or embeddings that are not finite.
    OptionError
        For an unknown metric.
    """
    check_tree_options(method="auto", metric=metric, quadruples=quadruples, seed=seed)
    require_at_least("trials", trials, 1)
    require_at_least("points", points, 0)
    require_four(points)
    size = len(matrix_of(embeddings))
    if points > size:
        raise PointsError(f"{points} points were asked for and the vocabulary has {size} tokens")
    generator = np.random.default_rng(seed)
    subsets = [generator.choice(size, points, replace=False) for _ in range(trials)]
    title = f"q of {trials} × {points} tokens"
    values, offsets = _measure(embeddings, subsets, metric, quadruples, seed, title, progress)
    if not (values.diameter > 0).any():
        raise PointsError(f"in each of the {trials} trials all {points} points are equal: every diameter is 0")
    return _summary(
        values,
        offsets,
        embeddings,
        subsets,
        numbers=np.arange(trials),
        total=trials,
        level="vocabulary",
        data=None,
        repeats=False,
        metric=metric,
        seed=seed,
        provenance=provenance.of_embeddings(embeddings),
    )


def distinct_of(token_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct token ids in the order of their first occurrence."""
    return token_ids[np.sort(np.unique(token_ids, return_index=True)[1])]


def _measure(
    embeddings: Embeddings | Array,
    clouds: Sequence[NDArray[np.int64]],
    metric: str,
    quadruples: int,
    seed: int,
    title: str,
    progress: bool,
) -> tuple[CloudValues, NDArray[np.int64]]:
    """Return the statistics of the clouds, and where each begins among all points."""
    prepare(show=progress)
    rows, indices = rows_used(matrix_of(embeddings), clouds, metric=metric)
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in clouds])])
    with progress_of(title, show=progress) as advance:
        values = measure_clouds(
            rows.cpu().numpy(),
            np.concatenate(indices),
            offsets,
            metric=metric,
            quadruples=quadruples,
            seed=seed,
            on_progress=advance,
        )
    return values, offsets


def _summary(
    values: CloudValues,
    offsets: NDArray[np.int64],
    embeddings: Embeddings | Array,
    clouds: Sequence[NDArray[np.int64]],
    *,
    numbers: NDArray[np.int64],
    total: int,
    **known: Any,
) -> TreeLikenessDistribution:
    measured = np.flatnonzero(values.diameter > 0)
    lengths = np.diff(offsets)
    spreads: dict[str, Any] = {}
    for name in STATISTICS:
        own = values.statistics[name][measured]
        spreads[name] = Spread(float(own.mean()), float(own.std()), tuple(own.tolist()))
    model = embeddings if isinstance(embeddings, Embeddings) else None
    return TreeLikenessDistribution(
        **spreads,
        model=None if model is None else model.model,
        layer=None if model is None else model.layer,
        histogram=tuple(values.histogram[measured].sum(axis=0).tolist()),
        token_fits=_token_fits(np.repeat(values.diameter > 0, lengths), np.concatenate(clouds), values.point_q, model),
        clouds=tuple(numbers[measured].tolist()),
        n=len(measured),
        left_out=total - len(measured),
        points=float(lengths[measured].mean()),
        sampled=int(values.sampled[measured].sum()),
        tolerance=TOLERANCE,
        versions=versions(),
        **known,
    )


def _token_fits(
    measured: NDArray[np.bool_], ids: NDArray[np.int64], point_q: NDArray[np.float64], model: Embeddings | None
) -> tuple[TokenFit, ...]:
    """Return the mean q of every token type over its occurrences in the clouds that were measured, worst first."""
    known = measured & ~np.isnan(point_q)
    types, inverse, counts = np.unique(ids[known], return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=point_q[known]) / counts
    order = np.lexsort((types, -means))
    try:
        texts = [""] * len(types) if model is None else model.tokenizer.convert_ids_to_tokens(types[order].tolist())
    except ModelError:  # a vocabulary needs no tokenizer
        texts = [""] * len(types)
    return tuple(
        TokenFit(int(types[i]), str(text), float(means[i]), int(counts[i]))
        for i, text in zip(order, texts, strict=True)
    )
