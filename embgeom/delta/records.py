"""What the estimators return: δ with the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from embgeom.results import Record

__all__ = ["Hyperbolicity", "HyperbolicityDistribution", "QuadrupleSample", "Witness"]


@dataclass(frozen=True)
class QuadrupleSample(Record):
    """δ(quadruple) over quadruples drawn uniformly at random, of four distinct points each.

    Attributes
    ----------
    mean : float
        Unbiased estimate of the mean of δ over all quadruples.
    standard_deviation : float
        Of δ over the drawn quadruples.
    interval : tuple of two float
        Confidence interval of the mean, from the normal approximation.
    confidence : float
        Its level.
    histogram : tuple of int
        Counts in equal bins of δ from 0 to diameter/2.
    """

    mean: float
    standard_deviation: float
    interval: tuple[float, float]
    confidence: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Hyperbolicity(Record):
    """Gromov hyperbolicity of one finite metric space.

    Attributes
    ----------
    delta : float
        The value, in the units of the distances: (S1 − S2)/2 of the witness in float64.
    diameter : float
        The largest distance.
    relative_delta : float
        2 δ / diameter, in [0, 1] for a metric.
    method : {"exact", "bounds", "base", "sample"}
    exact : bool
        Whether ``delta`` is the four-point δ of the space; otherwise it is a lower bound of it.
    upper_bound : float or None
        The four-point δ is at most this: δ itself where exact, 2 δ_p for a fixed base, else diameter/2 or better. None
        where nothing is known, because the distances are no metric.
    certificate : str
        How the value, and the upper bound of ``bounds``, are known.
    witness : tuple of four int
        Indices of the points that attain it.
    points : int
        Number of points.
    work : dict
        What was looked at, in numbers, by name.
    metric : str or None
        None if distances were given.
    base : int or None
        The base point p where the method is ``base`` and one was taken.
    seed : int or None
        None where nothing was drawn.
    sample : QuadrupleSample or None
        The distribution over quadruples, where the method is ``sample``.
    device : str
    versions : dict
    """

    delta: float
    diameter: float
    relative_delta: float
    method: str
    exact: bool
    upper_bound: float | None
    certificate: str
    witness: tuple[int, int, int, int]
    points: int
    work: dict[str, int]
    metric: str | None
    base: int | None
    seed: int | None
    sample: QuadrupleSample | None
    device: str
    versions: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Witness(Record):
    """The quadruple behind the largest relative δ of a distribution.

    Attributes
    ----------
    cloud : int
        Which prompt or trial it is in, from 0.
    points : tuple of four int
        Positions in the prompt, or in the subset of a trial.
    token_ids : tuple of four int
    tokens : tuple of four str
        As the vocabulary writes them; empty where there is no tokenizer.
    relative_delta : float
        Of that prompt or trial.
    """

    cloud: int
    points: tuple[int, ...]
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    relative_delta: float


@dataclass(frozen=True)
class HyperbolicityDistribution(Record):
    """Relative δ over many clouds of token embeddings: the prompts of a corpus, or random subsets of a vocabulary.

    Attributes
    ----------
    level : {"prompts", "vocabulary"}
    model, data, layer : str or None
        What was measured; None where only arrays were given.
    method : {"exact", "bounds", "base", "sample"}
    exact : bool
        Whether the values are four-point δ, not lower bounds of it.
    metric : str
    base : str or None
        Which point was the base, where the method is ``base``.
    delta, diameter : float
        Means over the clouds.
    relative_delta, relative_delta_sd : float
        Mean and population standard deviation of 2 δ / diameter.
    relative_upper_bound : float or None
        Mean over the clouds of what 2 δ / diameter is at most; None where nothing is known.
    n : int
        Number of prompts or trials that the means are over.
    left_out : int
        Prompts of fewer than four tokens, or of one token repeated: δ is 0 there by definition and says nothing.
    points : float
        Points per cloud; for prompts, their mean number of tokens.
    witness : Witness
    seed : int or None
        None where nothing was drawn.
    relative_deltas : tuple of float
        The value of every cloud, in order.
    provenance : dict
        Revision, file, tensor and dtype of the model; source, field and split of the texts.
    device : str
    versions : dict
    """

    level: str
    model: str | None
    data: str | None
    layer: str | None
    method: str
    exact: bool
    metric: str
    base: str | None
    delta: float
    diameter: float
    relative_delta: float
    relative_delta_sd: float
    relative_upper_bound: float | None
    n: int
    left_out: int
    points: float
    witness: Witness
    seed: int | None
    relative_deltas: tuple[float, ...] = field(repr=False)
    provenance: dict[str, str | None] = field(repr=False)
    device: str
    versions: dict[str, str] = field(repr=False)
