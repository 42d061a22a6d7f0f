"""Relative δ over many clouds of token embeddings: the paper's figure over prompts, or subsets of a vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom import provenance
from embgeom.delta import engine
from embgeom.delta.checks import check_options, require_at_least, require_four
from embgeom.delta.estimate import hyperbolicity
from embgeom.delta.records import HyperbolicityDistribution, Witness
from embgeom.delta.rows import matrix_of, rows_of, rows_used, token_ids_of
from embgeom.device import pick_device
from embgeom.embeddings import Embeddings
from embgeom.errors import CorpusError, EqualPointsError, ModelError, PointsError
from embgeom.progress import OnProgress, part, progress_of
from embgeom.results import versions

if TYPE_CHECKING:
    import torch

    from embgeom.corpus import Corpus
    from embgeom.metric import Array

__all__ = ["prompt_hyperbolicity", "vocabulary_hyperbolicity"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Values:
    """δ, what it is at most (NaN if unknown), diameter and witness (positions) of each cloud, in order."""

    delta: Numbers
    upper: Numbers
    diameter: Numbers
    witness: NDArray[np.int64]
    exact: bool
    method: str

    def of(self, keep: NDArray[np.int64]) -> _Values:
        return replace(
            self,
            delta=self.delta[keep],
            upper=self.upper[keep],
            diameter=self.diameter[keep],
            witness=self.witness[keep],
        )


def prompt_hyperbolicity(
    embeddings: Embeddings | Array,
    prompts: Corpus | Sequence[str] | Sequence[Sequence[int]],
    *,
    method: str = "base",
    metric: str = "euclidean",
    base: int | str = "first",
    quadruples: int = 100_000,
    seed: int = 0,
    device: str | None = None,
    progress: bool = False,
) -> HyperbolicityDistribution:
    """Return relative δ over the prompts of a corpus: mean ± standard deviation of 2 δ / diameter.

    Each prompt is the cloud of the embeddings of its tokens, in order, special tokens and repetitions included. With
    the default ``method="base"`` and ``base="first"`` this is the figure of *Hyperbolic Fine-Tuning for Large Language
    Models* (arXiv 2410.04010): δ_p with the first token as base point.

    Parameters
    ----------
    embeddings : Embeddings or array, shape (vocabulary, d)
    prompts : Corpus, texts, or token ids
        Texts need ``embeddings`` with a tokenizer, whose own special tokens are added; nothing is cut off.
    method, metric, base, quadruples, seed, device
        As for :func:`embgeom.hyperbolicity`, for every prompt.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    CorpusError
        If there are no prompts, or none with four tokens that are not all the same.
    PointsError
        If the embedding of a token that occurs is not finite.
    OptionError
        For an unknown option.
    """
    check_options(method=method, metric=metric, base=base, seed=seed)
    token_ids = token_ids_of(embeddings, prompts)
    long_enough = np.flatnonzero([len(ids) >= 4 for ids in token_ids])
    if not len(long_enough):
        raise CorpusError(
            f"none of the {len(token_ids)} prompts has 4 tokens or more; of fewer points δ is 0 by definition"
        )
    where = pick_device(device)
    engine.prepare(where, show=progress)
    rows, clouds = rows_used(matrix_of(embeddings), [token_ids[number] for number in long_enough], metric=metric)
    exact = method in ("exact", "auto") or (method == "base" and base == "all")
    with progress_of(f"δ of {len(clouds)} prompts", show=progress) as advance:
        if exact or (method == "base" and base == "first"):
            found = engine.prompts(rows.to(where), clouds, metric=metric, exact=exact, on_progress=advance)
            values = _of_prompts(found, metric, exact)
        else:
            options = {"method": method, "metric": metric, "base": base, "quadruples": quadruples, "device": str(where)}
            values = _one_by_one((rows[ids] for ids in clouds), len(clouds), seed, options, advance)
    measured = np.flatnonzero(values.diameter > 0)
    if not len(measured):
        raise CorpusError(f"in each of the {len(clouds)} prompts all points are equal: every diameter is 0")
    return _summary(
        values.of(measured),
        embeddings,
        long_enough[measured],
        token_ids,
        level="prompts",
        data=getattr(prompts, "name", None),
        left_out=len(token_ids) - len(measured),
        method="exact" if method == "auto" else method,
        metric=metric,
        base=str(base) if method == "base" else None,
        seed=seed if method in ("sample", "bounds") else None,
        device=str(where),
        provenance=provenance.of_embeddings(embeddings) | provenance.of_texts(prompts),
    )


def vocabulary_hyperbolicity(
    embeddings: Embeddings | Array,
    *,
    points: int = 500,
    trials: int = 10,
    method: str = "auto",
    metric: str = "euclidean",
    base: int | str = "first",
    quadruples: int = 1_000_000,
    seed: int = 0,
    device: str | None = None,
    progress: bool = False,
) -> HyperbolicityDistribution:
    """Return relative δ over random subsets of a vocabulary: mean ± standard deviation over the trials.

    δ and 2 δ / diameter grow with the number of points, so that only figures of equal ``points`` compare.

    Parameters
    ----------
    embeddings : Embeddings or array, shape (vocabulary, d)
    points : int
        Tokens per trial, drawn without replacement.
    trials : int
    method, metric, base, quadruples, device
        As for :func:`embgeom.hyperbolicity`, for every trial.
    seed : int
        Of the subsets, and of the quadruples that method ``sample`` draws.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    PointsError
        For fewer than four points, more than the vocabulary has, or embeddings that are not finite.
    OptionError
        For an unknown option.
    """
    check_options(method=method, metric=metric, base=base, seed=seed)
    require_at_least("trials", trials, 1)
    require_at_least("points", points, 0)
    require_four(points)
    matrix = matrix_of(embeddings)
    if points > len(matrix):
        raise PointsError(f"{points} points were asked for and the vocabulary has {len(matrix)} tokens")
    where = pick_device(device)
    engine.prepare(where, show=progress)
    generator = np.random.default_rng(seed)
    # In random order, so that the first of them, the base point by default, is a random token too.
    subsets = [generator.choice(len(matrix), points, replace=False) for _ in range(trials)]
    options = {"method": method, "metric": metric, "base": base, "quadruples": quadruples, "device": str(where)}
    with progress_of(f"δ of {trials} × {points} tokens", show=progress) as advance:
        clouds = (rows_of(matrix, subset, metric=metric) for subset in subsets)
        values = _one_by_one(clouds, trials, seed, options, advance)
    measured = np.flatnonzero(values.diameter > 0)
    if not len(measured):
        raise PointsError(f"in each of the {trials} trials all {points} points are equal: every diameter is 0")
    return _summary(
        values.of(measured),
        embeddings,
        measured,
        subsets,
        level="vocabulary",
        data=None,
        left_out=trials - len(measured),
        method=values.method,
        metric=metric,
        base=str(base) if method == "base" else None,
        seed=seed,
        device=str(where),
        provenance=provenance.of_embeddings(embeddings),
    )


def _of_prompts(found: engine.Prompts, metric: str, exact: bool) -> _Values:
    delta = found.two_delta / 2
    if exact:
        upper = delta
    elif metric == "cosine":
        upper = np.full_like(delta, np.nan)
    else:
        upper = np.minimum(2 * delta, found.diameter / 2)
    return _Values(delta, upper, found.diameter, found.witness, exact, "exact" if exact else "base")


def _one_by_one(
    clouds: Iterable[torch.Tensor], count: int, seed: int, options: dict[str, Any], on_progress: OnProgress
) -> _Values:
    """Measure each cloud; one of equal points has δ and diameter 0.

    The seed of each is its own, spawned from the common one.
    """
    delta, upper, diameter = np.zeros((3, count))
    values = _Values(delta, upper, diameter, np.zeros((count, 4), dtype=np.int64), False, options["method"])
    seeds = np.random.SeedSequence(seed).generate_state(count)
    for number, cloud in enumerate(clouds):
        advance = part(on_progress, number / count, (number + 1) / count)
        try:
            result = hyperbolicity(cloud, seed=int(seeds[number]), on_progress=advance, **options)
        except EqualPointsError:
            continue
        values.delta[number], values.diameter[number] = result.delta, result.diameter
        values.upper[number] = np.nan if result.upper_bound is None else result.upper_bound
        values.witness[number] = result.witness
        values = replace(values, exact=result.exact, method=result.method)
        advance(1)
    return values


def _summary(
    values: _Values,
    embeddings: Embeddings | Array,
    numbers: NDArray[np.int64],
    token_ids: Sequence[NDArray[np.int64]],
    **known: Any,
) -> HyperbolicityDistribution:
    """Put the values of the clouds ``numbers`` together; ``token_ids`` are the points of every cloud."""
    relative = 2 * values.delta / values.diameter
    top = int(relative.argmax())
    cloud = int(numbers[top])
    ids = [int(token_ids[cloud][point]) for point in values.witness[top]]
    model = embeddings if isinstance(embeddings, Embeddings) else None
    upper = float((2 * values.upper / values.diameter).mean())
    return HyperbolicityDistribution(
        model=None if model is None else model.model,
        layer=None if model is None else model.layer,
        exact=values.exact,
        delta=float(values.delta.mean()),
        diameter=float(values.diameter.mean()),
        relative_delta=float(relative.mean()),
        relative_delta_sd=float(relative.std()),
        relative_upper_bound=None if np.isnan(upper) else upper,
        n=len(relative),
        points=float(np.mean([len(token_ids[number]) for number in numbers])),
        witness=Witness(
            cloud, tuple(values.witness[top].tolist()), tuple(ids), _token_texts(model, ids), float(relative[top])
        ),
        relative_deltas=tuple(relative.tolist()),
        versions=versions(),
        **known,
    )


def _token_texts(model: Embeddings | None, ids: list[int]) -> tuple[str, ...]:
    """Return the tokens as the vocabulary writes them; none where there is no tokenizer: a vocabulary needs none."""
    try:
        return () if model is None else tuple(map(str, model.tokenizer.convert_ids_to_tokens(ids)))
    except ModelError:
        return ()
