"""What each form of HypLoRA does to one token, and its derivative, in numbers no wider than the rank.

Every form is Δ = scaling · g · B h. In ``space`` and ``simplified``, h = u = A x; in ``time``, h = (h_t, h_s) is the
hidden point (u_t, u) divided by √K cosh θ, which keeps it finite. The gate g depends on ‖x‖ and on p = ‖B h‖, and p²
is hᵀ(BᵀB)h. Notation: s = √K, R = c s, θ = ‖x‖/R, ψ = arsinh(e^μ p) the hyperbolic length of the output.

    space       h = A x                         μ = log(sinh θ / θ) - log R      g = s ψ / p
    time        h_s = a + b A x, h_t = √(‖h_s‖² + sech² θ), a = A[:, 0], b = tanh θ / (θ R)
                                                μ = log cosh θ                   g = s ψ / p
    simplified  h = A x, f = 2c / (c² + K ‖x‖²)                                  g = f / (1 + s √(f² p² + K))

Tensors here are float64 for factors in float32 and float64, float32 for those of 16 bits (:func:`wide_dtype`): (N, r)
the rank's, (N,) one number per token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from hyplora._radial import arsinh_exp, log_cosh, log_sinhc, over_sinhc, tanhc, xcothx

__all__ = [
    "Gated",
    "Inputs",
    "Options",
    "Slopes",
    "add_multiples",
    "by_x",
    "gated",
    "gram_of",
    "largest_mu",
    "norms",
    "room",
    "slopes",
    "value_of",
    "weigh",
    "wide_dtype",
]

# Where B h = 0 the gate is its limit, s e^μ, and that can overflow. μ + log(1 + s ‖h‖) stops at this, far enough from
# the end of the range for the gate's square, and for g h in the dtype of the products. Where B h ≠ 0, g is what it is.
_LARGEST_MU = {torch.float64: 345.0, torch.float32: 69.0, torch.bfloat16: 40.0, torch.float16: 9.0}


class Options(NamedTuple):
    """What of the map is no tensor.

    Attributes
    ----------
    form : str
    scaling : float
        LoRA's alpha / r.
    dtype : torch.dtype
        That of the products.
    K_start, c_start : float or None
        See :func:`value_of`.
    """

    form: str
    scaling: float
    dtype: torch.dtype
    K_start: float | None
    c_start: float | None


class Inputs(NamedTuple):
    """What the numbers of the tokens are made of.

    Attributes
    ----------
    u, norm : Tensor
        A x (N, r), without the time column, and ‖x‖ (N,).
    column : Tensor or None
        a (r,) of the form ``time``.
    gram : Tensor
        :func:`gram_of` B.
    K, c : Tensor or None
        See :func:`value_of`.
    size : Tensor or None
        A factor that goes with :func:`weigh`'s result.
    """

    u: Tensor
    norm: Tensor
    column: Tensor | None
    gram: Tensor
    K: Tensor | None
    c: Tensor | None
    size: Tensor | None


def value_of(tensor: Tensor | None, start: float | None, like: Tensor) -> Tensor:
    """Return start · exp(tensor) as a tensor () like another; where one of the two is None, it is the other."""
    if tensor is None:
        return torch.full((), float(start), dtype=like.dtype, device=like.device)  # type: ignore[arg-type]
    tensor = tensor.to(device=like.device, dtype=like.dtype).reshape(())
    return tensor if start is None else start * tensor.exp()


_CHUNK = 2**19  # numbers, of which a float32 copy stays in a core's cache


class Gated(NamedTuple):
    """What the forward pass makes of a token.

    Attributes
    ----------
    hidden : Tensor
        h (N, r), with the time coordinate first, (N, r + 1), in the form ``time``.
    gain : Tensor
        g (N,).
    psi : Tensor
        ψ (N,); the form ``simplified`` has f there.
    square : Tensor
        p² (N,).
    product : Tensor
        BᵀB h, like ``hidden``.
    """

    hidden: Tensor
    gain: Tensor
    psi: Tensor
    square: Tensor
    product: Tensor


class Slopes(NamedTuple):
    """Derivatives of the loss.

    Attributes
    ----------
    weighted : Tensor
        What :func:`weigh` returns: the product with it is the larger part of B's gradient.
    rank : Tensor
        By A x, (N, r), in the dtype of the products.
    pull : Tensor
        By x along x, (N,): the gradient by x is ``rank @ A + pull · x``.
    outer : Tensor
        Symmetric (r, r), or (r + 1, r + 1): the part of B's gradient that comes from p² is ``B @ outer``.
    column : Tensor or None
        By a, (r,), in the form ``time``.
    log_curvature, log_scale : Tensor
        By log K and log c, of no dimension.
    """

    weighted: Tensor
    rank: Tensor
    pull: Tensor
    outer: Tensor
    column: Tensor | None
    log_curvature: Tensor
    log_scale: Tensor


def norms(x: Tensor) -> Tensor:
    """Return ‖x‖ (N,) of x (N, d); float32 for 16 bits."""
    if x.element_size() > 2:
        return torch.linalg.vector_norm(x, dim=-1)
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32)
    # On a CPU that call would first copy all of x.
    return torch.cat([torch.linalg.vector_norm(chunk.float(), dim=-1) for chunk in x.split(_rows(x))])


def add_multiples(to: Tensor, x: Tensor, numbers: Tensor) -> None:
    """Add to each row of ``to`` (N, d) that of x times a number (N,), without a converted copy of all of x."""
    numbers = numbers.to(to.dtype).unsqueeze(-1)
    if x.dtype == to.dtype or x.device.type != "cpu" or torch.compiler.is_compiling():
        to.addcmul_(x, numbers)
        return
    for part, chunk, some in zip(*(each.split(_rows(x)) for each in (to, x, numbers)), strict=True):
        part.addcmul_(chunk.to(to.dtype), some)


def by_x(
    rank: Tensor, A: Tensor, x: Tensor, pull: Tensor, *, add: Callable[[Tensor, Tensor, Tensor], None] = add_multiples
) -> Tensor:
    """Return rank @ A + pull · x (N, d), for rank (N, r) and A (r, d) in one dtype, which is that of the result."""
    found = rank @ A
    add(found, x, pull)
    return found


def _rows(x: Tensor) -> int:
    return max(1, _CHUNK // max(1, int(x.shape[-1])))


def weigh(options: Options, inputs: Inputs) -> Tensor:
    """Return scaling · g h (N, r) or (N, r + 1) of every token, of which B makes the output: in the products' dtype."""
    return _weighted(options, gated(options, inputs), inputs.size)


