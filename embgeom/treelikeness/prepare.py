"""Compile the kernels once per installation, and say so."""

from __future__ import annotations

from functools import cache

import numpy as np

from embgeom.delta.cpu.jit import is_stored
from embgeom.progress import progress_bar
from embgeom.treelikeness import kernels as k
from embgeom.treelikeness.cloud_kernel import EUCLIDEAN, tally_clouds
from embgeom.treelikeness.tally import tally_all, tally_sample

__all__ = ["prepare"]


@cache
def prepare(*, show: bool) -> None:
    """Compile the kernels, if that has not been done since they were installed, under a bar on standard error."""
    if is_stored(tally_clouds) and is_stored(k.tally_drawn):
        return
    points = np.eye(5)
    distances = np.ones((5, 5)) - points
    with progress_bar(3, "compiling the kernels, once per installation", show=show) as bar:
        tally_all(distances, tolerance=1e-12)
        bar.update()
        tally_sample(distances, 2, seed=0, tolerance=1e-12)
        bar.update()
        arrays = np.zeros((1, k.SUMS)), np.zeros((1, k.BINS), np.int64), np.zeros(5), *np.zeros((3, 1))
        tally_clouds(points, np.arange(5), np.array([0, 5]), np.zeros(1, np.int64), EUCLIDEAN, 1e-12, *arrays)
        bar.update()
