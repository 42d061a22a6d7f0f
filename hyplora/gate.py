"""HypLoRA's map as LoRA times one number per token.

A token x is lifted to the Lorentz model of curvature -1/K by the exponential map at the origin, the low-rank matrix BA
acts on the space coordinates of the point (Lorentz linear regression, LLR), and the logarithmic map brings the result
back (*Hyperbolic Fine-Tuning for Large Language Models*, arXiv 2410.04010). All three only stretch vectors, so that

    logmap0(LLR(BA, expmap0(x))) = g(x) · B A x,    g = α arsinh(ρ)/ρ,
    α = √K sinh(‖x‖/√K) / ‖x‖,    ρ = α ‖B A x‖ / √K,

exactly, with ‖B A x‖² = uᵀ(BᵀB)u, u = A x. So HypLoRA costs what LoRA costs, but for one norm per token.

**Norm scale.** As in the authors' released code, the exponential map is taken of x/c, c = ``norm_scale``, and nothing
is multiplied back. In the Lorentz forms this is a curvature in disguise: with F_K the map above for K,

    F_K(x/c) = F_{c²K}(x) / c,

so c = √d and K = 1 is the paper's map (c = 1) with K = d, divided by √d.

**Forms.** ``space`` is the paper's. In ``time``, from the authors' first code, A (r, d + 1) and B (k, r + 1) act on the
time coordinate too, their column 0: u = A (x_t, x_s), then u_t = √(‖u‖² + K) and y = B (u_t, u). Its output does not
vanish at x = 0, where x_t = √K; for B = 0, the time column included, it is 0 everywhere. ``simplified`` is the layer
that the authors released: y = 2x / (1 + K‖x‖²), v = B A y, output v / (1 + √K √(‖v‖² + K)). Its geometry is not that of
the Lorentz model: the lift has the sign of a *sphere* (y are the space coordinates of the inverse stereographic
projection onto the sphere of curvature K, so ‖y‖ ≤ 1/√K, and past ‖x‖ = 1/√K longer tokens come out shorter; on the
Poincaré ball it would be 1 - K‖x‖²), and the projection back takes v for the space part of a point on the hyperboloid
of curvature -1/K but projects it as if the curvature were -K, which is the same only for K = 1. Its gate is at most
2 / (c (1 + K)) and falls as 1/‖x‖², where that of ``space`` rises with ‖x‖.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor

from hyplora._checks import check_positive
from hyplora._forms import Options
from hyplora._fused import HyperbolicDelta, gate_of

__all__ = ["Form", "Learned", "gate", "hyperbolic_delta"]

Form = Literal["space", "time", "simplified"]
_FORMS = get_args(Form)


class Learned(NamedTuple):
    """The number start · exp(weight), positive whatever the weight, () or (1,), is; the gradient is by the weight."""

    weight: Tensor
    start: float


def hyperbolic_delta(
    x: Tensor,
    A: Tensor,
    B: Tensor,
    K: float | Tensor | Learned,
    *,
    form: Form = "space",
    norm_scale: float | Tensor | Learned = 1.0,
    scaling: float = 1.0,
    onto: Tensor | None = None,
) -> Tensor:
    """Return scaling · logmap0(LLR(BA, expmap0(x / norm_scale))), what the adapter adds to its layer's output.

    Parameters
    ----------
    x : Tensor
        Tokens (..., d), of any floating dtype. Converted to that of A for the products, as PEFT does.
    A, B : Tensor
        The low-rank factors (r, d) and (k, r); in the form ``time`` (r, d + 1) and (k, r + 1), time first.
    K : float or Tensor
        The curvature is -1/K; positive. A tensor has one element, shape () or (1,), and may require a gradient. A
        :class:`Learned` is one that is made of its weight where it is used.
    form : {"space", "time", "simplified"}
        See the module's text.
    norm_scale : float or Tensor
        c, positive; like ``K``.
    scaling : float
        LoRA's alpha / r; finite.
    onto : Tensor, optional
        (..., k), what to add the result to. In the result's dtype, the last product adds to it as it goes.

    Returns
    -------
    Tensor
        (..., k), in the dtype of A; under autocast in its dtype, as a linear layer. With ``onto``, the sum.

    Raises
    ------
    ValueError
        For an unknown form, x of whole numbers, factors whose shapes do not fit or that are on another device, a
        scaling that is not finite, a K or norm scale that is a number and not positive and finite, or a tensor that has
        more than one element. What is in a tensor is not looked at: that would make a GPU wait. NaN in, NaN out.

    Notes
    -----
    Between the two products everything is float64 (float32 for factors of 16 bits and on Apple's GPUs, which have no
    other), so that the result is as good as the products are: relative to the map evaluated tensor by tensor, within
    1e-5 for float32 wherever ‖B h‖ / (‖B‖ ‖h‖), h = A x, is above 1e-2, and within 1e-10 for float64 wherever it is
    above 1e-5. Below, B A x itself has lost those digits, LoRA's as well: in float32 1.1e-5 of them at 5e-3.

    The derivatives by K and c are sums over the tokens, in float64, of numbers that carry the rounding of the products,
    about 1e-7 each for float32. Where these numbers cancel, the sum is that much less accurate in itself: 2e-4 for a
    sum of 256 that is a thousandth of its terms.

    Where B h = 0, as at the start of training, g is its limit, √K sinh(θ)/‖x‖ with θ = ‖x‖/(c√K) in the form ``space``,
    and so the gradient by B is exact, as far as the dtype reaches: past θ ≈ 350 for float64, 70 for float32, 40 for
    bfloat16 and 10 for float16, sinh θ leaves no room for products and squares, and g stays at the largest that does.
    With the norm scale √d, θ is about 1/√K.

    The map is differentiable once. Asking for its gradient with ``create_graph=True`` raises a ``RuntimeError``.
    """
    if not isinstance(scaling, Real) or not math.isfinite(scaling):
        raise ValueError(f"scaling must be a finite number, not {scaling!r}")
    curvature, scale, options = _checked(x, A, B, K, form, norm_scale, float(scaling))
    together = (
        onto is not None
        and onto.dtype == options.dtype
        and onto.device == x.device
        and onto.shape == (*x.shape[:-1], B.shape[0])
    )
    found = cast(Tensor, HyperbolicDelta.apply(x, A, B, curvature, scale, onto if together else None, options))
    return found if onto is None or together else onto + found


def gate(
    x: Tensor,
    A: Tensor,
    B: Tensor,
    K: float | Tensor | Learned,
    *,
    form: Form = "space",
    norm_scale: float | Tensor | Learned = 1.0,
) -> Tensor:
    """Return the gate g of every token, with which Δ = scaling · g · B A x.

    In the form ``time``, which has no B A x, Δ = scaling · g · B h with h the hidden point (u_t, u) divided by the time
    coordinate of the token, √K cosh(‖x‖/(c√K)).

    Parameters
    ----------
    x, A, B, K, form, norm_scale
        As for :func:`hyperbolic_delta`.

    Returns
    -------
    Tensor
        (...), float32, float64 where A is; not differentiable.
    """
    curvature, scale, options = _checked(x, A, B, K, form, norm_scale)
    with torch.no_grad():
        gain = gate_of(x, A, B, curvature, scale, options)
    return gain.to(torch.float64 if options.dtype == torch.float64 else torch.float32)


def _checked(
    x: Tensor,
    A: Tensor,
    B: Tensor,
    K: float | Tensor | Learned,
    form: str,
    norm_scale: float | Tensor | Learned,
    scaling: float = 1.0,
) -> tuple[Tensor | None, Tensor | None, Options]:
    if form not in _FORMS:
        raise ValueError(f"unknown form {form!r}; choose one of: {', '.join(_FORMS)}")
    for name, given in (("x", x), ("A", A), ("B", B)):
        if not given.is_floating_point():
            raise ValueError(f"{name} must be of a floating dtype, not {given.dtype}")
    extra = int(form == "time")
    if (
        x.ndim == 0
        or A.ndim != 2
        or B.ndim != 2
        or A.shape[1] != x.shape[-1] + extra
        or B.shape[1] != A.shape[0] + extra
    ):
        wanted = "A (r, d + 1), B (k, r + 1)" if extra else "A (r, d), B (k, r)"
        raise ValueError(
            f"the form {form!r} takes x (..., d), {wanted}; got {tuple(x.shape)}, {tuple(A.shape)}, {tuple(B.shape)}"
        )
    if not x.device == A.device == B.device:
        raise ValueError(f"x, A and B must be on one device, not on {x.device}, {A.device} and {B.device}")
    dtype = A.dtype
    device = x.device.type
    if dtype != torch.float64 and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    curvature, K_start = _number("K", K)
    scale, c_start = _number("norm_scale", norm_scale)
    return curvature, scale, Options(form, scaling, dtype, K_start, c_start)


def _number(name: str, value: float | Tensor | Learned) -> tuple[Tensor | None, float | None]:
    """Return what :func:`hyplora._forms.value_of` makes the number of."""
    if isinstance(value, Learned):
        return value
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(f"{name} must be one number, not a tensor of shape {tuple(value.shape)}")
        return value, None
    check_positive(name, value)
    return None, float(value)
