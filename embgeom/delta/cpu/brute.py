"""The exact four-point δ by brute force: for each base p, the (max,min) product over the points before it.

Six float operations per quadruple, all of them in registers; right for n up to about 100, and the way out for metrics
that the pruned scan cannot prune.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta
from embgeom.delta.cpu.gauge import Gauged, as_kernel_input, gauge
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.product import BLOCK, best_of_block, pack_row, panel_count
from embgeom.delta.cpu.simd import PANEL
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["best_of_tasks", "brute_force", "brute_force_from", "tasks_of_bases"]

# (max,min) steps per chunk: about 0.1 and 15 ms, and twenty times that where float32 cannot tell anything.
_MIN_COST, _MAX_COST = 4e6, 5e8
# Less than this takes a fraction of a millisecond, as much as handing work to other threads can cost.
_ALONE = 8e6


@kernel
def best_of_tasks(
    distances: NDArray[np.float64],
    narrow: NDArray[np.float32],
    tasks: NDArray[np.int64],
    panels: NDArray[np.float32],
    packed: NDArray[np.int64],
    scale: float,
    margin: float,
    best: float,
) -> tuple[float, int, int, int, int]:
    """Return the best quadruple (value, p, z, x, y) above ``best`` of some tasks; (``best``, −1, ...) if none is.

    A task is a base p with a range [start, stop) of the pairs of panels i ≤ j in the order (0,0), (0,1), (1,1), (0,2),
    and so on. ``panels`` is a workspace for the largest p.
    """
    block = np.empty(BLOCK, np.float32)
    champion = (best, -1, -1, -1, -1)
    for t in range(len(tasks)):
        p, start, stop = tasks[t]
        if packed[0] != p:
            for x in range(p):
                pack_row(narrow[x, :p], narrow[p, :p], x, np.float32(1), panels)
            packed[0] = p
        pair = 0
        for j in range(panel_count(p)):
            for i in range(j + 1):
                if start <= pair < stop:
                    value, z, x, y = best_of_block(distances, p, panels, p, i, j, block, scale, margin, champion[0])
                    if z >= 0:
                        champion = (value, p, z, x, y)
                pair += 1
    return champion


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
        about 0.3 ms at n = 100 and 40 ms at n = 400 on two cores.
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
    chunk_cost = max(min(float(cost.sum()) / 200, _MAX_COST), _MIN_COST)
    edges = np.flatnonzero(np.diff(np.cumsum(cost) // chunk_cost)) + 1
    parts = np.split(tasks, edges)
    bar = float(two_delta(distances, *start))
    workspace = threading.local()

    def search(chunk: int) -> tuple[float, int, int, int, int]:
        if not hasattr(workspace, "panels"):  # one per thread: large arrays are slow to come by
            workspace.panels = np.empty(-(-n // PANEL) * n * PANEL, np.float32)
            workspace.packed = np.full(1, -1)
        found: tuple[float, int, int, int, int] = best_of_tasks(
            distances, gauged.values, parts[chunk], workspace.panels, workspace.packed, gauged.scale, gauged.margin, bar
        )
        return found

    threads = 1 if float(cost.sum()) < _ALONE else None
    best = max(run_chunks(search, len(parts), on_progress=on_progress, threads=threads), key=lambda found: found[0])
    witness = start if best[1] < 0 else (best[1], best[2], best[3], best[4])
    quads = n * (n - 1) * (n - 2) * (n - 3) // 24
    return Found(witness, best[0], "brute force", {"quads": quads})
