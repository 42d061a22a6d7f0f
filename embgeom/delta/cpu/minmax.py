"""δ at a fixed base point: one symmetric (max,min) product, exact to the last digit of float64."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta
from embgeom.delta.cpu.gauge import HUGE, as_kernel_input, margin_of, power_of_two_scale
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.product import BLOCK, best_of_block, pack_row, panel_count
from embgeom.delta.cpu.simd import PANEL
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["fixed_base"]

_FIRST_PASS = 400_000  # matrix entries packed per chunk
# (max,min) steps per chunk: about 0.2 and 15 ms, and twenty times that where float32 cannot tell anything.
_MIN_COST, _MAX_COST = 1e7, 5e8
_ALONE = 3e7
_KEPT = 2**20  # entries of a workspace that outlives its call: 4 MB
_kept = threading.local()


@kernel
def pack_around(
    distances: NDArray[np.float64], base: int, scale: float, panels: NDArray[np.float32], start: int, stop: int
) -> None:
    """Pack rows ``start`` to ``stop`` of G around ``base``, which is itself shut out by −HUGE."""
    n = len(distances)
    for x in range(start, stop):
        pack_row(distances[x], distances[base], x, scale, panels)
        if x == base:
            for q in range(panel_count(n)):
                panels[(q * n + x) * PANEL : (q * n + x + 1) * PANEL] = -HUGE
        panels[(base // PANEL * n + x) * PANEL + base % PANEL] = -HUGE


@kernel
def best_of_pairs(
    distances: NDArray[np.float64],
    base: int,
    panels: NDArray[np.float32],
    pairs: NDArray[np.int64],
    scale: float,
    margin: float,
    best: float,
) -> tuple[float, int, int, int]:
    """Return the best of several blocks, given as pairs of panels: (value, z, x, y), or (``best``, −1, −1, −1)."""
    block = np.empty(BLOCK, np.float32)
    z, x, y = -1, -1, -1
    for t in range(len(pairs)):
        found = best_of_block(
            distances, base, panels, len(distances), pairs[t, 0], pairs[t, 1], block, scale, margin, best
        )
        if found[1] >= 0:
            best, z, x, y = found
    return best, z, x, y


def fixed_base(distances: NDArray[np.float64], base: int, *, on_progress: OnProgress | None = None) -> Found:
    """Return 2δ_p for the base point p, the exact maximum of the float64 four-point values with p, with its witness.

    Parameters
    ----------
    distances
        Shape (n, n), n ≥ 4, float64, symmetric, zero diagonal, finite, below 2¹⁰²⁰. Not checked. Takes 4n²
        bytes beside it.
    base
        Row index of the base point.
    on_progress
        Called with the fraction of the work done; what it raises (a KeyboardInterrupt, say) stops the work.

    Returns
    -------
    Found
        Witness (base, z, x, y); certificate ``"fixed base"``. The witness does not depend on the number of threads.
    """
    distances = as_kernel_input(distances)
    n = len(distances)
    scale = power_of_two_scale(float(distances.max()))
    panels = _workspace(panel_count(n) * n * PANEL)
    rows = max(1, _FIRST_PASS // n)

    def pack(chunk: int) -> None:
        pack_around(distances, base, scale, panels, chunk * rows, min(n, (chunk + 1) * rows))

    chunks = -(-n // rows)
    run_chunks(pack, chunks, threads=1 if chunks == 1 else None)
    margin = margin_of(1.0, 4.0)  # far above what it needs: G, below 3, is rounded once
    pairs = _panel_pairs(panel_count(n))
    per_chunk = _pairs_per_chunk(n, len(pairs))
    others = [i for i in range(4) if i != base]
    first = (base, others[0], others[1], others[2])
    bar = float(two_delta(distances, *first))

    def search(chunk: int) -> tuple[float, int, int, int]:
        part = pairs[chunk * per_chunk : (chunk + 1) * per_chunk]
        best: tuple[float, int, int, int] = best_of_pairs(distances, base, panels, part, scale, margin, bar)
        return best

    # Less than this takes a fraction of a millisecond, as much as handing work to other threads can cost.
    threads = 1 if len(pairs) * _cost(n) < _ALONE else None
    chunks = -(-len(pairs) // per_chunk)
    best = max(run_chunks(search, chunks, on_progress=on_progress, threads=threads), key=lambda found: found[0])
    witness = first if best[1] < 0 else (base, best[1], best[2], best[3])
    return Found(witness, best[0], "fixed base", {"triples": n * (n - 1) * (n - 2) // 2})


def _workspace(size: int) -> NDArray[np.float32]:
    """Return an array to be filled; a small one is kept for the thread's next call: fresh memory is slow to touch."""
    if size > _KEPT:
        return np.empty(size, np.float32)
    kept: NDArray[np.float32] | None = getattr(_kept, "panels", None)
    if kept is None or len(kept) < size:
        kept = _kept.panels = np.empty(size, np.float32)
    return kept[:size]


def _panel_pairs(panels: int) -> NDArray[np.int64]:
    """Return all (i, j) with i ≤ j, shape (pairs, 2): j falls, so that panel j stays in the cache while i changes."""
    lower = np.column_stack(np.tril_indices(panels))[::-1]
    return np.ascontiguousarray(lower[:, ::-1], np.int64)


def _pairs_per_chunk(n: int, pairs: int) -> int:
    """Return how many blocks to do per chunk: about a hundredth of all, but neither too short nor too long a time."""
    return int(max(1, min(max(pairs * _cost(n) / 100, _MIN_COST), _MAX_COST) // _cost(n)))


def _cost(n: int) -> int:
    """Return the (max,min) steps of one block."""
    return n * PANEL * PANEL
