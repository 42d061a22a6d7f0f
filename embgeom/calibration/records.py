"""What is returned: the statistics, the same statistics under every null, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from embgeom.errors import OptionError, choose
from embgeom.results import Record
from embgeom.treelikeness.records import STATISTICS, TreeLikenessDistribution

__all__ = ["Calibration", "NullComparison", "StatisticCalibration", "Verdict"]


@dataclass(frozen=True)
class NullComparison(Record):
    """One statistic of the data beside that of one null: P clouds, each with R null clouds of its own.

    Attributes
    ----------
    null : str
    mean : float
        Over clouds and draws.
    sd : float
        Population standard deviation over the clouds, as that of the data; root mean square over the draws.
    draw_sd : float
        Standard deviation over the draws of one cloud; root mean square over the clouds.
    difference, difference_sd : float
        Of a cloud's value from the mean of its own draws, cloud by cloud: mean and population standard deviation.
    interval : tuple of two float, or None
        95 % interval of the mean difference over clouds like these (Student's t). None for one cloud. It takes clouds
        for independent, and is too narrow for prompts that share tokens.
    standardised : float or None
        ``difference``/``draw_sd``: by how many standard deviations of its null a cloud differs, on average. None where
        the draws are all alike.
    p_lower : float
        (1 + #{null mean ≤ data mean})/(1 + R), of the mean over all clouds and its R draws. Exact if the clouds are
        draws of the null, independent of each other.
    p_higher : float
        The same of null mean ≥ data mean. Both count ties.
    share_lower, share_higher : float
        Share of the clouds whose own p-value is at most the level; a true null has at most that share, on average.
    draw_means : tuple of float
        Mean over the clouds, draw by draw.
    means : tuple of float
        Mean over the draws, cloud by cloud.
    at_most, at_least : tuple of int
        How many of its draws are ≤, and ≥, each cloud's own value: its p-values are (1 + these)/(1 + R).
    """

    null: str
    mean: float
    sd: float
    draw_sd: float
    difference: float
    difference_sd: float
    interval: tuple[float, float] | None
    standardised: float | None
    p_lower: float
    p_higher: float
    share_lower: float
    share_higher: float
    draw_means: tuple[float, ...] = field(repr=False)
    means: tuple[float, ...] = field(repr=False)
    at_most: tuple[int, ...] = field(repr=False)
    at_least: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True)
class StatisticCalibration(Record):
    """One statistic: mean and population standard deviation over the clouds, and the nulls."""

    statistic: str
    mean: float
    sd: float
    nulls: tuple[NullComparison, ...]


@dataclass(frozen=True)
class Verdict(Record):
    """Against which nulls the data are more tree-like, or less, by mean q and pooled q alike.

    The p-value against a null is the larger of those of mean q and pooled q: both must differ. "Than all nulls" needs
    every null rejected, and then the largest p-value over the nulls is valid without correction (intersection–union
    test, Berger 1982); "than these nulls" is corrected over the nulls by Holm's method (1979). Each of the two
    directions is tested at the level.

    Attributes
    ----------
    more, less : tuple of str
        The nulls than which the data are more, or less, tree-like.
    undecided : tuple of str
        Those with p ≤ level before Holm's correction and not after, as happens with few draws.
    neither : tuple of str
        The rest: no more and no less tree-like, as far as can be seen.
    p_more, p_less : float
        Largest p-value over the nulls, of lower q and of higher q.
    sentence : str
    delta_sentence : str
        Of 2δ/diameter, which is not part of the verdict.
    """

    more: tuple[str, ...]
    less: tuple[str, ...]
    undecided: tuple[str, ...]
    neither: tuple[str, ...]
    p_more: float
    p_less: float
    sentence: str
    delta_sentence: str


@dataclass(frozen=True)
class Calibration(Record):
    """The statistics of tree-likeness beside what they are under matched nulls.

    Attributes
    ----------
    observed : TreeLikenessDistribution
        The data, with the value of every cloud.
    nulls : tuple of str
    draws : int
        Null clouds per cloud and null, R.
    level : float
    statistics : tuple of StatisticCalibration
        All of ``embgeom.treelikeness.STATISTICS``. Lower q is more tree-like. ``delta_over_sd`` and ``relative_delta``
        see norms and the concentration of distances as well as trees, and ``star_residual`` is about stars; none of
        these is a part of the verdict.
    verdict : Verdict
    histograms : tuple of tuple of int
        The δ-plot of each null, over all clouds and draws.
    unused_tokens : int
        Rows of the vocabulary whose tokens no text has. For prompts, nulls do not draw from them; random subsets of the
        vocabulary hold them.
    seed : int
    """

    observed: TreeLikenessDistribution
    nulls: tuple[str, ...]
    draws: int
    level: float
    statistics: tuple[StatisticCalibration, ...]
    verdict: Verdict
    histograms: tuple[tuple[int, ...], ...] = field(repr=False)
    unused_tokens: int
    seed: int

    def at(self, statistic: str, null: str) -> NullComparison:
        """Return one statistic beside one null; raise :class:`OptionError` if that was not drawn."""
        choose("statistic", statistic, STATISTICS)
        if null not in self.nulls:
            raise OptionError(f"null {null!r} was not drawn; there are: {', '.join(self.nulls)}")
        return self.statistics[STATISTICS.index(statistic)].nulls[self.nulls.index(null)]
