"""The door: embeddings and counts in, the comparison of frequencies and norms out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.checks import require_whole
from embgeom.counts import TokenCounts, require_counts
from embgeom.embeddings import Embeddings
from embgeom.errors import CountsError, OptionError
from embgeom.norms.bins import frequency_bins, norm_bins, tenth_means
from embgeom.norms.measure import TokenNorms, token_norms
from embgeom.norms.ranks import rank_correlations
from embgeom.norms.records import ClassNorms, NormAnalysis, RankCorrelation
from embgeom.norms.unseen import never_seen
from embgeom.norms.verdict import verdict
from embgeom.progress import part, progress_of
from embgeom.results import versions
from embgeom.token_classes import CLASSES

if TYPE_CHECKING:
    from embgeom.metric import Array

__all__ = ["check_options", "frequency_norms"]

_BINS = (2, 1000)


def frequency_norms(
    embeddings: Embeddings | TokenNorms | Array,
    counts: TokenCounts,
    *,
    tokenizer: Any = None,
    bins: int = 20,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> NormAnalysis:
    """Compare how often tokens occur with the Euclidean norms of their embeddings.

    *Hyperbolic Fine-Tuning for Large Language Models* (arXiv 2410.04010) finds that frequent tokens have smaller norms.
    Here that is Spearman's ρ over token types, with a bootstrap interval, and the same within classes of tokens.

    Parameters
    ----------
    embeddings : Embeddings, TokenNorms, or array of shape (rows, d)
        Norms that :func:`token_norms` has measured serve several corpora.
    counts : TokenCounts
        Of :func:`embgeom.counts.token_counts`, with the tokenizer of the embeddings.
    tokenizer
        Of transformers; needed with an array.
    bins : int
        Bins by norm, from 2 to 1000.
    confidence : float
        Level of the intervals, between 0 and 1.
    resamples : int
        Of the bootstrap, which resamples token types (within a class, those of the class).
    seed : int
        Of the bootstrap.
    progress : bool
        Whether to draw bars on standard error.

    Raises
    ------
    CountsError
        If the counts are those of another tokenizer, or no token that was seen has an embedding.
    PointsError
        If the embeddings are no matrix, or that of a token holds NaN or inf.
    OptionError
        If an option makes no sense.

    Examples
    --------
    >>> import embgeom
    >>> from embgeom.counts import token_counts
    >>> embeddings = embgeom.load_embeddings("demo")
    >>> counts = token_counts(embgeom.load_texts("demo"), embeddings.tokenizer)
    >>> frequency_norms(embeddings, counts).correlation.rho < -0.4
    True
    """
    check_options(bins=bins, confidence=confidence, resamples=resamples, seed=seed)
    require_counts(counts)
    measured = embeddings
    if not isinstance(measured, TokenNorms):
        measured = token_norms(measured, tokenizer, progress=progress)
    if counts.vocabulary_size != measured.vocabulary_size:
        raise CountsError(
            f"the counts are those of a tokenizer with {counts.vocabulary_size} tokens, that of the embeddings has "
            f"{measured.vocabulary_size}; count with the model's own"
        )
    ids, norms = np.asarray(measured.token_ids), np.asarray(measured.norms)
    frequencies = counts.dense(max((ids.max(), counts.vocabulary_size - 1, *counts.token_ids[-1:])) + 1)[ids]
    seen = frequencies > 0
    if not seen.any():
        raise CountsError("none of the tokens that were seen has an embedding")
    # Special tokens that nobody counted are not unseen.
    uncounted = np.isin(ids, () if counts.special_tokens else counts.special_token_ids)
    unseen = ~seen & ~uncounted
    strata, present = _strata(np.asarray(measured.classes)[seen])
    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "rng": np.random.default_rng(seed)}
    f, x = frequencies[seen], norms[seen]
    with progress_of(f"resamples of {counts.data or 'the counts'}", show=progress) as on_progress:
        overall, _ = rank_correlations(f, x, np.zeros_like(strata), **options, on_progress=part(on_progress, 0, 0.5))
        within, each = rank_correlations(f, x, strata, **options, on_progress=part(on_progress, 0.5, 1))
    frequent, rare = tenth_means(f, x)
    return NormAnalysis(
        model=measured.model,
        data=counts.data,
        layer=measured.layer,
        sentence=verdict(overall, within, confidence=confidence, classes=len(present)),
        types=len(f),
        tokens=int(f.sum()),
        texts=counts.texts,
        special_tokens=counts.special_tokens,
        vocabulary=len(ids),
        rows_without_token=measured.rows_without_token,
        tokens_without_row=measured.tokens_without_row,
        left_out_types=counts.types - len(f),
        left_out_tokens=counts.total - int(f.sum()),
        correlation=overall,
        within_classes=within,
        mean_norm=float(x.mean()),
        frequent_mean_norm=frequent,
        rare_mean_norm=rare,
        classes=_classes(measured, frequencies, seen, unseen, dict(zip(present, each, strict=True))),
        norm_bins=norm_bins(f, x, bins),
        frequency_bins=frequency_bins(f, x, confidence),
        never_seen=never_seen(measured, unseen, seen),
        confidence=confidence,
        resamples=resamples,
        seed=int(seed),
        provenance={**measured.provenance, "tokenizer": counts.tokenizer, **counts.provenance},
        versions=versions(),
    )


def check_options(*, bins: int, confidence: float, resamples: int, seed: int) -> None:
    """Raise :class:`OptionError` for a value that makes no sense."""
    require_whole("bins", bins, *_BINS)
    require_whole("resamples", resamples, 1)
    require_whole("seed", seed, 0)
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, got {confidence!r}")


def _strata(classes: NDArray[np.str_]) -> tuple[NDArray[np.int64], list[str]]:
    """Number the classes that occur, in the order of :data:`CLASSES`."""
    present = [name for name in CLASSES if (classes == name).any()]
    number = {name: place for place, name in enumerate(present)}
    return np.array([number[name] for name in classes], np.int64), present


def _classes(
    measured: TokenNorms,
    frequencies: NDArray[np.int64],
    seen: NDArray[np.bool_],
    unseen: NDArray[np.bool_],
    correlations: dict[str, RankCorrelation],
) -> tuple[ClassNorms, ...]:
    norms, classes = np.asarray(measured.norms), np.asarray(measured.classes)
    nothing = RankCorrelation(None, None, 0, "no token type was seen")
    found = []
    for name in CLASSES:
        here, gone = (classes == name) & seen, (classes == name) & unseen
        if here.any() or gone.any():
            found.append(
                ClassNorms(
                    name=name,
                    types=int(here.sum()),
                    tokens=int(frequencies[here].sum()),
                    mean_norm=float(norms[here].mean()) if here.any() else None,
                    correlation=correlations.get(name, nothing),
                    never_seen=int(gone.sum()),
                    never_seen_mean_norm=float(norms[gone].mean()) if gone.any() else None,
                )
            )
    return tuple(found)
