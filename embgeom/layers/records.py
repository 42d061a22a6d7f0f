"""What is returned: every statistic at every layer, with its nulls."""

from __future__ import annotations

from dataclasses import dataclass, field

from embgeom.embeddings.scale import EmbeddingScale
from embgeom.errors import OptionError, choose
from embgeom.results import Record
from embgeom.treelikeness.records import STATISTICS, Spread

__all__ = ["LAYER_STATISTICS", "LayerMeasure", "LayerProfile", "LayerStatistic", "NullBand"]

LAYER_STATISTICS = (*STATISTICS, "fixed_base")
"""Those of :mod:`embgeom.treelikeness`, and 2δ_p/diameter with the first token as base point p."""


@dataclass(frozen=True)
class NullBand(Record):
    """What a statistic is in the null clouds of the same prompts at the same layer.

    Attributes
    ----------
    null : str
    mean : float
        Over the prompts and the draws.
    sd : float
        Population standard deviation over the prompts of each prompt's mean over its draws.
    difference, difference_sd : float
        Of the prompts' own values from these, pair by pair: mean and population standard deviation. The mean has a
        standard error of difference_sd/√n.
    below : float
        Share of the prompts whose own value is below the mean of its draws.
    """

    null: str
    mean: float
    sd: float
    difference: float
    difference_sd: float
    below: float


@dataclass(frozen=True)
class LayerStatistic(Record):
    """One statistic at one layer.

    Attributes
    ----------
    name : str
        One of ``LAYER_STATISTICS``.
    spread : Spread
        Mean and population standard deviation over the prompts, and the value of every prompt, in order.
    nulls : tuple of NullBand
    """

    name: str
    spread: Spread
    nulls: tuple[NullBand, ...]


@dataclass(frozen=True)
class LayerMeasure(Record):
    """One layer.

    Attributes
    ----------
    layer : int
        0 is what enters the first block, K what leaves block K.
    statistics : tuple of LayerStatistic
    prompts : tuple of int
        Number of the prompt that each value is of, from 0.
    diameter : float
        Mean over the prompts, in the unit of the hidden states.
    """

    layer: int
    statistics: tuple[LayerStatistic, ...]
    prompts: tuple[int, ...] = field(repr=False)
    diameter: float


@dataclass(frozen=True)
class LayerProfile(Record):
    """How tree-like the prompts of a corpus are, layer by layer.

    Attributes
    ----------
    model, data : str or None
        ``data`` is None where bare texts were given.
    measures : tuple of LayerMeasure
        One per layer, in the order asked for.
    depth : int
        Number of blocks, L.
    last_is_normed : bool or None
        Whether layer L comes after the model's final norm, which the layers before it do not; None if unknown.
    scale : EmbeddingScale
        What the model does to its input embeddings to get layer 0.
    nulls : tuple of str
    null_draws : int
        Null clouds per prompt, layer and null.
    n : int
        Prompts that were measured.
    left_out : int
        Prompts of fewer than four (distinct) tokens, or of more than the model has positions. Where all states of a
        prompt are equal at a layer, it is left out there alone.
    points : float
        Mean number of points per prompt, the same at every layer.
    repeats : bool
        Whether a token that a prompt repeats is a point each time, or where it first occurs.
    quadruples : int
        How many are drawn in clouds that are too large for all of them.
    seed : int
        Of these, and of the nulls.
    dtype, device : str
        What the model computed in, and where.
    tokens : int
        Most tokens per pass through the model; in a narrow dtype, how prompts are put together changes some bits.
    provenance : dict
        Revision of the model; source, field, split and revision of the texts.
    versions : dict
    """

    model: str
    data: str | None
    measures: tuple[LayerMeasure, ...]
    depth: int
    last_is_normed: bool | None
    scale: EmbeddingScale
    nulls: tuple[str, ...]
    null_draws: int
    n: int
    left_out: int
    points: float
    repeats: bool
    quadruples: int
    seed: int
    dtype: str
    device: str
    tokens: int
    provenance: dict[str, str | None] = field(repr=False)
    versions: dict[str, str] = field(repr=False)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that were measured."""
        return tuple(measure.layer for measure in self.measures)

    def at(self, layer: int, statistic: str) -> LayerStatistic:
        """Return one statistic at one layer; raise :class:`OptionError` if it was not measured."""
        choose("statistic", statistic, LAYER_STATISTICS)
        for measure in self.measures:
            if measure.layer == layer:
                return measure.statistics[LAYER_STATISTICS.index(statistic)]
        raise OptionError(f"layer {layer} was not measured; there are: {', '.join(map(str, self.layers))}")
