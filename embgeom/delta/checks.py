"""The door: what a distance matrix, a base point and a count must be before any kernel sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embgeom.errors import OptionError, PointsError

if TYPE_CHECKING:
    import torch

__all__ = ["as_distances", "base_index", "require_at_least", "require_four"]

# Asymmetry or a negative entry below this share of the largest distance is rounding, and is repaired.
_ROUNDING = 1e-6


def require_four(n: int) -> None:
    """Raise :class:`PointsError` for fewer than four points."""
    if n < 4:
        raise PointsError(
            f"got {n} point{'' if n == 1 else 's'}; δ is about four: of fewer it is 0 by definition, which says "
            "nothing about their shape"
        )


def require_at_least(name: str, value: int, least: int) -> None:
    """Raise :class:`OptionError` if an option is below what makes sense."""
    if value < least:
        raise OptionError(f"{name} must be at least {least}, got {value}")


def as_distances(distances: Any, *, device: torch.device) -> torch.Tensor:
    """Return a float64 distance matrix on ``device``: square, finite, non-negative, symmetric, zero on the diagonal.

    Raises
    ------
    PointsError
        If it is none.
    """
    import torch

    matrix = torch.as_tensor(distances).detach()
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.is_complex():
        hint = "; for a cloud of points pass points=" if matrix.ndim == 2 else ""
        raise PointsError(f"expected distances as a real (n, n) matrix, got shape {tuple(matrix.shape)}{hint}")
    matrix = matrix.to(device=device, dtype=torch.float64, copy=True)
    bad = (~matrix.isfinite().all(1)).nonzero().flatten()
    if len(bad):
        raise PointsError(
            f"{len(bad)} of {len(matrix)} rows of distances hold NaN or inf; the first is row {int(bad[0])}"
        )
    tolerance = _ROUNDING * float(matrix.abs().max()) if matrix.numel() else 0.0
    for name, size in (
        ("negative", -matrix.amin() if matrix.numel() else matrix.new_zeros(())),
        ("not symmetric", (matrix - matrix.T).abs().max() if matrix.numel() else matrix.new_zeros(())),
        ("not zero on the diagonal", matrix.diagonal().abs().max() if matrix.numel() else matrix.new_zeros(())),
    ):
        if float(size) > tolerance:
            raise PointsError(f"distances are {name}, by up to {float(size):.3g}")
    matrix = ((matrix + matrix.T) / 2).clamp_(min=0)
    return matrix.fill_diagonal_(0)


def base_index(base: int | str, distances: torch.Tensor) -> int | None:
    """Return the index that ``base`` names: ``first``, an index, or ``medoid``; None for ``all``.

    The medoid is the point with the smallest sum of distances.

    Raises
    ------
    OptionError
        If it names none.
    """
    n = len(distances)
    if base == "all":
        return None
    if base == "first":
        return 0
    if base == "medoid":
        return int(distances.sum(1).argmin())
    try:
        index = int(base)
    except ValueError:
        raise OptionError(f"unknown base {base!r}; choose first, medoid, all, or an index") from None
    if not -n <= index < n:
        raise OptionError(f"base {index} is not an index of one of the {n} points")
    return index % n
