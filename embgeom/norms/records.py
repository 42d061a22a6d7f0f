"""What the comparison of frequencies and norms returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embgeom.results import Record

__all__ = ["ClassNorms", "FrequencyBin", "NeverSeen", "NormAnalysis", "NormBin", "RankCorrelation", "TokenNorm"]


@dataclass(frozen=True)
class RankCorrelation(Record):
    """Spearman's ρ between frequency and norm over token types.

    Attributes
    ----------
    rho : float or None
        In [−1, 1]; equal values share their mean rank. None where it is not defined.
    interval : tuple of two float, or None
        Percentile bootstrap over token types. None where ρ is, or where there are too few types.
    types : int
        The token types it is over.
    reason : str or None
        Why ρ, or its interval, is None.
    """

    rho: float | None
    interval: tuple[float, float] | None
    types: int
    reason: str | None


@dataclass(frozen=True)
class ClassNorms(Record):
    """One class of tokens.

    Attributes
    ----------
    name : str
        One of :data:`embgeom.token_classes.CLASSES`.
    types, tokens : int
        Token types of it that were seen, and how often all of them together.
    mean_norm : float or None
        Of the types that were seen; None where there are none.
    correlation : RankCorrelation
        Within the class.
    never_seen : int
        Token types of it that were not seen.
    never_seen_mean_norm : float or None
    """

    name: str
    types: int
    tokens: int
    mean_norm: float | None
    correlation: RankCorrelation
    never_seen: int
    never_seen_mean_norm: float | None


@dataclass(frozen=True)
class NormBin(Record):
    """The token types whose norm is in [low, high); of the last bin, in [low, high].

    Attributes
    ----------
    low, high : float
    types : int
    mean_frequency : float or None
        None in an empty bin.
    """

    low: float
    high: float
    types: int
    mean_frequency: float | None


@dataclass(frozen=True)
class FrequencyBin(Record):
    """The token types that occur ``low`` to ``high`` times, both included.

    Attributes
    ----------
    low, high : int
        2^k and 2^(k+1) − 1.
    types : int
    mean_frequency, mean_norm : float or None
        None in an empty bin.
    interval : tuple of two float, or None
        Confidence interval of the mean norm, from Student's t; None for fewer than two types.
    spread : tuple of two float, or None
        The norms below and above which a tenth of the types lie each.
    """

    low: int
    high: int
    types: int
    mean_frequency: float | None
    mean_norm: float | None
    interval: tuple[float, float] | None
    spread: tuple[float, float] | None


@dataclass(frozen=True)
class TokenNorm(Record):
    """A token and its norm.

    Attributes
    ----------
    token_id : int
    token : str
        As the vocabulary writes it.
    token_class : str
    norm : float
    """

    token_id: int
    token: str
    token_class: str
    norm: float


@dataclass(frozen=True)
class NeverSeen(Record):
    """The tokens of the vocabulary that do not occur in the texts.

    Among them are the under-trained tokens, if the texts resemble what the model was trained on; most of them, where
    the texts are few, are merely rare.

    Attributes
    ----------
    types : int
    mean_norm, least_norm, largest_norm : float or None
        None where every token was seen.
    share_below_seen : float or None
        The probability that a never-seen token has a smaller norm than a seen one, both drawn at random (equal norms
        count half): ½ where the two do not differ.
    smallest, largest : tuple of TokenNorm
        Up to ten tokens, the most extreme first.
    """

    types: int
    mean_norm: float | None
    least_norm: float | None
    largest_norm: float | None
    share_below_seen: float | None
    smallest: tuple[TokenNorm, ...]
    largest: tuple[TokenNorm, ...]


@dataclass(frozen=True)
class NormAnalysis(Record):
    """How often tokens occur in texts against the Euclidean norm of their embeddings.

    Attributes
    ----------
    model, data, layer : str or None
        What was measured; None where only arrays were given.
    sentence : str
        Whether frequent tokens have smaller norms here, in words.
    types, tokens, texts : int
        Token types that were seen and have an embedding, how often all of them together, in how many texts.
    special_tokens : bool
        Whether the special tokens that the tokenizer adds to each text were counted.
    vocabulary : int
        Tokens that have an embedding.
    rows_without_token : int
        Rows of the matrix that no token has (padding); left out everywhere.
    tokens_without_row : int
        Tokens that have no row of the matrix; left out everywhere.
    left_out_types, left_out_tokens : int
        Those of them that were seen, and how often.
    correlation : RankCorrelation
        Over all types that were seen.
    within_classes : RankCorrelation
        Adjusted for the class: Pearson's correlation of the ranks within each class, divided by its size, about
        their mean there. What differs between the classes is no part of it.
    mean_norm : float
        Over the types that were seen, each once.
    frequent_mean_norm, rare_mean_norm : float
        The same over the most frequent and over the rarest tenth of them; where a tenth ends among equally frequent
        types, these count with their mean.
    classes : tuple of ClassNorms
        Those that the vocabulary has.
    norm_bins : tuple of NormBin
        Of equal width, but for the first and last, which reach to the smallest and largest norm.
    frequency_bins : tuple of FrequencyBin
        Octaves: 1, 2–3, 4–7, …
    never_seen : NeverSeen
    confidence : float
        The level of every interval.
    resamples, seed : int
        Of the bootstrap.
    provenance : dict
        Of the embeddings and of the counts.
    versions : dict
    """

    model: str | None
    data: str | None
    layer: str | None
    sentence: str
    types: int
    tokens: int
    texts: int
    special_tokens: bool
    vocabulary: int
    rows_without_token: int
    tokens_without_row: int
    left_out_types: int
    left_out_tokens: int
    correlation: RankCorrelation
    within_classes: RankCorrelation
    mean_norm: float
    frequent_mean_norm: float
    rare_mean_norm: float
    classes: tuple[ClassNorms, ...]
    norm_bins: tuple[NormBin, ...] = field(repr=False)
    frequency_bins: tuple[FrequencyBin, ...] = field(repr=False)
    never_seen: NeverSeen
    confidence: float
    resamples: int
    seed: int
    provenance: dict[str, Any] = field(repr=False)
    versions: dict[str, str] = field(repr=False)
