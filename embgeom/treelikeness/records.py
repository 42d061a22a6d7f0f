"""What is returned: the statistics of one space, or of many clouds."""

from __future__ import annotations

from dataclasses import dataclass, field

from embgeom.results import Record

__all__ = ["STATISTICS", "Estimate", "Spread", "TokenFit", "TreeLikeness", "TreeLikenessDistribution"]

STATISTICS = ("mean_q", "pooled_q", "delta_over_sd", "star_residual", "relative_delta")
"""The names of the statistics, which both records have as fields; each is 0 for a tree, but for ``star_residual``."""


@dataclass(frozen=True)
class Estimate(Record):
    """A number; from a sample with its confidence interval, else exact and without one."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class TreeLikeness(Record):
    """How tree-like one finite metric space is.

    With S1 ≥ S2 ≥ S3 the three sums of opposite distances of a quadruple, 2δ(quadruple) = S1 − S2 and
    q = (S1 − S2)/(S1 − S3), in [0, 1]: 0 where the four points fit a tree (Holland, Huber, Dress, Moulton, *δ plots*,
    2002, who call it δ_q). q does not change when h_i + h_j is added to every d_ij: it looks past norms and hubs at the
    inner edges of the tree. A gap S1 − S2 below ``tolerance`` times the diameter is rounding, and its q is 0; so it is
    where S1 = S3, four points of a star, as Holland et al. have it.

    To read q: trees have 0, noise in many dimensions ½. But few dimensions lower it too (a line is a tree; normal noise
    in the plane has 0.31), and so do clusters; a cycle has 0.2, for all that its relative δ is 1. So a low q is
    evidence of a tree only below that of nulls of the same effective dimension (:mod:`embgeom.nulls`, ``spectrum``
    above all), and beside the other statistics. Means over quadruples do not grow with the number of points, as a
    maximum does: that of random subsets is, on average, that of the whole.

    Attributes
    ----------
    mean_q : Estimate
        Mean of q over the quadruples, Holland's mean δ.
    pooled_q : Estimate
        Mean of S1 − S2 over mean of S1 − S3. Quadruples with a long inner edge weigh more, so that the many that are
        nearly stars, whose q is noise, do not drown them.
    delta_over_sd : Estimate
        Mean of 2δ(quadruple) over the standard deviation of the distances; unlike the diameter, that shrinks when
        distances concentrate. A star with long and short rays has a low one, too.
    star_residual : Estimate
        Share of the variance of the distances that the best star d_ij ≈ h_i + h_j leaves (least squares); always over
        all pairs. Near 0 the space is a star, a tree with no inner edge, and q is about little.
    relative_delta : Estimate
        Largest 2δ of the same quadruples over the diameter: of a sample, a lower bound. It carries no interval.
    histogram : tuple of int
        The δ-plot: quadruples in equal bins of q over [0, 1].
    point_q : tuple of (float or None)
        Mean q of the quadruples that hold each point; None for a point in none that was drawn.
    point_quadruples : tuple of int
        How many these are.
    points : int
    quadruples : int
        Looked at.
    diameter, distance_sd : float
        Largest distance, and population standard deviation of the distances, in their unit.
    method : {"exact", "sample"}
        All quadruples, or some drawn at random.
    confidence : float or None
        Level of the intervals, where there are any.
    tolerance : float
        Share of the diameter below which a gap counts as rounding.
    metric : str or None
        None if distances were given.
    seed : int or None
        None where nothing was drawn.
    versions : dict
    """

    mean_q: Estimate
    pooled_q: Estimate
    delta_over_sd: Estimate
    star_residual: Estimate
    relative_delta: Estimate
    histogram: tuple[int, ...] = field(repr=False)
    point_q: tuple[float | None, ...] = field(repr=False)
    point_quadruples: tuple[int, ...] = field(repr=False)
    points: int
    quadruples: int
    diameter: float
    distance_sd: float
    method: str
    confidence: float | None
    tolerance: float
    metric: str | None
    seed: int | None
    versions: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Spread(Record):
    """A statistic over many clouds: mean and population standard deviation, and the value of every cloud, in order."""

    mean: float
    sd: float
    values: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True)
class TokenFit(Record):
    """How well a token fits the trees that it is in.

    Attributes
    ----------
    token_id : int
    token : str
        As the vocabulary writes it; empty where there is no tokenizer.
    q : float
        Mean over the clouds of its mean q in them.
    clouds : int
        In how many it is.
    """

    token_id: int
    token: str
    q: float
    clouds: int


@dataclass(frozen=True)
class TreeLikenessDistribution(Record):
    """How tree-like many clouds of token embeddings are: the prompts of a corpus, or random subsets of a vocabulary.

    Attributes
    ----------
    level : {"prompts", "vocabulary"}
    model, data, layer : str or None
        What was measured; None where only arrays were given.
    mean_q, pooled_q, delta_over_sd, star_residual, relative_delta : Spread
        As in :class:`TreeLikeness`, one value per cloud.
    histogram : tuple of int
        The δ-plot of all clouds together.
    token_fits : tuple of TokenFit
        Every token type that occurs, the worst fit first.
    clouds : tuple of int
        Number of the prompt or trial that each value is of, from 0.
    n : int
        How many they are.
    left_out : int
        Prompts of fewer than four (distinct) tokens, and clouds of equal points.
    points : float
        Mean number of points per cloud.
    repeats : bool
        Whether a token that a prompt repeats is a point each time. Quadruples with such a pair have q = 0.
    sampled : int
        In how many of the clouds quadruples were drawn, because they are too many.
    tolerance : float
        Share of the diameter below which a gap counts as rounding.
    metric : str
    seed : int or None
        None where nothing was drawn.
    provenance : dict
        Revision, file, tensor and dtype of the model; source, field and split of the texts.
    versions : dict
    """

    level: str
    model: str | None
    data: str | None
    layer: str | None
    mean_q: Spread
    pooled_q: Spread
    delta_over_sd: Spread
    star_residual: Spread
    relative_delta: Spread
    histogram: tuple[int, ...] = field(repr=False)
    token_fits: tuple[TokenFit, ...] = field(repr=False)
    clouds: tuple[int, ...] = field(repr=False)
    n: int
    left_out: int
    points: float
    repeats: bool
    sampled: int
    tolerance: float
    metric: str
    seed: int | None
    provenance: dict[str, str | None] = field(repr=False)
    versions: dict[str, str] = field(repr=False)
