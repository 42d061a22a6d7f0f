"""What a training came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from embgeom.results import Record

__all__ = ["TrainingSummary"]


@dataclass(frozen=True)
class TrainingSummary(Record):
    """A finished training.

    Attributes
    ----------
    output : str
        The folder of the adapter.
    model, data, method : str
    revision : str or None
        The commit of the model on the Hub.
    rank : int
    parameters : int
        Numbers that were trained.
    steps : int
    epochs : float
    records, validation_records : int
        Learned from, and held out.
    truncated, cut_off, skipped : int
        Records that lost their end to the cut-off; that were left out because it left nothing of their completion; and
        that could not be used.
    tokens : int
        Learned tokens in one pass over the data.
    train_loss : float
        Mean over the last log interval, in nats per token.
    validation_loss : float or None
        Mean over the batches, in nats per token.
    curvature, relative_delta : float or None
        K at the start, and the relative δ that it was taken from.
    curvatures : dict
        K of every layer at the end.
    gains : dict
        Mean gain of every layer at the end, on a few records: what HypLoRA multiplies LoRA's output by.
    processes : int
    precision : str
    seconds : float
        Since the last start.
    resumed_from : int or None
        The step at which that was.
    seed : int
    versions : dict
    contamination : tuple of str
        What the training data have in common with test sets, in lines; contamination.json has the places.
    """

    output: str
    model: str
    revision: str | None
    data: str
    method: str
    rank: int
    parameters: int
    steps: int
    epochs: float
    records: int
    validation_records: int
    truncated: int
    cut_off: int
    skipped: int
    tokens: int
    train_loss: float
    validation_loss: float | None
    curvature: float | None
    relative_delta: float | None
    curvatures: dict[str, float] = field(repr=False)
    gains: dict[str, float] = field(repr=False)
    processes: int
    precision: str
    seconds: float
    resumed_from: int | None
    seed: int
    versions: dict[str, str] = field(repr=False)
    contamination: tuple[str, ...] = ()

    @property
    def curvature_range(self) -> tuple[float, float] | None:
        """The smallest and the largest K at the end; None for methods without one."""
        return (min(self.curvatures.values()), max(self.curvatures.values())) if self.curvatures else None
