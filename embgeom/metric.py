"""Distance matrices in float64 that keep the small distances of near-duplicate rows.

``‖x‖² + ‖y‖² − 2⟨x, y⟩`` loses all digits of a distance that is small beside the norms. Here the cloud is centred
first, and every pair for which the cancellation would still cost more than four digits is computed from differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from embgeom.errors import PointsError, choose, first_line
from embgeom.progress import OnProgress

if TYPE_CHECKING:
    import numpy as np
    import torch

    Array: TypeAlias = np.ndarray[Any, Any] | torch.Tensor

__all__ = [
    "METRICS",
    "Metric",
    "as_points",
    "as_tensor",
    "batched_distances",
    "diameter",
    "pairwise_distances",
    "power_of_two",
    "row_distances",
    "rows_to_all",
]

Metric = Literal["euclidean", "angular", "cosine"]
METRICS: tuple[str, ...] = get_args(Metric)

# Up to here direct differences cost no more than the care that the Gram form needs.
_DIRECT = 500
# A squared distance below this share of the squared norms has lost more than four of float64's sixteen digits.
_CANCELLED = 1e-4
# Small enough that the memory of one block serves the next, without going back to the system.
_BLOCK_BYTES = 16 * 2**20


def pairwise_distances(
    points: Array, *, metric: str = "euclidean", on_progress: OnProgress | None = None
) -> torch.Tensor:
    """Return the matrix of all distances.

    Parameters
    ----------
    points : array, shape (n, d)
        Any floating or integer dtype; numpy or torch, on any device that has float64.
    metric : {"euclidean", "angular", "cosine"}
        ``angular`` is the angle in radians, a metric. ``cosine`` is 1 − cos, as the field uses it; it breaks the
        triangle inequality, so that bounds which rest on it (δ ≤ 2 δ_p) do not hold for it.
    on_progress : callable, optional
        Called with the fraction done after every block of rows; whatever it raises stops the work.

    Returns
    -------
    torch.Tensor, shape (n, n), float64
        Symmetric to the last bit, with a zero diagonal; on the device of ``points``.

    Raises
    ------
    PointsError
        If rows are not finite, or zero where an angle is asked for.
    OptionError
        If the metric is unknown.
    """
    import torch

    choose("metric", metric, METRICS)
    x = as_points(points)
    if metric == "euclidean":
        return _euclidean(x, on_progress)
    unit = _normalised(x)
    chord = _euclidean(unit, on_progress)
    if metric == "cosine":
        return chord.square_().mul_(0.5)
    # The chord to the antipode gives the angle its digits near π, as the chord does near 0.
    half_angle = torch.empty_like(chord)
    for rows in _row_blocks(len(unit), len(unit)):
        columns = slice(rows.start, len(unit))
        _place(half_angle, rows, columns, torch.atan2(chord[rows, columns], _direct(unit[rows], -unit[columns])))
    return half_angle.mul_(2)


def row_distances(x: torch.Tensor, y: torch.Tensor, *, metric: str = "euclidean") -> torch.Tensor:
    """Return the distances between matching rows of ``x`` and ``y``, both (m, d) float64, as (m,) float64."""
    if metric == "euclidean":
        difference = x - y
        scale = power_of_two(difference)
        return (difference / scale).norm(dim=1) * scale
    u, v = _normalised(x), _normalised(y)
    chord = (u - v).norm(dim=1)
    if metric == "cosine":
        return chord.square() / 2
    import torch

    return 2 * torch.atan2(chord, (u + v).norm(dim=1))


def batched_distances(points: torch.Tensor, *, metric: str = "euclidean") -> torch.Tensor:
    """Return the distance matrices (b, n, n) of a batch of clouds (b, n, d), float64, from direct differences."""
    if metric == "euclidean":
        scale = power_of_two(points)
        scaled = points / scale
        return _direct(scaled, scaled).mul_(scale)
    unit = _normalised(points.flatten(0, 1)).view_as(points)
    chord = _direct(unit, unit)
    if metric == "cosine":
        return chord.square_().mul_(0.5)
    import torch

    upper = torch.atan2(chord, _direct(unit, -unit)).mul_(2).triu(1)
    return upper + upper.mT


def rows_to_all(points: torch.Tensor, *, metric: str = "euclidean") -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function from indices (m,) to float32 distances (m, n) of those points to all of ``points`` (n, d).

    One matrix product each: fast, and good to about 1e-3 of the cloud's radius. Euclidean distances come divided by a
    power of two, so that no square overflows.
    """
    import torch

    if metric == "euclidean":
        centred = points - points.mean(0)
        single = (centred / power_of_two(centred)).float()
    else:
        single = _normalised(points).float()
    squares = single.square().sum(1)

    def rows(indices: torch.Tensor) -> torch.Tensor:
        squared = torch.addmm(squares[indices, None] + squares, single[indices], single.T, alpha=-2).clamp_(min=0)
        if metric == "cosine":
            return squared.mul_(0.5)
        return squared.sqrt_() if metric == "euclidean" else squared.sqrt_().div_(2).clamp_(max=1).asin_().mul_(2)

    return rows


