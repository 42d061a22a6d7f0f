"""HypLoRA's map as one autograd function that keeps what LoRA keeps, and one number per token."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from hyplora import _forms
from hyplora._forms import Inputs, Options, gated, wide_dtype

__all__ = ["HyperbolicDelta", "gate_of"]


class HyperbolicDelta(torch.autograd.Function):  # type: ignore[misc]
    """Δ = scaling · g · B h, of x (..., d), A, B, and the tensors that ``options`` makes K and c of, if any.

    With ``onto`` (..., k), in the dtype of the products, onto + Δ: the product adds to it, which saves a pass.

    Forward keeps x, A, B, u = A x and ‖x‖. Whatever else backward needs is no wider than the rank and is made again.
    Beyond LoRA's four wide products, x is read once for its norm and once for its share in the gradient by x. What is
    no wider than the rank is done by compiled loops on a CPU, by Triton on a GPU, or by tensors: see ``_engine``. Some
    CPUs do everything in compiled loops, the products too.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        A: Tensor,
        B: Tensor,
        K: Tensor | None,
        c: Tensor | None,
        onto: Tensor | None,
        options: Options,
    ) -> Tensor:
        with _as_they_are(x):
            cast = _in(options.dtype, x)
            ahead, _ = _both(x, A, B, options.dtype)
            delta, u, norm, gram = ahead(x, cast, A, B, K, c, onto, *options)
        # LoRA would keep its converted copy of x; the narrower of the two will do.
        kept = x if x.element_size() <= cast.element_size() else cast
        ctx.save_for_backward(kept, A, B, K, c, u, norm, gram)
        ctx.options, ctx.x_dtype = options, x.dtype
        return delta

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        # once_differentiable would let a gradient by x pass for a constant where the upstream one is a constant.
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError("HypLoRA's map can be differentiated once; it was asked for with create_graph=True")
        x, A, B, *others = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad)
        with _as_they_are(x):
            _, back = _both(x, A, B, ctx.options.dtype)
            found = back(upstream, x, A, B, *others, *ctx.options, ctx.x_dtype, wanted[:5])
        by_each = (each if one else None for each, one in zip(found, wanted[:5], strict=True))
        return *by_each, upstream if wanted[5] else None, None


