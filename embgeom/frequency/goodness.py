"""Is the power law a plausible origin of the counts? The semi-parametric bootstrap.

Clauset, Shalizi and Newman, *Power-law distributions in empirical data*, SIAM Review 51 (2009), section 4.1.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from embgeom.frequency.draws import draw_histogram
from embgeom.frequency.records import GoodnessOfFit
from embgeom.frequency.tail import Tail, fit_tail
from embgeom.progress import progress_bar

__all__ = ["goodness_of_fit"]

_RULED_OUT = 0.1  # the level of the paper


def goodness_of_fit(
    values: NDArray[np.float64],
    types: NDArray[np.int64],
    tail: Tail,
    *,
    k_min_given: bool,
    replicates: int,
    seed: int,
    threads: int | None,
    progress: bool,
) -> GoodnessOfFit:
    """Draw replicates of a histogram from its fit, fit each as the histogram was fitted, and compare the distances.

    The replicates run in threads (NumPy works outside the interpreter's lock), each with a random stream of its own:
    the numbers do not depend on how many threads there are.
    """

    def distance(stream: np.random.SeedSequence) -> float:
        drawn = draw_histogram(values, types, tail, np.random.default_rng(stream))
        if not k_min_given:
            return fit_tail(*drawn).distance
        # Only by chance, and in tiny tails, is nothing drawn at or above a given k_min: then nothing is off either.
        return fit_tail(*drawn, tail.k_min).distance if drawn[0][-1] >= tail.k_min else 0.0

    streams = np.random.SeedSequence(seed).spawn(replicates)
    with (
        progress_bar(replicates, "goodness of fit", show=progress) as bar,
        ThreadPoolExecutor(threads or _cores()) as pool,
    ):
        futures = [pool.submit(distance, stream) for stream in streams]
        try:
            distances = np.empty(replicates)
            for index, future in enumerate(futures):
                distances[index] = future.result()
                bar.update()
        except BaseException:  # Ctrl-C: what has not begun never will
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    p = float((distances >= tail.distance).mean())
    error = math.sqrt(p * (1 - p) / replicates)
    return GoodnessOfFit(
        p, error, replicates, float(distances.mean()), float(distances.std()), seed, _sentence(p, replicates)
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sentence(p: float, replicates: int) -> str:
    shown = f"p = {p:.3g}" if p > 0 else f"p < {1 / replicates:.2g}"
    verdict = "ruled out" if p <= _RULED_OUT else "not ruled out"
    return f"a power law is {verdict} as the origin of the tail ({shown}, {replicates} replicates)"
