"""The definition, once: the three pair sums of a quadruple and Gromov's δ.

For four points let S1 ≥ S2 ≥ S3 be the sums of opposite distances d(a,b) + d(c,d), d(a,c) + d(b,d), d(a,d) + d(b,c).
Then δ(a,b,c,d) = (S1 − S2)/2 (Gromov, *Hyperbolic groups*, 1987). The three *sums* are sorted, never the six distances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["pair_sums", "two_delta"]


def pair_sums(distances: torch.Tensor, quadruples: torch.Tensor) -> torch.Tensor:
    """Return S1 ≥ S2 ≥ S3 of each quadruple.

    Parameters
    ----------
    distances : torch.Tensor, shape (n, n)
    quadruples : torch.Tensor of int64, shape (m, 4)

    Returns
    -------
    torch.Tensor, shape (m, 3), of the dtype of ``distances``
    """
    import torch

    a, b, c, d = quadruples.unbind(1)
    sums = torch.stack(
        [
            distances[a, b] + distances[c, d],
            distances[a, c] + distances[b, d],
            distances[a, d] + distances[b, c],
        ],
        dim=1,
    )
    return sums.sort(dim=1, descending=True).values


def two_delta(distances: torch.Tensor, quadruple: tuple[int, int, int, int]) -> float:
    """Return 2 δ = S1 − S2 of one quadruple of points, in the dtype of ``distances`` (n, n)."""
    import torch

    sums = pair_sums(distances, torch.tensor([quadruple], device=distances.device))[0]
    return float(sums[0] - sums[1])
