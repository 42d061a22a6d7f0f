"""The Lorentz model of hyperbolic space, and the stereographic form, as pure functions.

Curvature -1/K, K > 0. A point is a vector (t, s) with -t² + ‖s‖² = -K, t > 0: one tensor (..., n + 1), the time
coordinate t first. The origin is (√K, 0), and a tangent vector there is its n space coordinates. Formulas: Nickel and
Kiela (*Learning Continuous Hierarchies in the Lorentz Model*, ICML 2018) and Chen et al. (*Fully Hyperbolic Neural
Networks*, ACL 2022), where K is written -1/K or β.

Everything is computed in float64 (float32 on Apple's GPUs) and returned in the dtype of the input. A result overflows
only where it is itself out of that dtype's range, no value and no gradient is clamped, and gradients at the origin are
the exact ones. Whole numbers are taken for numbers of torch's default dtype. ``K`` is a number or a tensor that
broadcasts against the leading dimensions with a last one of size 1 (or has no dimension), and may require a gradient. A
number that is not positive and finite is a ``ValueError``; what is in a tensor is not looked at.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from hyplora._checks import check_positive

__all__ = [
    "distance",
    "expmap0",
    "logmap0",
    "lorentz_linear",
    "minkowski_inner",
    "project",
    "stereographic_lift",
    "stereographic_project",
]

Number: TypeAlias = float | Tensor


def minkowski_inner(p: Tensor, q: Tensor) -> Tensor:
    """Return ⟨p, q⟩ = -p_t q_t + p_s · q_s of points or vectors (..., n + 1), as (...).

    Far from the origin the two terms, of size t², cancel: of a point with itself, -K, nothing is left where t² is 1e16
    K, and in a narrower dtype, whose points are rounded, sooner. For distances take :func:`distance`.
    """
    p, q = _floating(p), _floating(q)
    a, b = _wide(p), _wide(q)
    return ((a[..., 1:] * b[..., 1:]).sum(-1) - a[..., 0] * b[..., 0]).to(torch.result_type(p, q))


def project(s: Tensor, K: Number) -> Tensor:
    """Return the point (√(‖s‖² + K), s), (..., n + 1), of which s (..., n) are the space coordinates."""
    s = _floating(s)
    w = _wide(s)
    t = torch.hypot(_norm(w), _root(K, w).expand(*w.shape[:-1], 1))
    return torch.cat((t, w), dim=-1).to(s.dtype)


def expmap0(x: Tensor, K: Number) -> Tensor:
    """Return the exponential map at the origin, (..., n + 1), of a tangent vector x (..., n).

    t = √K cosh(‖x‖/√K), s = √K sinh(‖x‖/√K) x/‖x‖.
    """
    x = _floating(x)
    w = _wide(x)
    root = _root(K, w)
    norm = _norm(w)
    theta = norm / root
    # e^θ in two steps: √K e^θ can be in range where e^θ is not.
    near = theta < 1.0
    half = torch.exp(torch.where(near, 0.0, theta) / 2.0)
    direction = w / torch.where(near, 1.0, norm)
    shrink = torch.exp(-2.0 * theta)
    t = torch.where(near, root * torch.cosh(torch.where(near, theta, 0.0)), 0.5 * root * half * (1.0 + shrink) * half)
    far = 0.5 * root * half * (1.0 - shrink) * direction * half
    s = torch.where(near, _sinhc(torch.where(near, theta, 0.0)) * w, far)
    return torch.cat((t, s), dim=-1).to(x.dtype)


def logmap0(point: Tensor, K: Number) -> Tensor:
    """Return the logarithmic map at the origin, (..., n), of a point (..., n + 1).

    √K arcosh(t/√K) s/‖s‖, which on the manifold is √K arsinh(‖s‖/√K) s/‖s‖; that form is used, so only the space
    coordinates are looked at, and a rounded time coordinate does no harm.
    """
    point = _floating(point)
    w = _wide(point[..., 1:])
    root = _root(K, w)
    norm = _norm(w)
    near = norm < root
    # Apart, because far out the derivative of arsinh z / z underflows where that of the whole does not.
    length = torch.where(near, root, norm)
    far = root * _arsinh(length, root) * (w / length)
    return torch.where(near, _arsinhc(torch.where(near, norm, 0.0) / root) * w, far).to(point.dtype)


def lorentz_linear(point: Tensor, weight: Tensor, K: Number, *, form: Literal["space", "time"] = "space") -> Tensor:
    """Return Lorentz linear regression (LLR): the point (..., k + 1) whose space coordinates are a linear map's.

    ``space``: weight (k, n) acts on the space coordinates, (√(‖W s‖² + K), W s), so that LLR(BA) is LLR(B) after
    LLR(A). ``time``: weight (k, n + 1) acts on (t, s), and a rank-r map keeps a time coordinate in between.
    """
    if form not in ("space", "time"):
        raise ValueError(f"unknown form {form!r}; choose one of: space, time")
    point = _floating(point)
    w = _wide(point)
    return project((w[..., 1:] if form == "space" else w) @ weight.to(w.dtype).mT, K).to(point.dtype)


def distance(p: Tensor, q: Tensor, K: Number) -> Tensor:
    """Return the hyperbolic distance √K arcosh(-⟨p, q⟩/K) of points (..., n + 1), as (...).

    Only the space coordinates are looked at; norms up to about 1e300 √K. Computed as 2 √K arsinh √((-⟨p, q⟩/K - 1)/2),
    what is under the root made without cancellation: what error is left is that of moving p and q by a rounding. The
    gradient where p = q, at which the distance has none, is 0.
    """
    p, q = _floating(p), _floating(q)
    a, b = torch.broadcast_tensors(_wide(p)[..., 1:], _wide(q)[..., 1:])
    root = _root(K, a)
    a, b = a / root, b / root
    ra, rb = _norm(a), _norm(b)
    one = torch.ones_like(ra)
    ta, tb = torch.hypot(ra, one), torch.hypot(rb, one)
    # Far from the origin, ρ = arsinh r: sinh²(d/2) = sinh²((ρa - ρb)/2) + sinh ρa sinh ρb ‖â - b̂‖²/4, all positive.
    away = torch.minimum(ra, rb) > 0.5
    fa, fb = torch.where(away, ra, one), torch.where(away, rb, one)
    share = fa / (fa + fb)
    gap = ((a - b) * (a / (fa + fb) + b / (fa + fb))).sum(-1, keepdim=True)  # ra - rb
    radial = torch.asinh(gap / (tb * share + ta * (1.0 - share)))
    angular = fa.sqrt() * fb.sqrt() * _norm(a / fa - b / fb) / 2.0
    far = 2.0 * _arsinh(_norm(torch.cat((torch.sinh(radial / 2.0), angular), dim=-1)))
    # One of them near the origin: arcosh of -⟨p, q⟩, or ⟨p - q, p - q⟩ where that is small.
    na, nb = torch.where(away, 0.0, a), torch.where(away, 0.0, b)
    cosh = torch.where(away, 2.0, ta * tb) - (na * nb).sum(-1, keepdim=True)
    apart = cosh > 2.0
    # arcosh c = 2 arsinh √((c - 1)/2)
    between = 2.0 * _arsinh(((torch.where(apart, cosh, 2.0) - 1.0) / 2.0).sqrt())
    difference = torch.where(apart, 0.0, na - nb)
    along = (difference * (na + nb)).sum(-1, keepdim=True) / (ta + tb)  # ta - tb
    chord = _norm(difference)
    ratio = along / torch.where(chord > 0.0, chord, 1.0)
    close = 2.0 * _arsinh(chord * (1.0 - ratio * ratio).sqrt() / 2.0)
    result = root * torch.where(away, far, torch.where(apart, between, close))
    return result.squeeze(-1).to(torch.result_type(p, q))


def stereographic_lift(x: Tensor, K: Number) -> Tensor:
    """Return 2x / (1 + K‖x‖²), (..., n), the first map of the released "simplified" layer.

    The space coordinates of the inverse stereographic projection onto the *sphere* of curvature K; for hyperbolic space
    of curvature -K the sign is a minus.
    """
    x = _floating(x)
    w = _wide(x)
    root = _root(K, w)
    scale = _scale(w)
    unit = w / scale
    norm = _norm(unit)
    near = root * norm * scale < 1.0  # ρ = √K ‖x‖, which may overflow; so does its square, long before
    reach = root * torch.where(near, norm * scale, 0.0)
    close = 2.0 * torch.where(near, w, 0.0) / (1.0 + reach * reach)
    # 2 (x/‖x‖) / √K / (ρ + 1/ρ)
    length = torch.where(near, 1.0, norm)
    side = torch.where(near, 1.0, root)
    inverse = 1.0 / side / length / torch.where(near, 1.0, scale)
    far = 2.0 * (torch.where(near, 0.0, unit) / length) / side * (inverse / (1.0 + inverse * inverse))
    return torch.where(near, close, far).to(x.dtype)


def stereographic_project(v: Tensor, K: Number) -> Tensor:
    """Return v / (1 + √K √(‖v‖² + K)), (..., n), the last map of the released "simplified" layer.

    For K = 1 the stereographic projection of the hyperboloid onto the Poincaré ball. For other K it mixes curvature
    -1/K, where the time coordinate is √(‖v‖² + K), with -K, where the projection is v / (1 + √K √(‖v‖² + 1/K)).
    """
    v = _floating(v)
    w = _wide(v)
    root = _root(K, w)
    scale = _scale(w).clamp(min=1.0)
    unit = w / scale
    norm = _norm(unit)
    return (unit / (1.0 / scale + root * torch.hypot(norm, root / scale))).to(v.dtype)


def _floating(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.device.type == "mps" else x.double()


def _root(K: Number, like: Tensor) -> Tensor:
    """Return √K in the dtype of ``like``, with a last dimension of size 1."""
    if not isinstance(K, Tensor):
        check_positive("K", K)
    given = torch.as_tensor(K, dtype=like.dtype, device=like.device)
    return (given if given.ndim else given.reshape(1)).sqrt()


def _norm(x: Tensor) -> Tensor:
    """Return ‖x‖ (..., 1), in range whenever it is, with gradient 0 at 0."""
    scale = _scale(x)
    return torch.linalg.vector_norm(x / scale, dim=-1, keepdim=True) * scale


def _scale(x: Tensor) -> Tensor:
    """Return 1 (..., 1), or the largest of |x| where squares would leave the range."""
    largest = x.detach().abs().amax(-1, keepdim=True) if x.shape[-1] else x.new_zeros(*x.shape[:-1], 1)
    return torch.where((largest > 1e-100) & (largest < 1e100) | (largest == 0.0), torch.ones_like(largest), largest)


def _sinhc(z: Tensor) -> Tensor:
    """Return sinh z / z for 0 ≤ z ≤ 1."""
    square = z * z
    small = z < 0.05
    series = 1.0 + square / 6.0 * (1.0 + square / 20.0 * (1.0 + square / 42.0 * (1.0 + square / 72.0)))
    safe = torch.where(small, 1.0, z)
    return torch.where(small, series, torch.sinh(safe) / safe)


def _arsinhc(z: Tensor) -> Tensor:
    """Return arsinh z / z for 0 ≤ z ≤ 1."""
    small = z < 0.05
    square = torch.where(small, z, 0.0).square()
    series = torch.full_like(z, 231.0 / 13312.0)
    for coefficient in (-63.0 / 2816.0, 35.0 / 1152.0, -5.0 / 112.0, 3.0 / 40.0, -1.0 / 6.0, 1.0):
        series = series * square + coefficient
    safe = torch.where(small, 1.0, z)
    return torch.where(small, series, torch.asinh(safe) / safe)


def _arsinh(z: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """Return arsinh(z / unit) for z ≥ 0, with a gradient that does not square z where that would overflow."""
    far = z > 1e10 * unit
    ratio = torch.where(far, 1.0, z) / unit
    return torch.where(far, torch.log(torch.where(far, z, 1.0)) + _log(2.0 / unit), torch.asinh(ratio))


def _log(number: Tensor | float) -> Tensor | float:
    return torch.log(number) if isinstance(number, Tensor) else math.log(number)
