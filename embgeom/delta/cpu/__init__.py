"""δ on the CPU: numba kernels, compiled once and cached, on all cores, without a compiler.

All take a float64 distance matrix that the caller has checked, and return an exact maximum or a bound with its witness.
"""

from embgeom.delta.cpu.brute import brute_force
from embgeom.delta.cpu.climbs import climb
from embgeom.delta.cpu.four_point import two_delta_of
from embgeom.delta.cpu.minmax import fixed_base
from embgeom.delta.cpu.prompts import PromptsFound, fixed_base_batch, four_point_batch
from embgeom.delta.cpu.pruned import pruned_scan
from embgeom.delta.cpu.warmth import is_compiled

__all__ = [
    "PromptsFound",
    "brute_force",
    "climb",
    "fixed_base",
    "fixed_base_batch",
    "four_point_batch",
    "is_compiled",
    "pruned_scan",
    "two_delta_of",
]
