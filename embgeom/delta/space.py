"""A checked metric space: its distance matrix, or its points where the matrix would be too large to sample from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embgeom.delta.checks import as_distances, require_four
from embgeom.device import require_memory
from embgeom.errors import PointsError
from embgeom.metric import as_points, diameter, pairwise_distances
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

    from embgeom.metric import Array

__all__ = ["Space", "open_space"]

# Distance matrices larger than this are not made where they are not needed.
_SPARED_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Space:
    """A finite metric space on a device.

    Attributes
    ----------
    n : int
    diameter : float
        Positive.
    metric : str or None
        None if distances were given.
    device : torch.device
    points : torch.Tensor or None, shape (n, d), float64
        Only where there is no matrix.
    """

    n: int
    diameter: float
    metric: str | None
    device: torch.device
    points: torch.Tensor | None
    _matrix: torch.Tensor | None

    @property
    def matrix(self) -> torch.Tensor:
        """The distances, (n, n) float64; whoever needs them has had the space opened with ``matrix_needed``."""
        assert self._matrix is not None
        return self._matrix


def open_space(
    points: Array | None,
    distances: Array | None,
    *,
    metric: str,
    device: torch.device,
    matrix_needed: bool,
    on_progress: OnProgress,
) -> Space:
    """Check what was given and compute what is missing.

    Raises
    ------
    PointsError
        For fewer than four points, what is not finite, all points equal, or a matrix that is no distance matrix.
    OptionError
        If the matrix does not fit into memory.
    """
    if points is None:
        matrix = as_distances(distances, device=device, on_progress=on_progress)
        return _opened(Space(len(matrix), float(matrix.max()), None, device, None, matrix))
    cloud = as_points(points).to(device)
    n = len(cloud)
    require_four(n)
    if not matrix_needed and 8 * n**2 > _SPARED_BYTES:
        return _opened(Space(n, diameter(cloud, metric=metric, on_progress=on_progress), metric, device, cloud, None))
    # The matrix, and a copy in half its precision or its Gromov products.
    require_memory(16 * n**2, device=device, purpose=f"the distance matrix of {n} points")
    matrix = pairwise_distances(cloud, metric=metric, on_progress=on_progress)
    return _opened(Space(n, float(matrix.max()), metric, device, None, matrix))


def _opened(space: Space) -> Space:
    if space.diameter == 0:
        raise PointsError(f"all {space.n} points are equal: the diameter is 0 and 2δ/diameter is not defined")
    return space
