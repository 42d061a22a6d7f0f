"""The inner loops of the pruned scan: see :mod:`embgeom.delta.cpu.pruned` for the bounds and their letters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.four_point import two_delta
from embgeom.delta.cpu.jit import kernel
from embgeom.delta.cpu.simd import HUGE, LANES, larger, lowest_bit, mask_above, smaller

__all__ = ["row_extremes", "scan_pairs"]


@kernel
def row_extremes(narrow: NDArray[np.float32], lowest: NDArray[np.float32], highest: NDArray[np.float32]) -> None:
    """Fill in the smallest and the largest entry of each row, off the diagonal."""
    n = len(narrow)
    for i in range(n):
        low, high = HUGE, -HUGE
        for part in (narrow[i, :i], narrow[i, i + 1 :]):
            for j in range(part.size):
                low, high = smaller(low, part[j]), larger(high, part[j])
        lowest[i], highest[i] = low, high


@kernel
def _best_bound(to_a: NDArray[np.float32], to_b: NDArray[np.float32], highest: NDArray[np.float32], ab: float) -> float:
    """Return max_c [2s_c + min(E_ab, max E_c)]."""
    bound = -HUGE
    for c in range(to_a.size):
        bound = larger(bound, smaller(ab, highest[c]) - (to_a[c] + to_b[c]))
    return bound


@kernel
def _shortlist(
    to_a: NDArray[np.float32],
    to_b: NDArray[np.float32],
    highest: NDArray[np.float32],
    ab: float,
    need: float,
    bounds: NDArray[np.float32],
    chosen: NDArray[np.int32],
) -> int:
    """List the d with s_d + min(E_ab, max E_d) > need − max s; return how many. ``bounds`` is workspace."""
    half = np.float32(0.5)
    least = HUGE  # −2 max s
    n = to_a.size
    for d in range(n):
        both = to_a[d] + to_b[d]
        least = smaller(least, both)
        bounds[d] = smaller(ab, highest[d]) - half * both
    return _places_above(bounds, n, need + half * least, chosen)


@kernel
def _places_above(values: NDArray[np.float32], n: int, bar: float, places: NDArray[np.int32]) -> int:
    """List the places below n of values above ``bar``; return how many. ``values`` has room for LANES more."""
    values[n : n + LANES] = -HUGE
    count = 0
    for start in range(0, n, LANES):
        mask = mask_above(values, start, bar)
        while mask != 0:
            places[count] = start + lowest_bit(mask)
            count += 1
            mask &= mask - 1
    return count


@kernel
def _wedges(s: NDArray[np.float32], w: NDArray[np.float32], t: int, wedges: NDArray[np.float32]) -> None:
    """Fill in s_d − |w_c − w_d| for the listed d, where c is the t-th of them; −HUGE for d = c and where s_d > s_c."""
    own_s, own_w = s[t], w[t]
    for r in range(s.size):
        wedges[r] = s[r] - abs(own_w - w[r]) if s[r] <= own_s else -HUGE
    wedges[t] = -HUGE


@kernel
def _best_of_pair(
    distances: NDArray[np.float64],
    narrow: NDArray[np.float32],
    highest: NDArray[np.float32],
    a: int,
    b: int,
    scale: float,
    margin: float,
    best: float,
    lists: NDArray[np.int32],
    reals: NDArray[np.float32],
) -> tuple[float, int, int, int]:
    """Return (value, c, d, looked): the best quadruple above ``best`` with ab|cd as its largest sum, and the work."""
    chosen, passed, wedges = lists[0], lists[1], reals[2]
    to_a, to_b, ab = narrow[a], narrow[b], narrow[a, b]
    need = np.float32(best * scale - margin) - ab
    count = _shortlist(to_a, to_b, highest, ab, need, wedges, chosen)
    half = np.float32(0.5)
    s, w = reals[0, :count], reals[1, :count]
    for t in range(count):
        s[t] = -half * (to_a[chosen[t]] + to_b[chosen[t]])
        w[t] = half * (to_a[chosen[t]] - to_b[chosen[t]])
    best_c, best_d, looked = -1, -1, 0
    for t in range(count):
        c = chosen[t]
        cap = smaller(ab, highest[c])  # no E_cd is larger
        if s[t] + s[t] + cap <= need:
            continue
        looked += count
        _wedges(s, w, t, wedges)
        for r in range(_places_above(wedges, count, need - s[t] - cap, passed)):
            d = chosen[passed[r]]
            if narrow[c, d] + wedges[passed[r]] > need - s[t]:
                value = two_delta(distances, a, b, c, d)
                if value > best:
                    best, best_c, best_d = value, c, d
                    need = np.float32(best * scale - margin) - ab
    return best, best_c, best_d, looked


@kernel
def scan_pairs(
    distances: NDArray[np.float64],
    narrow: NDArray[np.float32],
    lowest: NDArray[np.float32],
    highest: NDArray[np.float32],
    rows: tuple[int, int],
    first: int,
    scale: float,
    margin: float,
    best: float,
    limit: int,
    quad: NDArray[np.int64],
    counts: NDArray[np.int64],
    lists: NDArray[np.int32],
    reals: NDArray[np.float32],
) -> tuple[float, int]:
    """Scan the pairs a < b with a in ``rows`` and b ≥ ``first``, until the work exceeds ``limit``; all in place.

    Parameters
    ----------
    distances, narrow, scale, margin
        Shape (n, n): float64, and the gauged float32 copy with HUGE on the diagonal.
    lowest, highest
        Shape (n,): extremes of the rows of ``narrow``.
    best
        Lower bound of S1 − S2 in float64, to be beaten.
    limit
        Entries to read before coming up for air.
    quad
        Shape (4,): gets the best quadruple, if one is found.
    counts
        Shape (3,): pairs left by the first and by the second bound, and quadruples looked at; added to.
    lists, reals
        Shapes (2, n + LANES) and (3, n + LANES): workspace.

    Returns
    -------
    tuple[float, int]
        The best value, and the b to go on with (n when done).
    """
    n = len(narrow)
    work = 0
    for b in range(max(first, rows[0] + 1), n):
        if work > limit:
            return best, b
        to_b = narrow[b]
        for a in range(rows[0], min(rows[1], b)):  # b outside: its row stays in the cache for all a
            ab = to_b[a]
            bar = np.float32(best * scale - margin)
            if ab + ab - (lowest[a] + lowest[b]) <= bar:
                continue
            counts[0] += 1
            work += n // 16
            if _best_bound(narrow[a], to_b, highest, ab) <= bar - ab:
                continue
            counts[1] += 1
            value, c, d, looked = _best_of_pair(distances, narrow, highest, a, b, scale, margin, best, lists, reals)
            counts[2] += looked
            work += looked + n
            if c >= 0:
                best = value
                quad[0], quad[1], quad[2], quad[3] = a, b, c, d
    return best, n
