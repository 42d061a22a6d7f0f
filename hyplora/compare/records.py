"""What a comparison returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embgeom.results import Record
from hyplora.compare.paired import PairedTest

__all__ = ["METRICS", "CellResult", "Comparison", "ContenderResult", "Difference", "Metric", "Score", "Setting"]


@dataclass(frozen=True)
class Metric:
    """How a number is called and written.

    Attributes
    ----------
    name, unit : str
        As in headings, and after a difference.
    digits : int
    factor : float
        By which it is multiplied to be written.
    rises : bool
        Whether more is better.
    """

    name: str
    unit: str
    digits: int
    factor: float = 1.0
    rises: bool = False


METRICS = {
    "bits_per_character": Metric("bits per character", "bits per character", 4),
    "accuracy": Metric("accuracy, %", "percentage points of accuracy", 1, factor=100.0, rises=True),
    "loss": Metric("loss, nats per token", "nats per token", 4),
}
"""By the names that results have."""


@dataclass(frozen=True)
class CellResult(Record):
    """One training and its scores, or the scores of the model without one; the content of a file in ``cells/``.

    Attributes
    ----------
    key : str
        SHA-256 of ``identity``, and the name of the file.
    identity : dict
        Everything that determines the numbers.
    scores : dict
        By names in :data:`METRICS`.
    curvature, relative_delta : float or None
        K at the start, and the relative δ that it was taken from where it was measured.
    curvatures : tuple of float or None
        The smallest and the largest K at the end.
    order, start : str or None
        Hashes of the records in the order in which they were learned from, and of A before the first step.
    seconds : float
    error : str or None
        Why there are no scores: the training's own fault, which would be the same the next time.
    """

    key: str
    identity: dict[str, Any] = field(repr=False)
    scores: dict[str, float]
    curvature: float | None = None
    relative_delta: float | None = None
    curvatures: tuple[float, float] | None = None
    order: str | None = None
    start: str | None = None
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Setting(Record):
    """A learning rate with an alpha, and the score on the tuning part; None where the training failed."""

    learning_rate: float
    alpha: float
    score: float | None
    error: str | None = None


@dataclass(frozen=True)
class Score(Record):
    """A metric over seeds: each value in the order of the seeds, mean, and sample standard deviation."""

    metric: str
    values: tuple[float, ...]
    mean: float
    sd: float


@dataclass(frozen=True)
class Difference(Record):
    """A metric of a contender minus that of the first one.

    Attributes
    ----------
    metric : str
    test : PairedTest
    p : float
        Of the t-test, or of the sign flips where all differences are the same, corrected by Holm's method for the
        number of contenders that are compared with the first.
    """

    metric: str
    test: PairedTest
    p: float


@dataclass(frozen=True)
class ContenderResult(Record):
    """A contender.

    Attributes
    ----------
    name, method : str
    parameters, geometry : int
        Trained numbers, and how many of them are K and norm scales.
    settings : tuple of Setting
        All that were tried.
    learning_rate, alpha : float or None
        Those chosen.
    curvatures : tuple of float or None
        The smallest and the largest K at the start, over seeds.
    end_curvatures : tuple of float or None
        The same at the end, over seeds and layers.
    scores : tuple of Score
        None where it failed.
    differences : tuple of Difference
        To the first contender.
    error : str or None
    """

    name: str
    method: str
    parameters: int
    geometry: int
    settings: tuple[Setting, ...] = field(repr=False)
    learning_rate: float | None = None
    alpha: float | None = None
    curvatures: tuple[float, float] | None = None
    end_curvatures: tuple[float, float] | None = None
    scores: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Comparison(Record):
    """All of it.

    Attributes
    ----------
    model, data : str
    held_out : str or None
    metrics : tuple of str
    tuned_on : str
        The metric that settings were chosen by.
    untrained : dict
        The scores of the model as it is.
    seeds : tuple of int
    learning_rates, alphas : tuple of float
    steps, batch, rank : int
    parts : dict
        Records to learn from, to tune on and to test on, characters of the test texts, and what was left out.
    contenders : tuple of ContenderResult
    seconds : float
        Of all cells together, whenever they were calculated.
    versions : dict
    """

    model: str
    data: str
    held_out: str | None
    metrics: tuple[str, ...]
    tuned_on: str
    untrained: dict[str, float]
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]
    alphas: tuple[float, ...]
    steps: int
    batch: int
    rank: int
    parts: dict[str, int]
    contenders: tuple[ContenderResult, ...] = field(repr=False)
    seconds: float
    versions: dict[str, str] = field(repr=False)

    @property
    def failures(self) -> tuple[ContenderResult, ...]:
        """The contenders that have no result."""
        return tuple(contender for contender in self.contenders if contender.error is not None)
