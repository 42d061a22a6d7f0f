"""The door: what a distance matrix, a base point and a count must be before any kernel sees them."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import TYPE_CHECKING, Any

from embgeom.delta import engine
from embgeom.errors import DistanceWarning, OptionError, PointsError, choose
from embgeom.metric import METRICS, as_tensor
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import torch

__all__ = ["METHODS", "as_distances", "base_index", "check_options", "require_at_least", "require_four"]

METHODS = ("auto", "exact", "bounds", "base", "sample")
_BASES = ("first", "medoid", "all")

# A fault below this share of the largest distance is rounding (of float32, say), and is repaired or passed over.
_ROUNDING = 1e-6
# Points on a line, or vertices of a tree, break the triangle inequality by as much in float64.
_FLOAT64 = 1e-13
# Matrix entries that the check of the triangle inequality may read.
_TRIANGLE_WORK = 8e9


def require_four(n: int) -> None:
    """Raise :class:`PointsError` for fewer than four points."""
    if n < 4:
        raise PointsError(
            f"got {n} point{'' if n == 1 else 's'}; δ is about four: of fewer it is 0 by definition, which says "
            "nothing about their shape"
        )


def require_at_least(name: str, value: int, least: int) -> None:
    """Raise :class:`OptionError` if an option is no whole number or below what makes sense."""
    if not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_options(*, method: str, metric: str, base: int | str, seed: int) -> None:
    """Raise :class:`OptionError` for a value that is none of its option's, whether or not the option comes to bear."""
    choose("method", method, METHODS)
    choose("metric", metric, METRICS)
    check_base(base)
    check_seed(seed)


def check_seed(seed: int) -> None:
    """Raise :class:`OptionError` unless every generator takes ``seed``."""
    if not isinstance(seed, Integral) or not 0 <= seed < 2**63:
        raise OptionError(f"seed must be a whole number from 0 to 2**63 - 1, got {seed!r}")


def check_base(base: int | str) -> None:
    """Raise :class:`OptionError` unless ``base`` is the name of a base point or a whole number."""
    if base in _BASES:
        return
    try:
        if isinstance(base, (str, Integral)):
            int(base)
            return
    except ValueError:
        pass
    raise OptionError(f"unknown base {base!r}; choose {', '.join(_BASES)}, or an index")


def as_distances(distances: Any, *, device: torch.device, on_progress: OnProgress | None = None) -> torch.Tensor:
    """Return a float64 distance matrix on ``device``: square, finite, non-negative, symmetric, zero on the diagonal.

    It is a new one, not a view of what was given. What is so but for rounding (up to 1e-6 of the largest distance) is
    repaired or accepted with a :class:`~embgeom.errors.DistanceWarning`. The triangle inequality d(x,y) ≤ d(x,p) +
    d(p,y) is checked through every point p of up to some 2000 points (of 5000 on the CPU, where no way round is nearly
    as short as the direct one), and through as many p as take a second or two beyond.

    Raises
    ------
    PointsError
        If it is none.
    """
    import torch

    matrix = as_tensor(distances)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.is_complex():
        hint = "; for a cloud of points pass points=" if matrix.ndim == 2 else ""
        raise PointsError(f"expected distances as a real (n, n) matrix, got shape {tuple(matrix.shape)}{hint}")
    require_four(len(matrix))
    matrix = matrix.to(device=device, dtype=torch.float64)
    found = engine.symmetrised(matrix)
    if found is None:
        bad = (~matrix.isfinite().all(1)).nonzero().flatten()
        raise PointsError(
            f"{len(bad)} of {len(matrix)} rows of distances hold NaN or inf; the first is row {int(bad[0])}"
        )
    matrix, (largest, least, asymmetry, diagonal) = found
    _judge("negative", -least, largest)
    _judge("not symmetric", asymmetry, largest)
    _judge("not zero on the diagonal", diagonal, largest)
    if engine.obeys_triangles(matrix, largest):
        return matrix
    excess, (x, y, p) = _triangle_excess(matrix, on_progress)
    if excess > _FLOAT64 * largest:
        _judge(f"longer than a way round: d({x},{y}) > d({x},{p}) + d({p},{y})", excess, largest)
    return matrix


def _judge(fault: str, size: float, largest: float) -> None:
    """Pass over no fault, warn of one that is rounding, and refuse one that is not."""
    if size <= 0:
        return
    if size > _ROUNDING * largest:
        raise PointsError(f"distances are {fault}, by up to {size:.3g}, where the largest distance is {largest:.3g}")
    message = f"distances are {fault}, by up to {size:.3g}: taken for rounding, where the largest is {largest:.3g}"
    warnings.warn(message, DistanceWarning, stacklevel=2)


def _triangle_excess(matrix: torch.Tensor, on_progress: OnProgress | None) -> tuple[float, tuple[int, int, int]]:
    """Return the largest d(x,y) − d(x,p) − d(p,y) that was found, with x, y and p."""
    import numpy as np

    n = len(matrix)
    count = min(n, max(1, int(_TRIANGLE_WORK // n**2)))
    middles = np.linspace(0, n - 1, count).astype(np.int64)
    values = engine.triangle_excess(matrix, middles, on_progress=on_progress)
    p = int(middles[values.argmax()])
    flat = int((matrix - matrix[p] - matrix[p][:, None]).argmax())
    return float(values.max()), (flat // n, flat % n, p)


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
    check_base(base)
    index = int(base)
    if not -n <= index < n:
        raise OptionError(f"base {index} is not an index of one of the {n} points")
    return index % n
