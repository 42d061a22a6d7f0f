"""What a sweep returns: cells, each with the records that were measured or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embgeom.calibration.records import Calibration
from embgeom.delta.records import HyperbolicityDistribution
from embgeom.layers.records import LayerProfile
from embgeom.results import Record
from embgeom.treelikeness.records import TreeLikenessDistribution

__all__ = ["REPORTED", "Cell", "CellResult", "Sweep"]

REPORTED = ("fixed_base", "relative_delta", "mean_q", "pooled_q", "delta_over_sd", "star_residual")
"""The statistics of a report, in the order of its tables."""


@dataclass(frozen=True)
class CellResult(Record):
    """What was measured of one model on one corpus at one layer; the content of a file in ``cells/``.

    Attributes
    ----------
    key : str
        SHA-256 of ``identity``, and the name of the file.
    identity : dict
        Everything that determines the numbers: see :func:`embgeom.report.identity.cell_identity`.
    fixed_base, exact : HyperbolicityDistribution or None
        Relative δ with the first token as base point, the paper's figure, and the four-point one; None of hidden
        layers, whose profile has both.
    tree_likeness : TreeLikenessDistribution or None
        None where nulls were drawn: ``calibration`` has it as ``observed``.
    calibration : Calibration or None
        None without nulls, and of hidden layers.
    profile : LayerProfile or None
        Of hidden layers.
    """

    key: str
    identity: dict[str, Any]
    fixed_base: HyperbolicityDistribution | None = None
    exact: HyperbolicityDistribution | None = None
    tree_likeness: TreeLikenessDistribution | None = None
    calibration: Calibration | None = None
    profile: LayerProfile | None = None


@dataclass(frozen=True)
class Cell(Record):
    """One model on one corpus at one layer.

    Attributes
    ----------
    model, data, layer : str
        What tables call them; ``layer`` is ``input``, ``output``, ``hidden:K``, or ``all`` for every hidden layer.
    result : CellResult or None
    error : str or None
        Why there is no result, in one line.
    """

    model: str
    data: str
    layer: str
    result: CellResult | None = field(repr=False)
    error: str | None


@dataclass(frozen=True)
class Sweep(Record):
    """All cells, by model, then corpus, then layer.

    Attributes
    ----------
    models, data, layers : tuple of str
        As the tables have them.
    nulls : tuple of str
    seed : int
    cells : tuple of Cell
    computed : int
        How many cells this process measured; the others were there, were another's, or failed.
    """

    models: tuple[str, ...]
    data: tuple[str, ...]
    layers: tuple[str, ...]
    nulls: tuple[str, ...]
    seed: int
    cells: tuple[Cell, ...] = field(repr=False)
    computed: int

    @property
    def failures(self) -> tuple[Cell, ...]:
        """The cells without a result."""
        return tuple(cell for cell in self.cells if cell.error is not None)

    def reasons(self) -> list[tuple[str, str]]:
        """Return each reason why cells failed with a name for these: one cell, or the first and how many more."""
        by_reason: dict[str, list[str]] = {}
        for cell in self.failures:
            by_reason.setdefault(str(cell.error), []).append(f"{cell.model} · {cell.data} · {cell.layer}")
        return [
            (names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else ""), reason)
            for reason, names in by_reason.items()
        ]