def diameter(points: Array, *, metric: str = "euclidean", on_progress: OnProgress | None = None) -> float:
    """Return the largest distance between two of the ``points`` (n, d), in blocks: memory O(n), time O(n² d)."""
    x = as_points(points)
    if metric != "euclidean":
        x = _normalised(x)
    x = x - x.mean(0)
    x = x / power_of_two(x)
    squares = x.square().sum(1)
    best, pair = -math.inf, (0, 0)
    for rows in _row_blocks(len(x), len(x)):
        later = slice(rows.start, len(x))
        block = squares[rows, None] + squares[later] - 2 * (x[rows] @ x[later].T)
        flat = int(block.argmax())
        if float(block.flatten()[flat]) > best:
            best = float(block.flatten()[flat])
            pair = (rows.start + flat // block.shape[1], rows.start + flat % block.shape[1])
        if on_progress is not None:
            on_progress(1 - (1 - rows.stop / len(x)) ** 2)
    # The Gram form only finds the pair (large distances have their digits there); its distance is computed directly.
    source = as_points(points)
    return float(row_distances(source[pair[0]][None], source[pair[1]][None], metric=metric))


def as_tensor(array: Array) -> torch.Tensor:
    """Return anything that numpy takes for an array of numbers as a tensor that shares its memory where that can be.

    Raises
    ------
    PointsError
        If it holds no numbers, or its rows differ in length.
    """
    import numpy as np
    import torch

    if isinstance(array, torch.Tensor):
        return array.detach()
    try:
        plain = np.asarray(array)
        if plain.dtype.kind not in "biufc":
            raise TypeError(f"this is one of {plain.dtype}")
        if (plain.dtype.kind == "f" and plain.dtype.itemsize > 8) or not plain.dtype.isnative:
            plain = plain.astype(np.float64)
        # A tensor is neither read-only nor read backwards, so that such an array is copied.
        if not plain.flags.writeable or any(stride < 0 for stride in plain.strides):
            plain = plain.copy()
        return torch.from_numpy(plain)
    except (TypeError, ValueError) as error:
        raise PointsError(f"expected an array of numbers: {first_line(error)}") from None


def as_points(points: Array) -> torch.Tensor:
    """Return ``points`` as a float64 matrix (n, d); raise :class:`PointsError` unless all of it is finite."""
    import torch

    x = as_tensor(points)
    if x.ndim != 2 or x.is_complex():
        raise PointsError(f"expected points as a real matrix (n, d), got {x.dtype} of shape {tuple(x.shape)}")
    x = x.to(torch.float64)
    bad = (~x.isfinite().all(1)).nonzero().flatten()
    if len(bad):
        raise PointsError(f"{len(bad)} of {len(x)} rows hold NaN or inf; the first is row {int(bad[0])}")
    return x


def power_of_two(x: torch.Tensor) -> float:
    """Return the power of two that brings the largest absolute value into [½, 1) when divided by; 1 for zeros.

    Dividing by it is exact, and no square of what is left overflows.
    """
    low, high = (float(end) for end in x.aminmax()) if x.numel() else (0.0, 0.0)
    peak = max(-low, high)
    return math.ldexp(1.0, min(1023, math.frexp(peak)[1])) if peak > 0 else 1.0


def _normalised(x: torch.Tensor) -> torch.Tensor:
    peak = x.abs().amax(1, keepdim=True)
    zero = (peak.flatten() == 0).nonzero().flatten()
    if len(zero):
        raise PointsError(
            f"{len(zero)} of {len(x)} rows are zero and have no direction; the first is row {int(zero[0])}"
        )
    x = x / peak  # no overflow or underflow in the squares
    return x / x.norm(dim=1, keepdim=True)


def _euclidean(x: torch.Tensor, on_progress: OnProgress | None = None) -> torch.Tensor:
    """Scale by a power of two (exact), so that squares neither overflow nor vanish, and scale back."""
    centred = x - x.mean(0)
    scale = power_of_two(centred)
    x = x / scale
    distances = _direct(x, x) if len(x) <= _DIRECT else _gram(x, centred / scale, on_progress)
    return distances.mul_(scale)


def _direct(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _gram(x: torch.Tensor, centred: torch.Tensor, on_progress: OnProgress | None) -> torch.Tensor:
    """Return all distances by blocks of the upper triangle, each copied onto the lower one."""
    import torch

    n = len(x)
    squares = centred.square().sum(1)
    result = x.new_empty(n, n)
    for rows in _row_blocks(n, n):
        columns = slice(rows.start, n)
        norms = squares[rows, None] + squares[columns]
        block = torch.addmm(norms, centred[rows], centred[columns].T, alpha=-2)
        near = (block < norms.mul_(_CANCELLED)).nonzero()
        block.clamp_(min=0).sqrt_()
        for pairs in near.split(max(1, _BLOCK_BYTES // (24 * x.shape[1]))):
            i, j = pairs.unbind(1)
            block[i, j] = row_distances(x[i + rows.start], x[j + rows.start])
        _place(result, rows, columns, block)
        if on_progress is not None:
            on_progress(1 - (1 - rows.stop / n) ** 2)
    return result


def _place(matrix: torch.Tensor, rows: slice, columns: slice, block: torch.Tensor) -> None:
    """Write a block of the upper triangle, whose columns begin with its rows, to its place and its mirror image."""
    # Within the corner the two triangles were computed apart, and may differ in the last bit.
    size = rows.stop - rows.start
    corner = block[:, :size].triu(1)
    block[:, :size] = corner + corner.T
    matrix[rows, columns] = block
    matrix[columns, rows] = block.T


def _row_blocks(n: int, width: int) -> Iterator[slice]:
    """Yield slices of rows so that a float64 block of ``width`` columns stays within the block size."""
    step = max(1, _BLOCK_BYTES // (8 * max(width, 1)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
