"""Relative δ over many clouds of token embeddings: the paper's figure over prompts, or subsets of a vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embgeom.delta import torch_blocks
from embgeom.delta.checks import require_at_least, require_four
from embgeom.delta.estimate import METHODS, hyperbolicity
from embgeom.delta.records import HyperbolicityDistribution, Witness
from embgeom.device import pick_device
from embgeom.embeddings import Embeddings
from embgeom.errors import CorpusError, OptionError, PointsError, choose
from embgeom.metric import METRICS, batched_distances
from embgeom.progress import OnProgress, progress_of
from embgeom.results import versions

if TYPE_CHECKING:
    import torch

    from embgeom.corpus import Corpus
    from embgeom.metric import Array

__all__ = ["prompt_hyperbolicity", "vocabulary_hyperbolicity"]

# Elements (prompts × tokens × tokens) of the largest batch of distance matrices: 64 MB in float64.
_BATCH = 8 * 2**20


@dataclass(frozen=True)
class _Values:
    """δ, diameter and witness (positions) of each cloud, in order; ``token_ids`` are the points of each."""

    delta: np.ndarray[Any, Any]
    diameter: np.ndarray[Any, Any]
    witness: np.ndarray[Any, Any]
    token_ids: Sequence[Sequence[int]]


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
    choose("method", method, METHODS)
    choose("metric", metric, METRICS)
    token_ids = _token_ids(embeddings, prompts)
    long_enough = [number for number, ids in enumerate(token_ids) if len(ids) >= 4]
    if not long_enough:
        raise CorpusError(
            f"none of the {len(token_ids)} prompts has 4 tokens or more; of fewer points δ is 0 by definition"
        )
    measured = [token_ids[number] for number in long_enough]
    rows, clouds = _rows_used(embeddings, measured)
    with progress_of(f"δ of {len(measured)} prompts", show=progress) as advance:
        where = pick_device(device)
        if method == "base" and base == "first":
            values = _fixed_base_prompts(rows.to(where), clouds, metric, advance)
        else:
            options = {"method": method, "metric": metric, "base": base, "quadruples": quadruples, "device": str(where)}
            values = _one_by_one((rows[ids] for ids in clouds), len(clouds), seed, options, advance)
    delta, diameter, witness = values
    keep = np.flatnonzero(diameter > 0)
    if not len(keep):
        raise CorpusError(f"each of the {len(token_ids)} prompts repeats one token: every diameter is 0")
    return _summary(
        _Values(delta[keep], diameter[keep], witness[keep], [measured[k] for k in keep]),
        embeddings,
        numbers=[long_enough[k] for k in keep],
        level="prompts",
        data=getattr(prompts, "name", None),
        left_out=len(token_ids) - len(keep),
        method=method,
        metric=metric,
        base=base,
        seed=seed if method == "sample" else None,
        device=str(where),
        provenance=_corpus_provenance(prompts),
    )


def vocabulary_hyperbolicity(
    embeddings: Embeddings | Array,
    *,
    points: int = 500,
    trials: int = 10,
    method: str = "exact",
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
    choose("method", method, METHODS)
    choose("metric", metric, METRICS)
    require_at_least("trials", trials, 1)
    require_four(points)
    matrix = _matrix(embeddings)
    if points > len(matrix):
        raise PointsError(f"{points} points were asked for and the vocabulary has {len(matrix)} tokens")
    generator = np.random.default_rng(seed)
    subsets = [np.sort(generator.choice(len(matrix), points, replace=False)) for _ in range(trials)]
    where = str(pick_device(device))
    options = {"method": method, "metric": metric, "base": base, "quadruples": quadruples, "device": where}
    with progress_of(f"δ of {trials} × {points} tokens", show=progress) as advance:
        clouds = (_finite_rows(matrix, subset) for subset in subsets)
        delta, diameter, witness = _one_by_one(clouds, trials, seed, options, advance)
    return _summary(
        _Values(delta, diameter, witness, [subset.tolist() for subset in subsets]),
        embeddings,
        numbers=list(range(trials)),
        level="vocabulary",
        data=None,
        left_out=0,
        method=method,
        metric=metric,
        base=base,
        seed=seed,
        device=where,
        provenance={},
    )


def _matrix(embeddings: Embeddings | Array) -> torch.Tensor:
    import torch

    matrix = embeddings.matrix if isinstance(embeddings, Embeddings) else torch.as_tensor(embeddings)
    if matrix.ndim != 2:
        raise PointsError(f"expected embeddings as a matrix (vocabulary, d), got shape {tuple(matrix.shape)}")
    return matrix


def _token_ids(
    embeddings: Embeddings | Array, prompts: Corpus | Sequence[str] | Sequence[Sequence[int]]
) -> list[list[int]]:
    listed = list(prompts)
    if not listed:
        raise CorpusError("there are no prompts")
    if not isinstance(listed[0], str):
        return [[int(token) for token in ids] for ids in listed]
    if not isinstance(embeddings, Embeddings):
        raise OptionError("texts need Embeddings with a tokenizer; with a bare matrix, give token ids")
    # Fast tokenizers may carry a truncation length of their own (MiniLM: 128); a prompt is measured whole.
    encoded = embeddings.tokenizer(listed, truncation=False, padding=False, verbose=False)["input_ids"]
    return [list(ids) for ids in encoded]


def _rows_used(
    embeddings: Embeddings | Array, token_ids: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, list[np.ndarray[Any, Any]]]:
    """Return the float64 rows of the token types that occur, and the prompts as indices into these rows."""
    matrix = _matrix(embeddings)
    types, inverse = np.unique(
        np.concatenate([np.asarray(ids, dtype=np.int64) for ids in token_ids]), return_inverse=True
    )
    if types[0] < 0 or types[-1] >= len(matrix):
        wrong = types[0] if types[0] < 0 else types[-1]
        raise PointsError(f"token id {wrong} has no row in the embedding matrix of {len(matrix)} tokens")
    ends = np.cumsum([len(ids) for ids in token_ids])[:-1]
    return _finite_rows(matrix, types), np.split(inverse, ends)


def _finite_rows(matrix: torch.Tensor, token_ids: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return rows in float64; the error of :func:`embgeom.metric.as_points` would not name the token."""
    import torch

    rows = matrix[torch.from_numpy(token_ids)].to(torch.float64)
    bad = (~rows.isfinite().all(1)).nonzero().flatten()
    if len(bad):
        first = int(token_ids[int(bad[0])])
        raise PointsError(
            f"{len(bad)} of {len(rows)} embeddings hold NaN or inf; the first is that of token id {first}"
        )
    return rows


