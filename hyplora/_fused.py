"""HypLoRA's map as one autograd function that keeps what LoRA keeps, and one number per token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hyplora._forms import gated, gram_of, slopes, wide_dtype

__all__ = ["HyperbolicDelta", "gate_of"]

_CHUNK = 2**19  # numbers, of which a float32 copy stays in a core's cache


class HyperbolicDelta(torch.autograd.Function):  # type: ignore[misc]
    """Δ = scaling · g · B h, of x (..., d), A, B, and K (), c () in :func:`wide_dtype`; products are in ``dtype``.

    Forward keeps x, A, B, u = A x and ‖x‖. Whatever else backward needs is no wider than the rank and is made again.
    Beyond LoRA's four wide products, x is read once for its norm and once for its share in the gradient by x.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor, form: str, scaling: float, dtype: torch.dtype
    ) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            cast = x.to(dtype)
            u, norm = _project(x.reshape(-1, x.shape[-1]), cast.reshape(-1, x.shape[-1]), A, form)
            wide = wide_dtype(dtype, x.device)
            gram = gram_of(B, wide, dtype)
            found = gated(form, u.to(wide), norm.to(wide), _time(A, form, wide), gram, K, c, dtype)
            size = _size(B, dtype)
            weighted = (_times(scaling * found.gain, size).unsqueeze(-1) * found.hidden).to(dtype)
            # LoRA would keep its converted copy of x; the narrower of the two will do.
            kept = x if x.element_size() <= cast.element_size() else cast
            ctx.save_for_backward(kept, A, B, K, c, u, norm, gram)
            ctx.form, ctx.scaling, ctx.dtype, ctx.x_dtype = form, scaling, dtype, x.dtype
            # Shaped before the product, whose result is then no view: autograd adds in place to what is no view.
            return weighted.reshape(*x.shape[:-1], B.shape[1]) @ _divided(B, size).to(dtype).mT

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        # once_differentiable would let a gradient by x pass for a constant where the upstream one is a constant.
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError("HypLoRA's map can be differentiated once; it was asked for with create_graph=True")
        x, A, B, K, c, u, norm, gram = ctx.saved_tensors
        form, scaling, dtype = ctx.form, ctx.scaling, ctx.dtype
        by_x = by_A = by_B = by_K = by_c = None
        with torch.autocast(x.device.type, enabled=False):
            wide = gram.dtype
            u, norm = u.to(wide), norm.to(wide)
            upstream = upstream.reshape(-1, upstream.shape[-1]).to(dtype)
            found = gated(form, u, norm, _time(A, form, wide), gram, K, c, dtype)
            slope = slopes(form, (upstream @ B.to(dtype)).to(wide), scaling, u, norm, K, c, found)
            rank = slope.rank.to(dtype)
            if ctx.needs_input_grad[2]:
                size = _size(B, dtype)
                weighted = (_times(scaling * found.gain, size).unsqueeze(-1) * found.hidden).to(dtype)
                by_B = _divided((upstream.mT @ weighted).to(B.dtype), size)
                by_B = by_B.addmm(_divided(B, size), _times(slope.outer, size).to(B.dtype))
            if ctx.needs_input_grad[1]:
                by_A = (rank.mT @ x.reshape(-1, x.shape[-1]).to(dtype)).to(A.dtype)
                if slope.column is not None:
                    by_A = torch.cat((slope.column.to(A.dtype).unsqueeze(-1), by_A), dim=-1)
            if ctx.needs_input_grad[0]:
                lead = x.shape[:-1]
                by_x = rank.reshape(*lead, A.shape[0]) @ _space(A, form).to(dtype)
                _add_multiples(by_x, x, slope.pull.to(dtype).reshape(*lead, 1))
                by_x = by_x.to(ctx.x_dtype)
            if ctx.needs_input_grad[3]:
                by_K = slope.log_curvature / K
            if ctx.needs_input_grad[4]:
                by_c = slope.log_scale / c
        return by_x, by_A, by_B, by_K, by_c, None, None, None


def gate_of(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor, form: str, dtype: torch.dtype) -> Tensor:
    """Return g (N,) of x (N, d)."""
    with torch.autocast(x.device.type, enabled=False):
        u, norm = _project(x, x.to(dtype), A, form)
        wide = wide_dtype(dtype, x.device)
        column = _time(A, form, wide)
        return gated(form, u.to(wide), norm.to(wide), column, gram_of(B, wide, dtype), K, c, dtype).gain


def _space(A: Tensor, form: str) -> Tensor:
    return A[:, 1:] if form == "time" else A


def _time(A: Tensor, form: str, wide: torch.dtype) -> Tensor | None:
    return A[:, 0].to(wide) if form == "time" else None


def _project(x: Tensor, cast: Tensor, A: Tensor, form: str) -> tuple[Tensor, Tensor]:
    """Return A x (N, r), without the time column, and ‖x‖ (N,)."""
    wider = cast if cast.element_size() >= x.element_size() else x
    return cast @ _space(A, form).to(cast.dtype).mT, _norm(wider)


def _norm(x: Tensor) -> Tensor:
    if x.element_size() > 2:
        return torch.linalg.vector_norm(x, dim=-1)
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32)
    # On a CPU that call would first copy all of x.
    return torch.cat([torch.linalg.vector_norm(chunk.float(), dim=-1) for chunk in x.split(_rows(x))])


def _add_multiples(to: Tensor, x: Tensor, numbers: Tensor) -> None:
    """Add to each row of ``to`` that of x times a number, without a converted copy of all of x."""
    if x.dtype == to.dtype or x.device.type != "cpu" or torch.compiler.is_compiling():
        to.addcmul_(x, numbers)
        return
    flat = [each.reshape(-1, each.shape[-1]) for each in (to, x, numbers)]
    for part, chunk, some in zip(*(each.split(_rows(x)) for each in flat), strict=True):
        part.addcmul_(chunk.to(to.dtype), some)


def _rows(x: Tensor) -> int:
    return max(1, _CHUNK // max(1, int(x.shape[-1])))


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
