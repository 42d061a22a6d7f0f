"""Compile the kernels by using each once, on a handful of points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embgeom.delta.cpu.brute import brute_force
from embgeom.delta.cpu.climbs import climb
from embgeom.delta.cpu.matrix import symmetrise
from embgeom.delta.cpu.minmax import fixed_base
from embgeom.delta.cpu.prompts import fixed_base_batch, four_point_batch
from embgeom.delta.cpu.pruned import pruned_scan
from embgeom.delta.cpu.sampling import sample
from embgeom.delta.cpu.triangle import every_way_is_longer, excess_through
from embgeom.delta.cpu.warmth import Kernel

__all__ = ["compile_kernel"]


def compile_kernel(kernel: Kernel) -> None:
    """Have ``kernel`` and all that it calls compiled and stored in numba's cache."""
    points = np.random.default_rng(0).normal(size=(40, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)

    def prompts() -> None:
        for solve in (fixed_base_batch, four_point_batch):
            solve(points, np.arange(40), np.array([0, 40]))

    def triangles() -> None:
        every_way_is_longer(distances, float(distances.max()))
        excess_through(distances, np.arange(2))

    use: dict[str, Callable[[], object]] = {
        "brute_force": lambda: brute_force(distances),
        "climb": lambda: climb(distances, 10, 0),
        "fixed_base": lambda: fixed_base(distances, 0),
        "matrix": lambda: symmetrise(distances),
        "prompts": prompts,
        "pruned_scan": lambda: pruned_scan(distances),
        "sample": lambda: sample(distances, 10, seed=0, bins=10),
        "triangles": triangles,
    }
    use[kernel]()
