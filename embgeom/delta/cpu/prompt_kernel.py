"""The compiled part of :mod:`embgeom.delta.cpu.prompts`: one thread, one prompt after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.brute import best_of_tasks
from embgeom.delta.cpu.four_point import best_apex, two_delta
from embgeom.delta.cpu.gauge import margin_of
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.product import panel_count
from embgeom.delta.cpu.simd import larger, smaller

__all__ = ["distances_of", "solve_prompts"]

_MARGIN = margin_of(1.0, 4.0)
# What a dozen operations on sums of three distances can be off by, in distances to the base: four times that.
_ROUNDED = 2.0**-44
_LINE = 8  # float64 in a cache line


@kernel(fastmath={"reassoc", "contract"})
def _squared_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return ‖x − y‖² from differences; exactly 0 for equal rows. The sum may be taken in any order."""
    total = 0.0
    for k in range(x.size):
        difference = x[k] - y[k]
        total += difference * difference
    return total


@kernel
def distances_of(points: NDArray[np.float64], distances: NDArray[np.float64], start: int, stop: int) -> None:
    """Fill in the Euclidean distances of rows ``start`` to ``stop`` to all rows before them, and their mirror images.

    Points of shape (n, d) and distances of shape (n, n), both float64; the diagonal is set to 0.
    """
    for i in range(start, stop):
        distances[i, i] = 0
        for j in range(i):
            value = np.sqrt(_squared_distance(points[i], points[j]))
            distances[i, j] = value
            distances[j, i] = value


@kernel
def _first_positions(tokens: NDArray[np.int64], seen: NDArray[np.int64], stamp: int, positions: NDArray) -> int:
    """List the positions at which a token occurs first; return how many. ``seen`` remembers who stamped a token."""
    count = 0
    for t in range(tokens.size):
        if seen[tokens[t]] != stamp:
            seen[tokens[t]] = stamp
            positions[count] = t
            count += 1
    return count


@kernel
def _best_with_first(distances: NDArray[np.float64], best: float) -> tuple[float, int, int, int, int]:
    """Return the best quadruple above ``best`` that holds point 0, by going through pairs in float64.

    With G_xy = D_x0 + D_y0 − D_xy, the value of a pair is the largest min(G_xz, G_zy) over z less G_xy. It is at most
    the smaller of the largest entries of their rows of G less G_xy: pairs that cannot win by this are passed over.
    """
    n = len(distances)
    base, rows = distances[0], np.empty(n)
    for x in range(1, n):
        highest, row = -np.inf, distances[x]
        for z in range(1, x):
            highest = larger(highest, base[z] - row[z])
        for z in range(x + 1, n):
            highest = larger(highest, base[z] - row[z])
        rows[x] = base[x] + highest
    margin = _ROUNDED * base.max()
    champion = (best, -1, -1, -1, -1)
    for x in range(1, n):
        row, own = distances[x], rows[x]
        bar = champion[0] + base[x] - margin
        most = -np.inf
        for y in range(x + 1, n):
            most = larger(most, smaller(own, rows[y]) - base[y] + row[y])
        if most <= bar:
            continue
        for y in range(x + 1, n):
            if smaller(own, rows[y]) - base[y] + row[y] > champion[0] + base[x] - margin:
                value, z = best_apex(distances, 0, x, y, 1, n, champion[0])
                if z >= 0:
                    champion = (value, 0, z, x, y)
    return champion


@kernel
def _best_of_all(distances: NDArray[np.float64], largest: float, best: float) -> tuple[float, int, int, int, int]:
    """Return the best quadruple above ``best`` by brute force."""
    n = len(distances)
    scale = 2.0 ** min(1000.0, -np.ceil(np.log2(largest))) if largest > 0 else 1.0
    narrow = np.empty((n, n), np.float32)
    for i in range(n):
        for j in range(n):
            narrow[i, j] = distances[i, j] * scale
    tasks = np.empty((n - 3, 3), np.int64)
    for p in range(3, n):
        tasks[n - 1 - p] = p, 0, panel_count(p) * (panel_count(p) + 1) // 2
    return best_of_tasks(distances, narrow, 1.0, tasks, scale, _MARGIN, best)


@kernel
def solve_prompts(
    vectors: NDArray[np.floating],
    tokens: NDArray[np.int64],
    offsets: NDArray[np.int64],
    prompts: NDArray[np.int64],
    fixed: bool,
    witnesses: NDArray[np.int64],
    two_deltas: NDArray[np.float64],
    diameters: NDArray[np.float64],
    distinct: NDArray[np.int64],
) -> None:
    """Solve the prompts with the given numbers and write their rows of the results; see :class:`PromptsFound`.

    ``fixed`` takes the first token as the base; else all quadruples are searched.
    """
    longest = 0
    for prompt in prompts:
        longest = max(longest, offsets[prompt + 1] - offsets[prompt])
    positions = np.empty(longest, np.int64)
    seen = np.full(len(vectors), -1, np.int64)
    d = vectors.shape[1]
    # From a cache line's beginning: vectors of registers that lie across two lines take twice as long to load.
    room = np.empty(longest * d + _LINE)
    room = room[-(room.ctypes.data // room.itemsize) % _LINE :]
    for prompt in prompts:
        own = tokens[offsets[prompt] : offsets[prompt + 1]]
        count = _first_positions(own, seen, prompt, positions)
        distinct[prompt] = count
        points = room[: count * d].reshape(count, d)
        for i in range(count):
            points[i] = vectors[own[positions[i]]]
        distances = np.empty((count, count))
        distances_of(points, distances, 0, count)
        diameters[prompt] = distances.max() if count > 0 else 0.0
        if own.size >= 4:
            witnesses[prompt] = np.arange(4)
        if count < 4:
            continue
        best = two_delta(distances, 0, 1, 2, 3)
        found = _best_with_first(distances, best) if fixed else _best_of_all(distances, diameters[prompt], best)
        two_deltas[prompt] = found[0]
        quad = (0, 1, 2, 3) if found[1] < 0 else found[1:]
        for t in range(4):
            witnesses[prompt, t] = positions[quad[t]]
