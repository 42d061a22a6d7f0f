"""Multi-start coordinate ascent on quadruples: a lower bound of δ with its witness, in microseconds per climb.

A climb starts at a random quadruple and replaces one vertex after the other by the best of all n, until none of the
four can be bettered. On clouds of up to n = 1500 points, n²/20 climbs found the exact maximum in every trial; a few
thousand are within some percent of it. Each climb has its own random numbers, so the result depends on the seed alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta
from embgeom.delta.cpu.gauge import as_kernel_input, gauge
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.mixing import mixed
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.simd import HUGE, larger, smaller
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["best_of_chunks", "best_of_climbs", "climb"]

_SEGMENT = 128  # columns whose maximum is taken at once; only the best segment is searched for its place
_CHUNK_COST = 5e7  # matrix entries read per chunk: some 20 ms
_STEPS = 12  # rows of three that a climb reads, about


@kernel
def _random_quad(seed: np.uint64, climb_index: int, n: int, quad: NDArray[np.int64]) -> None:
    """Fill ``quad`` with four distinct indices below n, drawn for this climb alone."""
    state = mixed(seed + np.uint64(climb_index) * np.uint64(0x9E3779B97F4A7C15))
    filled = 0
    while filled < 4:
        state += np.uint64(0x9E3779B97F4A7C15)
        drawn = np.int64(((mixed(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))
        fresh = True
        for t in range(filled):
            fresh = fresh and quad[t] != drawn
        if fresh:
            quad[filled] = drawn
            filled += 1


@kernel
def _gap(first: float, second: float, third: float) -> float:
    """Return the largest less the middle one of three sums, without a branch."""
    high, low = larger(first, second), smaller(first, second)
    return larger(high, third) - larger(low, smaller(high, third))


@kernel
def _best_fourth(narrow: NDArray[np.float32], a: int, b: int, c: int, bar: float) -> tuple[float, int]:
    """Return the d that makes S1 − S2 of a, b, c, d largest, if that is above ``bar``; else d = −1.

    The diagonal of ``narrow`` is −HUGE, which makes the value of d ∈ {a, b, c} exactly 0.
    """
    n = len(narrow)
    ab, ac, bc = narrow[a, b], narrow[a, c], narrow[b, c]
    best, at = bar, -1
    for start in range(0, n, _SEGMENT):
        stop = min(n, start + _SEGMENT)
        to_a, to_b, to_c = narrow[a, start:stop], narrow[b, start:stop], narrow[c, start:stop]
        highest = np.float32(-1)
        for d in range(to_a.size):
            highest = larger(highest, _gap(ab + to_c[d], ac + to_b[d], bc + to_a[d]))
        if highest > best:
            best, at = highest, start
    if at < 0:
        return best, -1
    for d in range(at, n):
        if _gap(ab + narrow[c, d], ac + narrow[b, d], bc + narrow[a, d]) == best:
            return best, d
    return best, -1


@kernel
def best_of_climbs(
    distances: NDArray[np.float64], narrow: NDArray[np.float32], seed: int, start: int, stop: int
) -> tuple[float, int, int, int, int]:
    """Return the best end, in float64, of the climbs numbered ``start`` to ``stop``: (value, a, b, c, d)."""
    n = len(distances)
    quad, champion = np.empty(4, np.int64), np.arange(4)
    best = two_delta(distances, 0, 1, 2, 3)
    for index in range(start, stop):
        _random_quad(np.uint64(seed), index, n, quad)
        value, place, settled = np.float32(0), 0, 0
        while settled < 4:
            a, b, c = quad[(place + 1) & 3], quad[(place + 2) & 3], quad[(place + 3) & 3]
            higher, d = _best_fourth(narrow, a, b, c, value)
            settled += 1
            if d >= 0:
                quad[place], value, settled = d, higher, 1
            place = (place + 1) & 3
        reached = two_delta(distances, quad[0], quad[1], quad[2], quad[3])
        if reached > best:
            best = reached
            champion[:] = quad
    return best, champion[0], champion[1], champion[2], champion[3]


def best_of_chunks(
    distances: NDArray[np.float64],
    narrow: NDArray[np.float32],
    n_climbs: int,
    seed: int,
    on_progress: OnProgress | None = None,
) -> tuple[float, int, int, int, int]:
    """Return the best end of ``n_climbs`` climbs on all cores; ``narrow`` has −HUGE on its diagonal."""
    per_chunk = max(1, int(_CHUNK_COST / (_STEPS * 3 * len(distances))))
    chunks = max(1, -(-n_climbs // per_chunk))
    word = np.uint64(seed % 2**64)

    def search(chunk: int) -> tuple[float, int, int, int, int]:
        found: tuple[float, int, int, int, int] = best_of_climbs(
            distances, narrow, word, chunk * per_chunk, min(n_climbs, (chunk + 1) * per_chunk)
        )
        return found

    return max(run_chunks(search, chunks, on_progress=on_progress), key=lambda found: found[0])


def climb(distances: NDArray[np.float64], n_climbs: int, seed: int, *, on_progress: OnProgress | None = None) -> Found:
    """Return the best quadruple that ``n_climbs`` random climbs reach: a lower bound of 2δ.

    Parameters
    ----------
    distances
        Shape (n, n), n ≥ 4, float64, symmetric, zero diagonal, finite, below 2¹⁰²⁰. Not checked.
    n_climbs
        How many starts; n²/20 made the exact maximum all but certain on embeddings.
    seed
        Any integer; the same seed gives the same result on any number of threads.
    on_progress
        Called with the fraction of the climbs done; what it raises stops the work.
    """
    distances = as_kernel_input(distances)
    narrow = gauge(distances).values
    np.fill_diagonal(narrow, -HUGE)
    value, *witness = best_of_chunks(distances, narrow, n_climbs, seed, on_progress)
    return Found((witness[0], witness[1], witness[2], witness[3]), value, "climbs", {"climbs": n_climbs})
