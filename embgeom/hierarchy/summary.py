"""All that the command measures of one model, in one record."""

from __future__ import annotations

from dataclasses import dataclass

from embgeom.hierarchy.records import DigitNorms, GroupStatistics, PairTest
from embgeom.results import Record
from embgeom.trees import TreeFit

__all__ = ["Hierarchy"]


@dataclass(frozen=True)
class Hierarchy(Record):
    """What ``python -m embgeom.hierarchy`` measures of one model; a part that could not be measured is None.

    Attributes
    ----------
    model, layer : str
    data : str or None
        The corpus of the frequencies.
    groups : GroupStatistics or None
    digits : DigitNorms or None
    pairs : PairTest or None
    trees : tuple of TreeFit
        One per method, of the same words; empty where none could be fitted.
    """

    model: str
    layer: str
    data: str | None
    groups: GroupStatistics | None
    digits: DigitNorms | None
    pairs: PairTest | None
    trees: tuple[TreeFit, ...]
