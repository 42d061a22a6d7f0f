"""The exact four-point δ by brute force: for each base p, the (max,min) product over the points before it.

Six float operations per quadruple, all of them in registers; right for n up to about 200, and the way out for metrics
that the pruned scan cannot prune.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta
from embgeom.delta.cpu.gauge import Gauged, as_kernel_input, gauge
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.product import best_of_block, pack_rows, panel_count, workspace
from embgeom.delta.cpu.simd import PANEL, SHORT
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["best_of_tasks", "brute_force", "brute_force_from", "tasks_of_bases"]

# (max,min) steps per chunk: about 30 µs and 3 ms, and a hundred times that where float32 cannot tell anything.
_MIN_COST, _MAX_COST = 4e6, 5e8
# Less than this takes a fraction of a millisecond, as much as handing work to other threads can cost.
_ALONE = 3e7
# Keeps the largest product, which is rounded in float32, within the range of int16.
_INSIDE = 1 - 2.0**-16
# What is no larger leaves too little of float32 to be taken to int16.
_TINY = 1e-30


@kernel
def best_of_tasks(
    distances: NDArray[np.float64],
    narrow: NDArray[np.float32],
    largest: float,
    tasks: NDArray[np.int64],
    scale: float,
    margin: float,
    best: float,
) -> tuple[float, int, int, int, int]:
    """Return the best quadruple (value, p, z, x, y) above ``best`` of some tasks; (``best``, −1, ...) if none is.

    A task is a base p with a range [start, stop) of the pairs of panels i ≤ j in the order (0,0), (0,1), (1,1), (0,2),
    and so on. ``largest`` is the largest |entry| of ``narrow`` off the diagonal.
    """
    top = 0
    for t in range(len(tasks)):
        top = max(top, tasks[t, 0])
    shorts, work = np.empty(panel_count(top) * top * PANEL, np.int16), workspace(top)
    slope = np.float32(SHORT / (3 * largest) * _INSIDE if largest > _TINY else 0.0)
    packed = -1
    champion = (best, -1, -1, -1, -1)
    for t in range(len(tasks)):
        p, start, stop = tasks[t]
        if packed != p:
            pack_rows(narrow, p, p, 0, p, slope, shorts)
            packed = p
            work[3][:2] = -1
        pair = 0
        for j in range(panel_count(p)):
            for i in range(j + 1):
                if start <= pair < stop:
                    value, z, x, y = best_of_block(
                        distances, narrow, np.float32(1), p, p, i, j, shorts, slope, work, scale, margin, champion[0]
                    )
                    if z >= 0:
                        champion = (value, p, z, x, y)
                pair += 1
    return champion


@lru_cache(8)
def tasks_of_bases(n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the tasks of all bases 3 ≤ p < n, shape (tasks, 3), the largest first, and what each costs."""
    bases = np.arange(n - 1, 2, -1)
    panels = -(-bases // PANEL)
    pairs = panels * (panels + 1) // 2
    steps = np.maximum(1, (_MAX_COST // (PANEL * PANEL * bases)).astype(np.int64))
    parts = -(-pairs // steps)  # one, but for thousands of points
    base = np.repeat(np.arange(len(bases)), parts)
    start = (np.arange(len(base)) - np.repeat(np.cumsum(parts) - parts, parts)) * steps[base]
    table = np.column_stack([bases[base], start, np.minimum(pairs[base], start + steps[base])])
    cost = (table[:, 2] - table[:, 1]) * (PANEL * PANEL) * table[:, 0] + 4.0 * table[:, 0] ** 2
    return table, cost


def brute_force(distances: NDArray[np.float64], *, on_progress: OnProgress | None = None) -> Found:
    """Return 2δ, the exact maximum of the float64 four-point values of all quadruples, with its witness.

    Parameters
    ----------
    distances
        Shape (n, n), n ≥ 4, float64, symmetric, zero diagonal, finite, below 2¹⁰²⁰. Not checked. Time grows as n⁴:
        about 0.3 ms at n = 100 and 20 ms at n = 400 on two cores.
    on_progress
        Called with the fraction of the work done; what it raises (a KeyboardInterrupt, say) stops the work.

    Returns
    -------
    Found
        Certificate ``"brute force"``. The witness does not depend on the number of threads.
    """
    distances = as_kernel_input(distances)
    return brute_force_from(distances, gauge(distances), (0, 1, 2, 3), on_progress=on_progress)


def brute_force_from(
    distances: NDArray[np.float64],
    gauged: Gauged,
    start: tuple[int, int, int, int],
    *,
    on_progress: OnProgress | None = None,
) -> Found:
    """Brute force with the gauged copy of the distances and a first witness at hand."""
    n = len(distances)
    tasks, cost = tasks_of_bases(n)

    def search(part: NDArray[np.int64], bar: float) -> tuple[float, int, int, int, int]:
        found: tuple[float, int, int, int, int] = best_of_tasks(
            distances, gauged.values, gauged.largest, part, gauged.scale, gauged.margin, bar
        )
        return found

    bar = float(two_delta(distances, *start))
    if float(cost.sum()) < _ALONE:
        best = run_chunks(lambda _: search(tasks, bar), 1, on_progress=on_progress)[0]
    else:
        # The bar that the first base sets spares the others most of what a block costs that may be the best.
        pilot = search(tasks[:1], bar)
        chunk_cost = max(min(float(cost[1:].sum()) / 200, _MAX_COST), _MIN_COST)
        edges = np.flatnonzero(np.diff(np.cumsum(cost[1:]) // chunk_cost)) + 1
        parts = np.split(tasks[1:], edges)
        found = run_chunks(lambda chunk: search(parts[chunk], pilot[0]), len(parts), on_progress=on_progress)
        best = max([pilot, *found], key=lambda each: each[0])
    witness = start if best[1] < 0 else (best[1], best[2], best[3], best[4])
    quads = n * (n - 1) * (n - 2) * (n - 3) // 24
    return Found(witness, best[0], "brute force", {"quads": quads})
