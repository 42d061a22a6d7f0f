"""The exact four-point δ of large clouds: branch and bound over the pair with the largest sum.

Let ab|cd be the largest sum of a quadruple, E the distances in the gauge of :mod:`embgeom.delta.cpu.gauge`,
s_c = −(E_ac + E_bc)/2 and w_c = (E_ac − E_bc)/2. Then S1 − S2 = E_ab + E_cd + s_c + s_d − |w_c − w_d|, where
E_ab ≥ E_cd and s_c ≥ s_d without loss of generality. Given a lower bound L, from climbs, a pair (a, b) is dropped if

* 2E_ab − min E_a − min E_b ≤ L, as E_cd ≤ E_ab and s_c + s_d ≤ −(min E_a + min E_b); or if
* max_c [2s_c + min(E_ab, max E_c)] ≤ L − E_ab, as E_cd ≤ min(E_ab, max E_c) and s_d ≤ s_c.

For the rest, c runs over those that pass the second test and d over those with
s_d + min(E_ab, max E_d) > L − E_ab − max s; E_cd is read where s_d − |w_c − w_d| leaves a chance. All this is float32
with a margin; what passes is evaluated in float64. Metrics close to a tree cannot be pruned: a budget of quadruples
looked at stops the scan where brute force is the faster way.
"""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.brute import brute_force_from
from embgeom.delta.cpu.climbs import best_of_chunks
from embgeom.delta.cpu.gauge import Gauged, as_kernel_input, gauge
from embgeom.delta.cpu.pairs import row_extremes, scan_pairs
from embgeom.delta.cpu.parallel import breathe, run_chunks
from embgeom.delta.cpu.simd import HUGE, LANES
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["pruned_scan"]

Quad = tuple[int, int, int, int]

_ROWS = 16  # rows of a per chunk: they stay in the second-level cache while b runs
_PILOT = 16  # every 16th chunk goes first, to raise the bar and to foresee the cost
_LIMIT = 60_000_000  # entries read per call of the kernel: below 0.1 s
_CLIMBS_PER_POINT, _MOST_CLIMBS = 4, 20_000


class _BudgetSpentError(Exception):
    """The scan looked at more quadruples than it was allowed."""


class _Scan:
    """One pruned scan: the matrix, its extremes, and what the threads have looked at so far."""

    def __init__(self, distances: NDArray[np.float64], gauged: Gauged, budget: float) -> None:
        self.distances, self.gauged, self.budget = distances, gauged, budget
        n = len(distances)
        self.lowest, self.highest = np.empty(n, np.float32), np.empty(n, np.float32)
        row_extremes(gauged.values, self.lowest, self.highest)
        self.counts = np.zeros(3, np.int64)
        self._lock = threading.Lock()
        self._workspace = threading.local()

    def _arrays(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return this thread's workspace."""
        if not hasattr(self._workspace, "arrays"):
            width = len(self.distances) + LANES
            self._workspace.arrays = (np.empty((2, width), np.int32), np.empty((3, width), np.float32))
        arrays: tuple[NDArray[np.int32], NDArray[np.float32]] = self._workspace.arrays
        return arrays

    def rows(self, start: int, best: float, quad: Quad) -> tuple[float, Quad]:
        """Scan the pairs whose first point is in a block of rows; return the best value and its quadruple."""
        n, gauged = len(self.distances), self.gauged
        found = np.array(quad, np.int64)
        b = 0
        while b < n:
            counts = np.zeros(3, np.int64)
            best, b = scan_pairs(
                self.distances, gauged.values, self.lowest, self.highest, (start, start + _ROWS), b,
                gauged.scale, gauged.margin, best, _LIMIT, found, counts, *self._arrays(),
            )  # fmt: skip
            with self._lock:
                self.counts += counts
            if self.counts[2] > self.budget:
                raise _BudgetSpentError
            breathe()
        return best, (int(found[0]), int(found[1]), int(found[2]), int(found[3]))

    def blocks(self, starts: list[int], best: tuple[float, Quad], progress: OnProgress | None) -> tuple[float, Quad]:
        """Scan several blocks of rows, all from the same bound, so that the result does not depend on their timing."""

        def scan(chunk: int) -> tuple[float, Quad]:
            return self.rows(starts[chunk], *best)

        return max([best, *run_chunks(scan, len(starts), on_progress=progress)], key=lambda found: found[0])


def pruned_scan(
    distances: NDArray[np.float64],
    *,
    seed: int = 0,
    work_budget: float = 0.05,
    on_progress: OnProgress | None = None,
) -> Found:
    """Return 2δ, the exact maximum of the float64 four-point values of all quadruples, with its witness.

    Parameters
    ----------
    distances
        Shape (n, n), n ≥ 4, float64, symmetric, zero diagonal, finite, below 2¹⁰²⁰. Not checked. On embeddings the time
        grows about as n³: seconds at n = 1500, a minute at n = 5000 on two cores.
    seed
        Of the climbs that give the first bound: it changes the time taken, and which of several maximisers is returned.
    work_budget
        Share of all quadruples that may be looked at one by one; beyond it brute force takes over. Measured: at a share
        of 0.07 the scan has taken as long as brute force would.
    on_progress
        Called with the fraction of the work done; starts anew when brute force takes over. What it raises (a
        KeyboardInterrupt, say) stops the work.

    Returns
    -------
    Found
        Certificate ``"pruned scan"``, or ``"brute force"`` where the budget was spent; the work has the pairs, those
        left by either bound, and the quadruples looked at. The witness does not depend on the number of threads.
    """
    distances = as_kernel_input(distances)
    n = len(distances)
    gauged = gauge(distances)
    np.fill_diagonal(gauged.values, -HUGE)
    value, *ends = best_of_chunks(distances, gauged.values, min(_MOST_CLIMBS, _CLIMBS_PER_POINT * n), seed)
    np.fill_diagonal(gauged.values, HUGE)
    best: tuple[float, Quad] = (value, (ends[0], ends[1], ends[2], ends[3]))
    scan = _Scan(distances, gauged, work_budget * math.comb(n, 4))
    try:
        best = _scan_all(scan, best, on_progress)
    except _BudgetSpentError:
        found = brute_force_from(distances, gauged, best[1], on_progress=on_progress)
        return Found(found.witness, found.two_delta, found.certificate, _work(scan) | found.work)
    return Found(best[1], best[0], "pruned scan", _work(scan))


def _scan_all(scan: _Scan, best: tuple[float, Quad], on_progress: OnProgress | None) -> tuple[float, Quad]:
    """Scan a sample of the blocks of rows and, unless that foretells that the budget will not do, the rest."""
    starts = list(range(0, len(scan.distances), _ROWS))
    pilot = starts[::_PILOT]
    rest = [start for start in starts if start not in set(pilot)]
    share = len(pilot) / len(starts)
    best = scan.blocks(pilot, best, on_progress and (lambda done: on_progress(share * done)))
    if rest and scan.counts[2] > 2 * share * scan.budget:
        raise _BudgetSpentError
    return scan.blocks(rest, best, on_progress and (lambda done: on_progress(share + (1 - share) * done)))


def _work(scan: _Scan) -> dict[str, int]:
    """Return the counts of a scan by name."""
    n = len(scan.distances)
    first, second, looked = (int(count) for count in scan.counts)
    return {
        "pairs": n * (n - 1) // 2,
        "pairs_after_first_bound": first,
        "pairs_after_second_bound": second,
        "quads_looked_at": looked,
    }
