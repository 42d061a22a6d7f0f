"""The four-point search and the sampler on all ranks of a process group (``torchrun``), the result on every rank.

Each rank holds the whole distance matrix and takes its share of the outer loop; only results travel. They do so on the
device that the group's backend wants: NCCL moves CUDA tensors (of the current device: set it to the local rank's),
gloo CPU tensors. Without a process group there is one rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embgeom.delta.found import Found
from embgeom.delta.gpu import four_point as _four_point
from embgeom.delta.gpu import sampling as _sampling
from embgeom.errors import OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["best_of_ranks", "four_point", "sample", "world"]


def world() -> tuple[int, int]:
    """Return (rank, world size) of the default process group; (0, 1) where there is none."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def best_of_ranks(found: Found) -> Found:
    """Return the largest of all ranks' results, the lowest rank's among equals, with their work added up.

    Every rank must call it, with work counts of the same names.
    """
    import torch

    names = sorted(found.work)
    numbers = torch.tensor([*found.witness, *(found.work[name] for name in names)], dtype=torch.int64)
    values = _gather(torch.tensor([found.two_delta], dtype=torch.float64))[:, 0]
    rows = _gather(numbers)
    best = int((values == values.max()).nonzero()[0, 0])
    a, b, c, d = rows[best, :4].tolist()
    work = dict(zip(names, rows[:, 4:].sum(0).tolist(), strict=True))
    return Found((a, b, c, d), float(values[best]), found.certificate, work)


def four_point(distances: torch.Tensor, *, search: Callable[..., Found] | None = None, **options: Any) -> Found:
    """Return the four-point δ exactly, each rank searching its share of the bases.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
        The same on every rank, on the rank's own device.
    search : callable, optional
        ``search(distances, rank=…, world_size=…, **options)`` → Found; by default
        :func:`embgeom.delta.gpu.four_point.four_point`, whose options these are.
    """
    rank, size = world()
    found = (search or _four_point.four_point)(distances, rank=rank, world_size=size, **options)
    best = best_of_ranks(found)
    certificate = best.certificate.replace(f" of share {rank} of {size}", "")
    return Found(best.witness, best.two_delta, certificate, best.work)


def sample(distances: torch.Tensor, count: int, *, seed: int, offset: int = 0, **options: Any) -> _sampling.Sampled:
    """Return a sample of ``count`` quadruples, each rank drawing its own range of their numbers.

    The quadruples are those of :func:`embgeom.delta.gpu.sampling.sample` on one device; only the order of addition of
    the float64 sums differs. ``count`` must be at least the number of ranks.
    """
    import torch

    rank, size = world()
    if count < size:
        # On every rank alike, before any of them waits for the others.
        raise OptionError(f"expected at least one quadruple per rank, got {count} for {size} ranks")
    first, last = count * rank // size, count * (rank + 1) // size
    mine = _sampling.sample(distances, last - first, seed=seed, offset=offset + first, **options)
    sums = _gather(torch.tensor([mine.total, mine.squares], dtype=torch.float64)).sum(0)
    histogram = _gather(torch.from_numpy(mine.histogram)).sum(0).numpy()
    largest = best_of_ranks(mine.largest)
    return _sampling.Sampled(count, float(sums[0]), float(sums[1]), histogram, mine.diameter, largest)


def _gather(row: torch.Tensor) -> torch.Tensor:
    """Return the rows of all ranks, stacked by rank, on the CPU."""
    import torch
    import torch.distributed as dist

    _, size = world()
    if size == 1:
        return row[None]
    row = row.to("cuda" if "nccl" in dist.get_backend() else "cpu")
    rows = [torch.empty_like(row) for _ in range(size)]
    dist.all_gather(rows, row)
    return torch.stack(rows).cpu()
