"""δ by plain torch operations in bounded memory, on any device: the path where no faster kernel is at hand.

Everything rests on one (max,min) matrix product. With base p and Gromov products G_xy = ½(d(x,p) + d(y,p) − d(x,y)),
δ_p = max over x, y of [max_z min(G_xz, G_zy) − G_xy], and the four-point δ is the maximum of δ_p over all p; a
quadruple is found from the base that is its smallest index, so that for base p only the points after it matter.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

from embgeom.delta.found import Found
from embgeom.delta.four_point import two_delta
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

__all__ = ["fixed_base", "fixed_base_batch", "four_point", "gromov_products"]


# Elements of a block of rows: on a CPU it stays in the cache between the passes, and below the size from which torch
# would start threads for each of them; on a GPU it fills the machine.
_BLOCK_CPU = 2**15
_BLOCK_GPU = 2**24


def gromov_products(distances: torch.Tensor, base: int) -> torch.Tensor:
    """Return (x|y)_p = ½(d(x,p) + d(y,p) − d(x,y)) for all x, y, of the shape and dtype of ``distances`` (n, n)."""
    to_base = distances[base]
    return (to_base[:, None] + to_base - distances).div_(2)


def fixed_base(distances: torch.Tensor, base: int, *, on_progress: OnProgress | None = None) -> Found:
    """Return δ_p exactly, with the witness (p, z, x, y).

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
    base : int
        Index of the base point p.
    on_progress : callable, optional
        Called with the fraction done after every block; whatever it raises stops the work.
    """
    x, y, z = _best_pair(gromov_products(distances, base), on_progress)
    witness = (base, z, x, y)
    return Found(witness, two_delta(distances, witness), "fixed base", {"triples": len(distances) ** 3})


def four_point(
    distances: torch.Tensor, *, rank: int = 0, world_size: int = 1, on_progress: OnProgress | None = None
) -> Found:
    """Return the four-point δ exactly, by the (max,min) product from every base over the points after it.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n), float64
    rank, world_size : int
        Look at the share of one of several processes: the bases p with p mod ``world_size`` = ``rank``.
    on_progress : callable, optional
        Called with the fraction done after every base; whatever it raises stops the work.
    """
    n = len(distances)
    best = Found((0, 1, 2, 3), two_delta(distances, (0, 1, 2, 3)), "brute force")
    quadruples = 0
    for p in range(rank, n - 3, world_size):
        quadruples += comb(n - p - 1, 3)
        products = gromov_products(distances[p:, p:], 0)[1:, 1:]
        x, y, z = (p + 1 + index for index in _best_pair(products, None))
        value = two_delta(distances, (p, z, x, y))
        if value > best.two_delta:
            best = Found((p, z, x, y), value, "all quadruples")
        if on_progress is not None:
            on_progress(1 - ((n - p - 1) / n) ** 4)
    return Found(best.witness, best.two_delta, best.certificate, {"quadruples": quadruples})


def fixed_base_batch(distances: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return δ_p with base point 0 for a batch of clouds, twice its value and the witness.

    Clouds of fewer points are padded with copies of their base point, which change neither δ_p nor the diameter.

    Parameters
    ----------
    distances : torch.Tensor, shape (batch, n, n), float64

    Returns
    -------
    two_delta : torch.Tensor, shape (batch,), float64
    witness : torch.Tensor, shape (batch, 4), int64
        Indices (0, z, x, y).
    """
    import torch

    to_base = distances[:, 0]
    products = (to_base[:, :, None] + to_base[:, None] - distances) / 2
    through = torch.full_like(products, -torch.inf)
    for z in range(distances.shape[1]):
        torch.maximum(through, torch.minimum(products[:, :, z, None], products[:, z, None, :]), out=through)
    flat = (through - products).flatten(1).argmax(1)
    x, y = flat // products.shape[1], flat % products.shape[1]
    cloud = torch.arange(len(distances), device=distances.device)
    z = torch.minimum(products[cloud, x], products[cloud, y]).argmax(1)
    witness = torch.stack([torch.zeros_like(x), z, x, y], dim=1)
    a, b, c, d = (witness[:, k] for k in range(4))

    def opposite(i: torch.Tensor, j: torch.Tensor, k: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        return distances[cloud, i, j] + distances[cloud, k, m]

    sums = torch.stack([opposite(a, b, c, d), opposite(a, c, b, d), opposite(a, d, b, c)], dim=1).sort(dim=1).values
    return sums[:, 2] - sums[:, 1], witness


def _best_pair(products: torch.Tensor, on_progress: OnProgress | None) -> tuple[int, int, int]:
    """Return x, y, z that maximise min(G_xz, G_zy) − G_xy over ``products`` G (m, m)."""
    import torch

    m = len(products)
    rows = max(1, (_BLOCK_CPU if products.device.type == "cpu" else _BLOCK_GPU) // m)
    best, pair = -torch.inf, (0, 0)
    for start in range(0, m, rows):
        # G is symmetric, so the columns before this block have been seen as rows.
        block = products[start : start + rows, start:].contiguous()
        columns = products[:, start : start + rows].contiguous()
        through = torch.full_like(block, -torch.inf)
        smaller = torch.empty_like(block)
        for z in range(m):
            torch.minimum(columns[z, :, None], products[z, start:], out=smaller)
            torch.maximum(through, smaller, out=through)
        gap = through.sub_(block).flatten()
        flat = int(gap.argmax())
        if float(gap[flat]) > best:
            best, pair = float(gap[flat]), (start + flat // (m - start), start + flat % (m - start))
        if on_progress is not None:
            on_progress(min(1.0, (start + rows) / m))
    x, y = pair
    return x, y, int(torch.minimum(products[x], products[y]).argmax())
