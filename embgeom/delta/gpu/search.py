"""The exact search shared by fixed base, four points and prompts: screen in float32, settle in float64.

The screen bounds every tile of pairs from above and below within a proven rounding error. Only tiles that can hold the
maximum are settled, by a second kernel on the float64 distances that evaluates S1 − S2 itself, so the result is the
exact maximum of the float64 four-point values: after one screen and a handful of tiles for real data, after a float64
brute force where everything ties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.gpu.device import on_device, require_memory, to_single

if TYPE_CHECKING:
    import torch

__all__ = ["CHUNK_STEPS", "OnProgress", "Optimum", "Tiling", "maximise"]

OnProgress = Callable[[float], None]

# (pair, third point) steps per launch: 0.15 to 0.3 s on an H200 at two instructions a step, so that the host regains
# control often enough for progress and Ctrl-C.
CHUNK_STEPS = 1e12
# A float64 step is about eight times dearer.
_SETTLE_SHARE = 8
# Below this many third points a program costs its start and its reduction, not its loop.
_LEAST_LOOP = 64


@dataclass(frozen=True)
class Tiling:
    """Shape of a program: ``rows`` × ``cols`` pairs, ``unroll`` third points per pass, warps of the two kernels.

    The default holds 64 accumulators per lane in one warp: 512 min/max of 750 instructions in the loop and about 170
    registers without spills when compiled for sm_90. ``rows`` and ``unroll`` divide ``cols``; all are powers of two.
    """

    rows: int = 16
    cols: int = 128
    unroll: int = 4
    screen_warps: int = 1
    settle_warps: int = 4

    def count(self, bases: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of tiles, from the start of the table, that hold all pairs of points before each base."""
        wide = -(-bases // self.cols)
        return self.cols // self.rows * (wide * (wide + 1) // 2)

    def table(self, n: int) -> NDArray[np.int32]:
        """Return (row tile, column tile) of the upper triangle by columns: what fewer points need is a prefix."""
        wide = -(-n // self.cols)
        tall = self.cols // self.rows * np.arange(1, wide + 1)
        rows = np.concatenate([np.arange(count) for count in tall])
        return np.stack([rows, np.repeat(np.arange(wide), tall)], axis=1).astype(np.int32)


@dataclass(frozen=True)
class Optimum:
    """The maximum of each matrix: S1 − S2 (matrices,) float64, points (matrices, 4) int64, and the tiles looked at."""

    two_delta: torch.Tensor
    witness: torch.Tensor
    screened: int
    settled: int


def maximise(
    distances: torch.Tensor,
    jobs: NDArray[np.int64],
    *,
    tiling: Tiling | None = None,
    chunk_steps: float = CHUNK_STEPS,
    on_progress: OnProgress | None = None,
) -> Optimum:
    """Return the largest S1 − S2 over all quadruples {b, i, j, k} with i, j, k before b, for each matrix over its jobs.

    Parameters
    ----------
    distances : torch.Tensor, shape (matrices, n, n), float64
        Symmetric, finite, ≥ 0.
    jobs : ndarray, shape (m, 2)
        Matrix and base b. A matrix without jobs, or with b < 3 only, keeps the quadruple of its first points, repeated
        where there are fewer than four.
    tiling : Tiling, optional
    chunk_steps : float
        (pair, third point) steps per launch.
    on_progress : callable, optional
        Called with the fraction done after every launch; whatever it raises stops the work.
    """
    search = _Search(distances, jobs, tiling or Tiling(), chunk_steps, on_progress)
    search.run()
    return Optimum(search.two_delta, search.witness, search.screened, search.settled)


class _Search:
    """State of one search; tensors of length ``matrices`` hold what is known of each matrix."""

    def __init__(
        self,
        distances: torch.Tensor,
        jobs: NDArray[np.int64],
        tiling: Tiling,
        chunk_steps: float,
        on_progress: OnProgress | None,
    ) -> None:
        import torch

        self.distances, self.tiling, self.chunk_steps = distances.contiguous(), tiling, chunk_steps
        self.report = on_progress or (lambda fraction: None)
        self.fraction = 0.0
        matrices, n, _ = distances.shape
        device = distances.device
        # Largest bases first: the long programs do not trail, and the incumbent is good early.
        worthy = jobs[jobs[:, 1] >= 3]
        self.host_jobs = worthy[np.argsort(-worthy[:, 1], kind="stable")]
        self.jobs = torch.from_numpy(self.host_jobs.astype(np.int32)).to(device)
        self.tiles = torch.from_numpy(tiling.table(n)).to(device)
        height, pitch = -(-n // tiling.unroll) * tiling.unroll, -(-n // tiling.cols) * tiling.cols
        require_memory(4 * matrices * height * pitch + 2**28, device)
        self.single, self.scale, self.error = to_single(self.distances, height, pitch)
        self.witness = _first_quadruples(matrices, jobs, n).to(device)
        self.two_delta = _two_delta(self.distances, self.witness)
        self.peak = torch.full_like(self.two_delta, -torch.inf)
        self.screened = self.settled = 0

    def run(self) -> None:
        """Screen launch by launch and settle after each, so that nothing need be kept between launches."""
        for start, stop, first, count, fraction in _launches(self.host_jobs[:, 1], self.tiling, self.chunk_steps):
            peaks = self._screen(start, stop, first, count)
            self._absorb(peaks, start, first)
            self.fraction = fraction
            self.report(fraction)

    def _screen(self, start: int, stop: int, first: int, count: int) -> torch.Tensor:
        import torch

        from embgeom.delta.gpu._maxmin_kernels import screen

        tiling, single = self.tiling, self.single
        peaks = torch.empty((stop - start, count), dtype=torch.float32, device=single.device)
        with on_device(single.device):
            screen[(peaks.numel(),)](
                single, self.jobs, self.tiles, peaks, start, first, count, single.shape[2], single[0].numel(),
                ROWS=tiling.rows, COLS=tiling.cols, UNROLL=tiling.unroll,
                num_warps=tiling.screen_warps, enable_fp_fusion=False,
            )  # fmt: skip
        self.screened += peaks.numel()
        return peaks

    def _hopeful(self, values: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        """Return which screened ``values`` belong to tiles that can hold more than is known of their ``matrix``."""
        near = values >= (self.peak - 2 * self.error)[matrix]
        return near & (values > (self.two_delta * self.scale - self.error)[matrix])

    def _absorb(self, peaks: torch.Tensor, start: int, first: int) -> None:
        """Settle the tiles of one launch that can hold the maximum, the most promising of each matrix first."""
        matrix = self.jobs[start : start + len(peaks), 0].long()
        self.peak.scatter_reduce_(0, matrix, peaks.amax(1).double(), "amax")
        job, tile = self._hopeful(peaks, matrix[:, None]).nonzero(as_tuple=True)
        values = peaks[job, tile]
        order = values.argsort(descending=True, stable=True)
        job, tile, values = job[order], tile[order], values[order]
        lead = _leaders(matrix[job], values)
        batch = lead
        rest = values.new_ones(len(values)).bool().index_fill_(0, lead, False).nonzero()[:, 0]
        widest = int(self.host_jobs[start, 1])
        limit = max(1, int(self.chunk_steps / _SETTLE_SHARE / (self.tiling.rows * self.tiling.cols * widest)))
        while len(batch):
            self._settle(job[batch] + start, tile[batch] + first)
            rest = rest[self._hopeful(values[rest], matrix[job[rest]])]
            batch, rest = rest[:limit], rest[limit:]
            self.report(self.fraction)

    def _settle(self, job: torch.Tensor, tile: torch.Tensor) -> None:
        """Evaluate tiles in float64 and keep the largest value of each matrix if it beats the incumbent."""
        import torch

        from embgeom.delta.gpu._maxmin_kernels import settle

        distances, n = self.distances, self.distances.shape[1]
        picks = torch.stack([job, tile], dim=1).int()
        values = torch.empty(len(picks), dtype=torch.float64, device=distances.device)
        codes = torch.empty(len(picks), dtype=torch.int64, device=distances.device)
        with on_device(distances.device):
            settle[(len(picks),)](
                distances, self.jobs, self.tiles, picks, values, codes, n, n * n,
                ROWS=self.tiling.rows, COLS=self.tiling.cols,
                num_warps=self.tiling.settle_warps, enable_fp_fusion=False,
            )  # fmt: skip
        self.settled += len(picks)
        matrix, base = self.jobs[job].long().unbind(1)
        lead = _leaders(matrix, values)
        lead = lead[values[lead] > self.two_delta[matrix[lead]]]
        matrix, base, codes = matrix[lead], base[lead], codes[lead]
        self.two_delta[matrix] = values[lead]
        self.witness[matrix] = _with_third_point(distances, matrix, base, codes // n, codes % n)


def _launches(
    bases: NDArray[np.int64], tiling: Tiling, chunk_steps: float
) -> Iterator[tuple[int, int, int, int, float]]:
    """Yield (first job, last + 1, first tile, tiles, fraction done after it) of launches of about ``chunk_steps``.

    ``bases`` are positive and fall. Jobs share a launch where they are small; a job above the limit is cut along its
    tiles.
    """
    if not len(bases):
        return
    counts = tiling.count(bases)
    work = counts * float(tiling.rows * tiling.cols) * np.maximum(bases, _LEAST_LOOP)
    done = np.cumsum(work)
    # A launch begins where the work before a job passes a multiple of the limit; a job above it is alone in its own.
    starts = np.flatnonzero(np.diff((done - work) // chunk_steps, prepend=-1.0))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(bases)], strict=True):
        count, before, inside = int(counts[start]), float(done[start] - work[start]), float(work[start:stop].sum())
        parts = min(count, int(-(-inside // chunk_steps))) if stop - start == 1 else 1
        edges = [count * part // parts for part in range(parts + 1)]
        for first, last in pairwise(edges):
            yield start, stop, first, last - first, (before + inside * last / count) / float(done[-1])


def _leaders(groups: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return, for each group that occurs, the index of the first of its largest values."""
    import torch

    order = values.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    ranked = groups[order]
    head = torch.ones_like(ranked, dtype=torch.bool)
    head[1:] = ranked[1:] != ranked[:-1]
    return order[head]


def _first_quadruples(matrices: int, jobs: NDArray[np.int64], n: int) -> torch.Tensor:
    """Return an incumbent of each matrix, int64 (matrices, 4): its largest base (else the last point) and 0, 1, 2."""
    import torch

    # No job at all: any quadruple will do. Few points: indices repeat, which makes S1 − S2 = 0 in a metric.
    base = np.full(matrices, -1, dtype=np.int64)
    np.maximum.at(base, jobs[:, 0], jobs[:, 1])
    base = np.where(base < 0, n - 1, base)
    quadruple = np.stack([base, *(np.minimum(k, base) for k in range(3))], axis=1)
    return torch.from_numpy(quadruple)


def _with_third_point(
    distances: torch.Tensor, matrix: torch.Tensor, base: torch.Tensor, i: torch.Tensor, j: torch.Tensor
) -> torch.Tensor:
    """Return the witnesses (b, k, i, j), int64 (m, 4): k < b gives the largest value by the kernel's own formula."""
    import torch

    to_base, to_i, to_j = (distances[matrix, point] for point in (base, i, j))
    pair, base_i, base_j = distances[matrix, i, j], distances[matrix, base, i], distances[matrix, base, j]
    others = torch.maximum(base_i[:, None] + to_j, base_j[:, None] + to_i)
    gap = (to_base + pair[:, None]) - others
    before = torch.arange(distances.shape[1], device=distances.device) < base[:, None]
    k = torch.where(before, gap, -torch.inf).argmax(1)
    return torch.stack([base, k, i, j], dim=1)


def _two_delta(distances: torch.Tensor, quadruples: torch.Tensor) -> torch.Tensor:
    """Return S1 − S2 of one quadruple of each matrix, float64 (matrices,)."""
    import torch

    matrix = torch.arange(len(distances), device=distances.device)
    a, b, c, d = quadruples.unbind(1)
    pairings = (((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c)))
    sums = torch.stack([distances[matrix, p, q] + distances[matrix, r, s] for (p, q), (r, s) in pairings], dim=1)
    sums = sums.sort(dim=1, descending=True).values
    return sums[:, 0] - sums[:, 1]