def gated(options: Options, inputs: Inputs) -> Gated:
    """Return h and g."""
    u, norm, column, gram, K, c = _wide(options, inputs)
    s = K.sqrt()
    theta = norm / (c * s)
    hidden = u
    if column is not None:
        hidden = column + (tanhc(theta) / (c * s)).unsqueeze(-1) * u
        time = (hidden.square().sum(-1) + torch.exp(-2.0 * log_cosh(theta))).sqrt()
        hidden = torch.cat((time.unsqueeze(-1), hidden), dim=-1)
    square, product = _square(hidden, gram, options.dtype)
    if options.form == "simplified":
        f = 2.0 * c / (c * c + K * norm.square())
        return Gated(hidden, f / (1.0 + s * (f * f * square + K).sqrt()), f, square, product)
    mu = log_cosh(theta) if options.form == "time" else log_sinhc(theta) - torch.log(c * s)
    psi = arsinh_exp(mu + 0.5 * torch.log(square))
    limit = torch.exp(_stopped(mu, hidden, s, options.dtype))
    return Gated(hidden, s * torch.where(square == 0.0, limit, psi * square.rsqrt()), psi, square, product)


def slopes(options: Options, inputs: Inputs, upstream: Tensor) -> Slopes:
    """Return the derivatives, given ``upstream``: the loss's by scaling · g h, (N, r) or (N, r + 1)."""
    form = options.form
    found = gated(options, inputs)
    u, norm, _, gram, K, c = _wide(options, inputs)
    upstream = upstream.to(gram.dtype)
    s = K.sqrt()
    R = c * s
    theta = norm / R
    h, g, square = found.hidden, found.gain, found.square
    scaled = options.scaling * g
    loss = (upstream * h).sum(-1) * scaled  # dL/d log g, the gate's own share
    if form == "simplified":
        f = found.psi
        root = (f * f * square + K).sqrt()
        denominator = 1.0 + s * root
        by_square = -loss * s * f * f / (root * denominator)  # twice dL/dp²
        by_f = loss * (1.0 - s * f * f * square / (root * denominator))
        fall = K / (c * c + K * norm.square())
        log_curvature = -by_f * fall * norm.square() - loss * 0.5 * (s * root + K * s / root) / denominator
        log_scale = by_f * (1.0 - 2.0 * c * c / (c * c + K * norm.square()))
        pull = -2.0 * by_f * fall
    else:
        # d log ψ / d log(e^μ p) = tanh ψ / ψ = 1 / (1 + W), where W = ψ coth ψ - 1.
        v = xcothx(found.psi)
        by_mu = loss / (1.0 + v * found.psi.square())
        by_square = -by_mu * v * (g / s).square()  # W/p² = v (g/s)², which has no p to divide by
    by_hidden = torch.addcmul(scaled.unsqueeze(-1) * upstream, by_square.unsqueeze(-1), found.product)
    outer = (by_square.unsqueeze(-1) * h).mT @ h
    by_column = None
    if form == "space":
        v_theta = xcothx(theta)
        pull = by_mu * v_theta / (R * R)
        inflow = by_mu * v_theta * theta.square()  # dL/d log θ
        log_scale = -inflow - by_mu
        # (loss + log_scale) / 2, without cancellation.
        log_curvature = 0.5 * (by_mu * v * found.psi.square() - inflow)
        by_u = by_hidden
    elif form == "time":
        over_time = by_hidden[:, :1] / h[:, :1]
        by_point = by_hidden[:, 1:] + over_time * h[:, 1:]
        by_column = by_point.sum(0)
        b = tanhc(theta) / R
        by_u = b.unsqueeze(-1) * by_point
        by_b = (by_point * u).sum(-1) * b  # dL/d log b
        sech = torch.exp(-2.0 * log_cosh(theta))
        # dL/d log θ, divided by θ².
        inflow = (by_mu - over_time.squeeze(-1) * sech) * tanhc(theta) - by_b * over_sinhc(theta)
        pull = inflow / (R * R)
        log_scale = -inflow * theta.square() - by_b
        log_curvature = 0.5 * (log_scale + loss)
    else:
        by_u = by_hidden
    weighted = _weighted(options, found, inputs.size)
    return Slopes(weighted, by_u.to(options.dtype), pull, outer, by_column, log_curvature.sum(), log_scale.sum())


