"""What a kernel returns: the quadruple that attains the maximum, and how it is known to."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Found"]


@dataclass(frozen=True)
class Found:
    """A quadruple and twice its δ.

    Attributes
    ----------
    witness : tuple of four int
        Indices of the points.
    two_delta : float
        S1 − S2 of the witness, evaluated in float64 on the float64 distances.
    certificate : str
        How the value is known to be the maximum that it stands for.
    work : dict
        Counts of what was looked at, by name.
    """

    witness: tuple[int, int, int, int]
    two_delta: float
    certificate: str
    work: dict[str, int] = field(default_factory=dict)