def _one_by_one(
    clouds: Iterable[torch.Tensor], count: int, seed: int, options: dict[str, Any], on_progress: OnProgress
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return δ, diameter and witness of each cloud; a cloud of equal points has all of them 0."""
    delta, diameter, witness = np.zeros(count), np.zeros(count), np.zeros((count, 4), dtype=np.int64)
    for number, cloud in enumerate(clouds):
        if bool((cloud != cloud[0]).any()):
            result = hyperbolicity(cloud, seed=seed + number, **options)
            delta[number], diameter[number], witness[number] = result.delta, result.diameter, result.witness
        on_progress((number + 1) / count)
    return delta, diameter, witness


def _fixed_base_prompts(
    rows: torch.Tensor, clouds: Sequence[np.ndarray[Any, Any]], metric: str, on_progress: OnProgress
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Do the same for δ_p with the first token as base, in batches of prompts of similar length."""
    import torch

    count = len(clouds)
    delta, diameter, witness = np.zeros(count), np.zeros(count), np.zeros((count, 4), dtype=np.int64)
    total = sum(len(ids) ** 3 for ids in clouds)
    done = 0
    for batch in _batches([len(ids) for ids in clouds], rows.shape[1]):
        width = max(len(clouds[number]) for number in batch)
        # Padding with the base point changes neither δ_p nor the diameter: it only repeats a point.
        padded = np.stack([np.pad(clouds[n], (0, width - len(clouds[n])), constant_values=clouds[n][0]) for n in batch])
        distances = batched_distances(rows[torch.from_numpy(padded).to(rows.device)], metric=metric)
        two_delta, quadruples = torch_blocks.fixed_base_batch(distances)
        delta[batch] = two_delta.cpu().numpy() / 2
        diameter[batch] = distances.flatten(1).amax(1).cpu().numpy()
        witness[batch] = quadruples.cpu().numpy()
        done += sum(len(clouds[number]) ** 3 for number in batch)
        on_progress(done / total)
    return delta, diameter, witness


def _batches(lengths: Sequence[int], dimension: int) -> Iterator[list[int]]:
    """Yield groups of prompt numbers, longest first, such that neither distances nor rows exceed the batch size."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    start = 0
    while start < len(order):
        width = lengths[order[start]]
        size = max(1, _BATCH // (width * max(width, dimension)))
        yield order[start : start + size]
        start += size


def _summary(
    values: _Values,
    embeddings: Embeddings | Array,
    *,
    numbers: Sequence[int],
    level: str,
    data: str | None,
    left_out: int,
    method: str,
    metric: str,
    base: int | str,
    seed: int | None,
    device: str,
    provenance: dict[str, str | None],
) -> HyperbolicityDistribution:
    relative = 2 * values.delta / values.diameter
    top = int(relative.argmax())
    positions = tuple(int(point) for point in values.witness[top])
    ids = tuple(int(values.token_ids[top][point]) for point in positions)
    model = embeddings if isinstance(embeddings, Embeddings) else None
    if model is not None:
        provenance = {
            "revision": model.revision, "file": model.file, "tensor": model.tensor, "dtype": model.dtype, **provenance
        }  # fmt: skip
    return HyperbolicityDistribution(
        level=level,
        model=None if model is None else model.model,
        data=data,
        layer=None if model is None else model.layer,
        method=method,
        exact=method == "exact" or (method == "base" and base == "all"),
        metric=metric,
        base=str(base) if method == "base" else None,
        delta=float(values.delta.mean()),
        diameter=float(values.diameter.mean()),
        relative_delta=float(relative.mean()),
        relative_delta_sd=float(relative.std()),
        n=len(relative),
        left_out=left_out,
        points=float(np.mean([len(ids_) for ids_ in values.token_ids])),
        witness=Witness(numbers[top], positions, ids, _token_texts(model, ids), float(relative[top])),
        seed=seed,
        relative_deltas=tuple(float(value) for value in relative),
        provenance=provenance,
        device=device,
        versions=versions(),
    )


def _token_texts(model: Embeddings | None, ids: Sequence[int]) -> tuple[str, ...]:
    if model is None:
        return ()
    return tuple(str(token) for token in model.tokenizer.convert_ids_to_tokens(list(ids)))


def _corpus_provenance(prompts: Any) -> dict[str, str | None]:
    if not hasattr(prompts, "source"):
        return {}
    return {"source": prompts.source, "field": prompts.field, "split": prompts.split}