def _wide(options: Options, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor, Tensor]:
    u, norm, column, gram, K, c, _ = inputs
    wide = gram.dtype
    column = None if column is None else column.to(wide)
    K, c = value_of(K, options.K_start, gram), value_of(c, options.c_start, gram)
    return u.to(wide), norm.to(wide), column, gram, K, c


def _weighted(options: Options, found: Gated, size: Tensor | None) -> Tensor:
    factor = options.scaling * found.gain if size is None else options.scaling * found.gain * size
    return (factor.unsqueeze(-1) * found.hidden).to(options.dtype)


def _stopped(mu: Tensor, hidden: Tensor, s: Tensor, dtype: torch.dtype) -> Tensor:
    most = largest_mu(dtype, mu.dtype)
    return torch.minimum(mu, most - torch.log1p(s * torch.linalg.vector_norm(hidden, dim=-1)))


def largest_mu(dtype: torch.dtype, wide: torch.dtype) -> float:
    """Return where μ + log(1 + s ‖h‖) stops if B h = 0."""
    return _LARGEST_MU[dtype] if wide == torch.float64 else min(_LARGEST_MU[dtype], 40.0)


def gram_of(B: Tensor, wide: torch.dtype, dtype: torch.dtype) -> Tensor:
    """Return BᵀB; where ``dtype``, that of the products, is float64, a root R of it (BᵀB = RᵀR) with up to r more rows.

    BᵀB squares the condition of B. Float64 has the digits to do so for products in float32, but none to spare for its
    own. Either has room for rounding on its diagonal, so that p² is 0 only where B or h is: where B h all but vanishes
    and h does not, the sum can come out as nothing; the gate would then take its limit, which can be e^θ, and let it
    loose on what rounding left of B h.
    """
    b = B.to(wide)
    if dtype == torch.float64:
        return torch.cat((torch.linalg.qr(b, mode="r").R, torch.diag(room(wide) * torch.linalg.vector_norm(b, dim=0))))
    gram = b.mT @ b
    gram.diagonal().mul_(1.0 + room(wide))
    return gram


def room(dtype: torch.dtype) -> float:
    """Return what to add to the diagonal of BᵀB, relative to it, because rounding may have taken it."""
    return 8.0 * float(torch.finfo(dtype).eps)


def _square(hidden: Tensor, gram: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return p² (N,) and BᵀB h."""
    if dtype == torch.float64:
        turned = hidden @ gram.mT
        return turned.square().sum(-1), turned @ gram
    product = hidden @ gram
    return (hidden * product).sum(-1).abs(), product


def wide_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype of what is no wider than the rank, where the wide products are in ``dtype``.

    For float32 that is float64, because BᵀB squares the condition of B; Apple's GPUs alone do not have it.
    """
    return torch.float32 if dtype.itemsize == 2 or device.type == "mps" else torch.float64
