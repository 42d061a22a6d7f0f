"""What the measures of hierarchy return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embgeom.results import Record

__all__ = [
    "DigitNorms",
    "DigitRow",
    "GroupRow",
    "GroupStatistics",
    "LeftOut",
    "MatchedControl",
    "MonteCarlo",
    "PairNorms",
    "PairTest",
    "SignTest",
    "Spread",
    "Trend",
    "WordNorm",
]


@dataclass(frozen=True)
class Spread(Record):
    """Mean, smallest and largest of some values: the paper's mean [min ~ max]."""

    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class WordNorm(Record):
    """One word that is a single token.

    Attributes
    ----------
    word : str
    token_id : int
    token : str
        As the vocabulary writes it.
    frequency : int or None
        Occurrences of the token in the corpus; None without counts.
    norm : float
        ‖e‖, Euclidean.
    """

    word: str
    token_id: int
    token: str
    frequency: int | None
    norm: float


@dataclass(frozen=True)
class LeftOut(Record):
    """A word that is no single token, and the pieces that the tokenizer makes of it."""

    word: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class GroupRow(Record):
    """One group of words.

    Attributes
    ----------
    name : str
    words : tuple of WordNorm
    left_out : tuple of LeftOut
    frequency, norm : Spread or None
        Over ``words``; None where there is no word, or there are no counts.
    """

    name: str
    words: tuple[WordNorm, ...]
    left_out: tuple[LeftOut, ...]
    frequency: Spread | None
    norm: Spread | None


@dataclass(frozen=True)
class Trend(Record):
    """Jonckheere–Terpstra test of whether values rise, or fall, with the place of their group.

    Attributes
    ----------
    tau : float
        Kendall's τ_b between place and value: 1 would be rising without exception (but for ties), −1 falling.
    p_value : float
        Two-sided, by permutation of the values over the places.
    words, groups : int
        How many took part.
    permutations : int
        How many were looked at.
    exact : bool
        Whether these are all there are; otherwise they are drawn at random.
    """

    tau: float
    p_value: float
    words: int
    groups: int
    permutations: int
    exact: bool

    @property
    def direction(self) -> int:
        """1 where the values rise, −1 where they fall, 0 where neither can be told, i.e. p > 0.05 or τ = 0."""
        return 0 if self.p_value > 0.05 else (self.tau > 0) - (self.tau < 0)


@dataclass(frozen=True)
class GroupStatistics(Record):
    """Frequency and norm of groups of words.

    Attributes
    ----------
    groups : tuple of GroupRow
        In the order that the trend is tested in.
    norm_trend, frequency_trend : Trend or None
        None where fewer than two groups have words, all values are equal, or there are no counts.
    model, layer, data : str or None
    seed : int
        Of the permutations.
    provenance : dict
    """

    groups: tuple[GroupRow, ...]
    norm_trend: Trend | None
    frequency_trend: Trend | None
    model: str
    layer: str
    data: str | None
    seed: int
    provenance: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class DigitRow(Record):
    """The numbers of so many digits that are single tokens.

    Attributes
    ----------
    digits : {1, 2, 3}
    form : {"any", "after a space", "without a space"}
        ``any`` where the tokenizer has one token for both.
    of : int
        How many such numbers there are: 10 (0–9), 90 (10–99), 900 (100–999).
    numbers : tuple of int
        Those that are single tokens.
    norms : tuple of float
        ‖e‖ of each.
    norm : Spread or None
        Over ``norms``; None where there are none.
    """

    digits: int
    form: str
    of: int
    numbers: tuple[int, ...] = field(repr=False)
    norms: tuple[float, ...] = field(repr=False)
    norm: Spread | None


@dataclass(frozen=True)
class DigitNorms(Record):
    """Norms of numbers by digits.

    Attributes
    ----------
    rows : tuple of DigitRow
        1, 2 and 3 digits, for each form.
    multi_digit : bool
        Whether any number of two or three digits is a single token. Llama 2, for one, has none.
    model, layer : str
    provenance : dict
    """

    rows: tuple[DigitRow, ...]
    multi_digit: bool
    model: str
    layer: str
    provenance: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class PairNorms(Record):
    """One pair whose words are both single tokens; frequencies are None without counts."""

    general: str
    specific: str
    general_norm: float
    specific_norm: float
    general_frequency: int | None
    specific_frequency: int | None


@dataclass(frozen=True)
class SignTest(Record):
    """How many of ``n`` are smaller, with the exact binomial test against one half; ties are not among the ``n``.

    Attributes
    ----------
    n, smaller, ties : int
    share : float or None
        smaller / n; None for n = 0.
    interval : tuple of two float, or None
        95 % Clopper–Pearson interval of the share.
    p_value : float or None
        Exact, two-sided.
    """

    n: int
    smaller: int
    ties: int
    share: float | None
    interval: tuple[float, float] | None
    p_value: float | None


@dataclass(frozen=True)
class MonteCarlo(Record):
    """A statistic beside its distribution over random replicates.

    Attributes
    ----------
    observed, expected : float
        Its value, and its mean over the replicates.
    interval : tuple of two float
        2.5 % and 97.5 % quantiles of the replicates.
    p_value : float
        Two-sided: twice the smaller tail, the observed value counted in.
    """

    observed: float
    expected: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True)
class MatchedControl(Record):
    """The pairs beside random words of the same frequencies.

    Attributes
    ----------
    pairs : int
        Those whose two words occur in the corpus and have enough stand-ins.
    share : MonteCarlo
        The share with ‖general‖ < ‖specific‖ (ties count one half).
    difference : MonteCarlo
        The mean of ‖general‖ − ‖specific‖.
    general_more_frequent : float
        The share of these pairs whose general word is the more frequent one.
    stand_ins : Spread
        How many there are to draw from, over the words.
    ratio : float
        The frequency of a stand-in is that of its word, up to this factor.
    replicates : int
    """

    pairs: int
    share: MonteCarlo
    difference: MonteCarlo
    general_more_frequent: float
    stand_ins: Spread
    ratio: float
    replicates: int


@dataclass(frozen=True)
class PairTest(Record):
    """General words against specific ones.

    Attributes
    ----------
    pairs : tuple of PairNorms
        Those whose words are both single tokens.
    left_out : tuple of (str, str)
        Those that are not.
    split : tuple of LeftOut
        The words that are no single tokens.
    by_pair : SignTest
        Over the pairs, as if they were independent.
    by_hypernym : SignTest
        Over the general words: one counts as smaller if it is in more than half of its pairs (half of them: a tie).
    unseen : int or None
        Pairs, of ``pairs``, with a word that does not occur in the corpus; None without counts.
    matched : MatchedControl or None
        None without counts, and where no pair can be matched.
    model, layer, data : str or None
    seed : int
        Of the stand-ins.
    provenance : dict
    """

    pairs: tuple[PairNorms, ...] = field(repr=False)
    left_out: tuple[tuple[str, str], ...] = field(repr=False)
    split: tuple[LeftOut, ...] = field(repr=False)
    by_pair: SignTest
    by_hypernym: SignTest
    unseen: int | None
    matched: MatchedControl | None
    model: str
    layer: str
    data: str | None
    seed: int
    provenance: dict[str, Any] = field(repr=False)
