"""δ at a fixed base point: one symmetric (max,min) product, exact to the last digit of float64."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta
from embgeom.delta.cpu.gauge import as_kernel_input, margin_of, power_of_two_scale
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.product import best_of_block, pack_rows, panel_count, workspace
from embgeom.delta.cpu.simd import PANEL, SHORT
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["fixed_base"]

_FIRST_PASS = 400_000  # matrix entries packed per chunk
# (max,min) steps per chunk: about 30 µs and 3 ms, and a hundred times that where float32 cannot tell anything.
_MIN_COST, _MAX_COST = 6e6, 5e8
_ALONE = 3e7
_PILOT = 8  # blocks
_KEPT = 2**21  # entries of a workspace that outlives its call: 4 MB
_kept = threading.local()


@kernel
def best_of_pairs(
    distances: NDArray[np.float64],
    base: int,
    shorts: NDArray[np.int16],
    slope: float,
    pairs: NDArray[np.int64],
    scale: float,
    margin: float,
    best: float,
) -> tuple[float, int, int, int]:
    """Return the best of several blocks, given as pairs of panels: (value, z, x, y), or (``best``, −1, −1, −1)."""
    n = len(distances)
    work = workspace(n)
    z, x, y = -1, -1, -1
    for t in range(len(pairs)):
        found = best_of_block(
            distances, distances, scale, base, n, pairs[t, 0], pairs[t, 1], shorts, slope, work, scale, margin, best
        )
        if found[1] >= 0:
            best, z, x, y = found
    return best, z, x, y


def fixed_base(distances: NDArray[np.float64], base: int, *, on_progress: OnProgress | None = None) -> Found:
    """Return 2δ_p for the base point p, the exact maximum of the float64 four-point values with p, with its witness.

    Parameters
    ----------
    distances
        Shape (n, n), n ≥ 4, float64, symmetric, zero diagonal, finite, below 2¹⁰²⁰. Not checked. Takes 2n²
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
    shorts = _workspace(panel_count(n) * n * PANEL)
    slope = SHORT / 2.0  # of G times scale, which lies between −1 and 2
    rows = max(1, _FIRST_PASS // n)

    def pack(chunk: int) -> None:
        pack_rows(distances, base, n, chunk * rows, min(n, (chunk + 1) * rows), scale * slope, shorts)

    chunks = -(-n // rows)
    run_chunks(pack, chunks, threads=1 if chunks == 1 else None)
    margin = margin_of(1.0, 4.0)  # far above what it needs: G, below 3, is rounded once
    pairs = _panel_pairs(panel_count(n))
    others = [i for i in range(4) if i != base]
    first = (base, others[0], others[1], others[2])

    def search(part: NDArray[np.int64], bar: float) -> tuple[float, int, int, int]:
        best: tuple[float, int, int, int] = best_of_pairs(distances, base, shorts, slope, part, scale, margin, bar)
        return best

    # The bar that the first blocks set spares the others most of what a block costs that may be the best.
    pilot = search(pairs[:_PILOT], float(two_delta(distances, *first)))
    rest = pairs[_PILOT:]
    per_chunk = _pairs_per_chunk(n, len(rest))
    # Less than this takes a fraction of a millisecond, as much as handing work to other threads can cost.
    threads = 1 if len(rest) * _cost(n) < _ALONE else None
    parts = [rest[start : start + per_chunk] for start in range(0, len(rest), per_chunk)]
    found = run_chunks(
        lambda chunk: search(parts[chunk], pilot[0]), len(parts), on_progress=on_progress, threads=threads
    )
    best = max([pilot, *found], key=lambda each: each[0])
    witness = first if best[1] < 0 else (base, best[1], best[2], best[3])
    return Found(witness, best[0], "fixed base", {"triples": n * (n - 1) * (n - 2) // 2})


def _workspace(size: int) -> NDArray[np.int16]:
    """Return an array to be filled; a small one is kept for the thread's next call: fresh memory is slow to touch."""
    if size > _KEPT:
        return np.empty(size, np.int16)
    kept: NDArray[np.int16] | None = getattr(_kept, "panels", None)
    if kept is None or len(kept) < size:
        kept = _kept.panels = np.empty(size, np.int16)
    return kept[:size]


@lru_cache(8)
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
