"""Random bits from a counter, so that what is drawn depends on its number alone, not on who draws it."""

from __future__ import annotations

import numpy as np

from embgeom.delta.cpu.jit import kernel

__all__ = ["mixed"]


@kernel
def mixed(state: np.uint64) -> np.uint64:
    """Return 64 well-mixed bits of a counter: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