def forward(
    x: Tensor,
    cast: Tensor,
    A: Tensor,
    B: Tensor,
    K: Tensor | None,
    c: Tensor | None,
    onto: Tensor | None,
    *given: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return Δ and what backward needs, u, ‖x‖ and BᵀB; ``cast`` is x in the dtype of the products."""
    options = Options(*given)
    dtype = options.dtype
    onto = None if onto is None else _rows(onto)
    engine = _engine(dtype, x, A, B)
    if x.dtype != torch.float64 and _has_all(engine, dtype, cast, B, onto):
        rows = _rows(x), _rows(cast), _in(dtype, A), _in(dtype, B)
        delta, u, norm, gram = engine.forward(options, *rows, K, c, onto)
    else:
        inputs = _inputs(engine, options, x, cast, A, B, K, c)
        factor = _in(dtype, _divided(B, inputs.size)).mT
        weighted = engine.weigh(options, inputs)
        delta = weighted @ factor if onto is None else torch.addmm(onto, weighted, factor)
        u, norm, gram = inputs.u, inputs.norm, inputs.gram
    return _like_rows(delta, x), u, norm, gram


def backward(
    upstream: Tensor,
    x: Tensor,
    A: Tensor,
    B: Tensor,
    K: Tensor | None,
    c: Tensor | None,
    u: Tensor,
    norm: Tensor,
    gram: Tensor,
    *given: Any,
) -> tuple[Tensor | None, ...]:
    """Return the derivatives by x, A, B, K and c, or None where one is not wanted."""
    *of_options, x_dtype, wanted = given
    options = Options(*of_options)
    dtype, form = options.dtype, options.form
    by_x = by_A = by_B = by_K = by_c = None
    tokens, upstream = _rows(x), _in(dtype, _rows(upstream))
    engine = _engine(dtype, x, A, B)
    # Of tokens in float64, forward went the other way.
    if norm.dtype == torch.float32 and _has_all(engine, dtype, x, B, upstream):
        factors = _in(dtype, A), _in(dtype, B)
        by_x, by_A, by_B, log_curvature, log_scale = engine.backward(
            options, upstream, tokens, *factors, K, c, u, norm, gram, wanted[:3]
        )
    else:
        inputs = Inputs(u, norm, _time(A, form), gram, K, c, _size(B, dtype))
        slope = engine.slopes(options, inputs, upstream @ _in(dtype, B))
        log_curvature, log_scale = slope.log_curvature, slope.log_scale
        if wanted[2]:
            by_B = _by_B(upstream, slope.weighted, slope.outer, B, inputs.size)
        if wanted[1]:
            by_A = _by_A(slope.rank, slope.column, _in(dtype, tokens))
        if wanted[0]:
            by_x = engine.by_x(slope.rank, _in(dtype, _space(A, form)), tokens, slope.pull)
    if wanted[0]:
        by_x = _like_rows(_in(x_dtype, by_x), x)
    if wanted[1]:
        by_A = _in(A.dtype, by_A)
    if wanted[2]:
        by_B = _in(B.dtype, by_B)
    if wanted[3]:
        by_K = _by_number(log_curvature, K, options.K_start)
    if wanted[4]:
        by_c = _by_number(log_scale, c, options.c_start)
    return by_x, by_A, by_B, by_K, by_c


def _has_all(engine: Any, dtype: torch.dtype, x: Tensor, B: Tensor, other: Tensor | None) -> bool:
    """Return whether an engine has the map and its derivative, of such tensors, each in one function."""
    if engine is _forms or not x.is_cpu or engine is not _cpu():
        return False
    return (other is None or _has_numbers(other)) and engine.fits(x, B, dtype)


# Older versions do not tell: there everything is taken apart.
_is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


def _both(x: Tensor, A: Tensor, B: Tensor, dtype: torch.dtype) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return forward and backward, as operators where a compiler is to take them as they are."""
    if not torch.compiler.is_compiling() or _is_exporting():
        return forward, backward
    if x.device.type != "cpu" or torch.float64 in (x.dtype, dtype):
        return forward, backward
    if not (type(x) in _PLAIN and type(A) in _PLAIN and type(B) in _PLAIN):
        return forward, backward
    from hyplora import _operators

    return _operators.forward, _operators.backward


def gate_of(x: Tensor, A: Tensor, B: Tensor, K: Tensor | None, c: Tensor | None, options: Options) -> Tensor:
    """Return g (...) of x (..., d)."""
    with _as_they_are(x):
        return gated(options, _inputs(_forms, options, x, _in(options.dtype, x), A, B, K, c)).gain.reshape(x.shape[:-1])


def _inputs(
    engine: Any,
    options: Options,
    x: Tensor,
    cast: Tensor,
    A: Tensor,
    B: Tensor,
    K: Tensor | None,
    c: Tensor | None,
) -> Inputs:
    dtype = options.dtype
    tokens = _rows(cast)
    u = tokens @ _in(dtype, _space(A, options.form)).mT
    norm = engine.norms(tokens if cast.element_size() >= x.element_size() else _rows(x))
    gram = engine.gram_of(B, wide_dtype(dtype, x.device), dtype)
    return Inputs(u, norm, _time(A, options.form), gram, K, c, _size(B, dtype))


def _engine(dtype: torch.dtype, x: Tensor, A: Tensor, B: Tensor) -> Any:
    """Return the module that does the work on the tokens' own numbers."""
    if torch.compiler.is_compiling() or dtype == torch.float64:
        return _forms
    if not (_has_numbers(x) and _has_numbers(A) and _has_numbers(B)):
        return _forms
    if x.is_cpu:
        return _cpu()
    from hyplora.kernels import gpu

    return gpu if x.is_cuda and gpu.available() else _forms


_PLAIN = (Tensor, nn.Parameter)


def _has_numbers(x: Tensor) -> bool:
    """Return whether a tensor's memory has its numbers: not that of a fake one, or of what is negated lazily."""
    return type(x) in _PLAIN and not x.is_neg()


@cache
def _cpu() -> Any:
    from hyplora.kernels import cpu  # which loads numba

    return cpu


def _as_they_are(x: Tensor) -> AbstractContextManager[Any]:
    """Return a context in which autocast converts nothing."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def _rows(x: Tensor) -> Tensor:
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def _like_rows(rows: Tensor, x: Tensor) -> Tensor:
    """Return what :func:`_rows` has made of x in its shape again; no view, to which autograd would not add in place."""
    return rows if x.ndim == 2 else torch.ops.aten._unsafe_view(rows, (*x.shape[:-1], rows.shape[-1]))


def _in(dtype: torch.dtype, x: Tensor) -> Tensor:
    return x if x.dtype == dtype else x.to(dtype)


def _space(A: Tensor, form: str) -> Tensor:
    return A[:, 1:] if form == "time" else A


def _time(A: Tensor, form: str) -> Tensor | None:
    return A[:, 0] if form == "time" else None


def _by_number(log_slope: Tensor | float, tensor: Tensor, start: float | None) -> Tensor:
    """Return the derivative by the tensor of which :func:`hyplora._forms.value_of` makes the number."""
    if isinstance(log_slope, float):
        if start is not None and abs(log_slope) < 1e4:  # new_full raises where a dtype has no such number
            return tensor.new_full(tensor.shape, log_slope)
        log_slope = torch.tensor(log_slope, dtype=torch.float64 if start is None else tensor.dtype)
    slope = log_slope / tensor.to(log_slope) if start is None else log_slope
    return slope.to(tensor).view(tensor.shape)


def _by_A(rank: Tensor, column: Tensor | None, tokens: Tensor) -> Tensor:
    if column is None:
        return rank.mT @ tokens
    by_A = tokens.new_empty(rank.shape[1], tokens.shape[1] + 1)
    by_A[:, 0] = column
    by_A[:, 1:].addmm_(rank.mT, tokens, beta=0.0)  # in its place, which saves a copy
    return by_A


def _by_B(upstream: Tensor, weighted: Tensor, outer: Tensor, B: Tensor, size: Tensor | None) -> Tensor:
    outer = _times(outer, size).to(B.dtype)
    if B.device.type == "cpu" and upstream.dtype == torch.float32:
        # MKL multiplies float32 a quarter faster this way round, oneDNN bfloat16 the other.
        product = _divided((weighted.mT @ upstream).to(B.dtype), size)
        return product.addmm_(outer, _divided(B, size).mT).mT
    product = _divided((upstream.mT @ weighted).to(B.dtype), size)
    return product.addmm_(_divided(B, size), outer)


def _size(B: Tensor, dtype: torch.dtype) -> Tensor | None:
    """Return the power of two next to B's largest entry, in float16, whose range g h would leave where B is small."""
    if dtype != torch.float16:
        return None
    largest = B.abs().amax().float()
    return torch.where(largest == 0.0, 1.0, torch.exp2(torch.floor(torch.log2(largest))))


def _times(x: Tensor, size: Tensor | None) -> Tensor:
    return x if size is None else x * size


def _divided(x: Tensor, size: Tensor | None) -> Tensor:
    return x if size is None else x / size
