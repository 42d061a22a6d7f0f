"""A checked metric space: its distance matrix, or its points where the matrix would be too large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from embgeom.delta.checks import as_distances, require_four
from embgeom.device import free_memory, require_memory
from embgeom.errors import EqualPointsError
from embgeom.metric import as_points, diameter, pairwise_distances
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

    from embgeom.metric import Array

__all__ = ["MatrixUse", "Space", "open_space"]

MatrixUse = Literal["always", "if it fits", "if small"]

_SMALL_BYTES = 4 * 2**30


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
        """The distances, (n, n) float64; only where ``points`` is None."""
        assert self._matrix is not None
        return self._matrix


def open_space(
    points: Array | None,
    distances: Array | None,
    *,
    metric: str,
    device: torch.device,
    matrix: MatrixUse,
    on_progress: OnProgress,
) -> Space:
    """Check what was given and compute what is missing.

    Parameters
    ----------
    matrix : {"always", "if it fits", "if small"}
        When to have the distance matrix: sampling gains nothing from a large one, bounds can do without.

    Raises
    ------
    PointsError
        For fewer than four points, what is not finite, all points equal, or a matrix that is no distance matrix.
    OptionError
        If the matrix does not fit into memory.
    """
    if points is None:
        given = as_distances(distances, device=device, on_progress=on_progress)
        return _opened(Space(len(given), float(given.max()), None, device, None, given))
    cloud = as_points(points).to(device)
    n = len(cloud)
    require_four(n)
    size = 16 * n**2  # the matrix, and a copy in half its precision or its Gromov products
    if (matrix == "if small" and size > _SMALL_BYTES) or (matrix == "if it fits" and size > free_memory(device)):
        return _opened(Space(n, diameter(cloud, metric=metric, on_progress=on_progress), metric, device, cloud, None))
    require_memory(size, device=device, purpose=f"the distance matrix of {n} points")
    computed = pairwise_distances(cloud, metric=metric, on_progress=on_progress)
    return _opened(Space(n, float(computed.max()), metric, device, None, computed))


def _opened(space: Space) -> Space:
    if space.diameter == 0:
        raise EqualPointsError(f"all {space.n} points are equal: the diameter is 0 and 2δ/diameter is not defined")
    return space
