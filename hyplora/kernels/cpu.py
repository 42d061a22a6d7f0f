"""The numbers of the tokens on a CPU: the loops of :mod:`hyplora.kernels._loops` over tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

from hyplora import _forms
from hyplora._forms import Inputs, Options, Slopes, largest_mu, room, wide_dtype
from hyplora.kernels import _loops, _tile, _whole
from hyplora.kernels._team import team

__all__ = ["add_multiples", "backward", "by_x", "fits", "forward", "gram_of", "has_tiles", "norms", "slopes", "weigh"]

_FORM = {"space": _loops.SPACE, "time": _loops.TIME, "simplified": _loops.SIMPLIFIED}
_MOST = {
    torch.float32: math.exp(largest_mu(torch.float32, torch.float64)),
    torch.bfloat16: math.exp(largest_mu(torch.bfloat16, torch.float32)),
    torch.float16: math.exp(largest_mu(torch.float16, torch.float32)),
}
_NONE = np.empty(0, np.float32)
_NONE_LIKE = {torch.float32: _NONE, torch.float64: np.empty(0)}
# Numbers of the types of which compiled loops have entries of such tensors.
_LIKE = {torch.float32: np.float32(0), torch.bfloat16: np.uint16(0)}
_KINDS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_ROOM = {dtype: room(dtype) for dtype in _NONE_LIKE}
_WORTH = 2**18
_CPU = torch.device("cpu")


@cache
def has_tiles(dtype: torch.dtype) -> bool:
    """Return whether there are tiles for products in a dtype, of matrices that are wide enough."""
    return dtype in _KINDS and _tile.available(_KINDS[dtype])


def fits(x: Tensor, B: Tensor, dtype: torch.dtype) -> bool:
    """Return whether :func:`forward` and :func:`backward` take such x (N, d) and B, with products in a dtype."""
    d, k = x.size(-1), B.size(0)
    return bool(
        has_tiles(dtype)
        and x.dtype in _LIKE
        and x.numel()
        and min(d, k) >= _tile.COLUMNS
        and (dtype == torch.float32 or (d % 2 == 0 and k % 2 == 0))
        # What counts PyTorch's operations, FlopCounterMode for one, is to see the products.
        and _get_current_dispatch_mode() is None
    )


def forward(
    options: Options,
    x: Tensor,
    cast: Tensor,
    A: Tensor,
    B: Tensor,
    K: Tensor | None,
    c: Tensor | None,
    onto: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return Δ (N, k), plus ``onto``, and A x, ‖x‖ and BᵀB.

    ``cast`` (N, d) is x, of 32 bits or fewer, in the dtype of the products, which is that of A, B and Δ.
    """
    dtype = options.dtype
    wide = wide_dtype(dtype, _CPU)
    cast, A, B = (_flat(each, dtype) for each in (cast, A, B))
    (tokens, d), (k, width), r = cast.shape, B.shape, A.size(0)
    delta, u = _empty((tokens, k), dtype), _empty((tokens, r), dtype)
    gram = _empty((width, width), wide)
    narrowed = cast.element_size() < x.element_size()
    norm = norms(x) if narrowed else _empty((tokens,))
    if onto is not None:
        onto = _flat(onto[:1] if onto.stride(0) == 0 else onto, dtype)
    _whole.forward(
        _FORM[options.form],
        _LIKE[dtype],
        tokens,
        d,
        k,
        r,
        cast.data_ptr(),
        A.data_ptr(),
        B.data_ptr(),
        None if onto is None else onto.data_ptr(),
        0 if onto is None else onto.size(0),
        *_values(options, K, c),
        _MOST[dtype],
        _ROOM[wide],
        not narrowed,
        norm.data_ptr(),
        u.data_ptr(),
        gram.data_ptr(),
        delta.data_ptr(),
        *_team(tokens * d * width),
    )
    return delta, u, norm, gram


def backward(
    options: Options,
    upstream: Tensor,
    x: Tensor,
    A: Tensor,
    B: Tensor,
    K: Tensor | None,
    c: Tensor | None,
    u: Tensor,
    norm: Tensor,
    gram: Tensor,
    wanted: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None, float, float]:
    """Return the derivatives by x, A and B, those wanted, in the dtype of the products, and by log K and log c.

    ``x`` (N, d) may be narrower than ``upstream`` (N, k), A and B, which are in that dtype.
    """
    dtype = options.dtype
    upstream, A, B, u = (_flat(each, dtype) for each in (upstream, A, B, u))
    x, norm, gram = _flat(x, x.dtype), _flat(norm, torch.float32), _flat(gram, wide_dtype(dtype, _CPU))
    (tokens, d), (k, width) = x.shape, B.shape
    found = [_empty(each.shape, dtype) if one else None for each, one in zip((x, A, B), wanted, strict=True)]
    log_slopes = _whole.backward(
        _FORM[options.form],
        _LIKE[dtype],
        _LIKE[x.dtype],
        tokens,
        d,
        k,
        A.size(0),
        upstream.data_ptr(),
        x.data_ptr(),
        A.data_ptr(),
        B.data_ptr(),
        *_values(options, K, c),
        _MOST[dtype],
        u.data_ptr(),
        norm.data_ptr(),
        gram.data_ptr(),
        *(0 if each is None else each.data_ptr() for each in found),
        *_team(tokens * d * width),
    )
    return *found, *log_slopes


def norms(x: Tensor) -> Tensor:
    """Return ‖x‖ (N,) of x (N, d)."""
    if x.dtype not in (torch.bfloat16, torch.float32) or not x.is_contiguous():
        return _forms.norms(x)
    found = _empty((len(x),))
    _loops.norms(_array(x), found.numpy(), *_team(x.numel()))
    return found


def by_x(rank: Tensor, A: Tensor, x: Tensor, pull: Tensor) -> Tensor:
    """See :func:`hyplora._forms.by_x`."""
    if rank.dtype == torch.float32:
        # MKL adds to what is there as it writes, which saves reading it once more.
        found = torch.mul(x, pull.to(rank.dtype).unsqueeze(-1))
        return torch.addmm(found, rank, A, out=found)  # unlike addmm_, known to PyTorch's counter of operations
    return _forms.by_x(rank, A, x, pull, add=add_multiples)


def add_multiples(to: Tensor, x: Tensor, numbers: Tensor) -> None:
    """Add to each row of ``to`` (N, d) that of x times a number (N,)."""
    if _has_pairs(to) and _has_pairs(x):
        pairs = (_array(each).view(np.uint32) for each in (to, x))
        _loops.add_multiples(*pairs, numbers.numpy(), *_team(2 * x.numel()))
    else:
        _forms.add_multiples(to, x, numbers)


def gram_of(B: Tensor, wide: torch.dtype, dtype: torch.dtype) -> Tensor:
    """See :func:`hyplora._forms.gram_of`."""
    if B.dtype == torch.float16:
        return _forms.gram_of(B, wide, dtype)
    # Half of a symmetric product, and no converted copy of B.
    found = _empty((B.shape[1], B.shape[1]), wide)
    _loops.gram(_array(B), _ROOM[wide], found.numpy(), *_team(B.numel() * B.shape[1]))
    return found


def weigh(options: Options, inputs: Inputs) -> Tensor:
    """See :func:`hyplora._forms.weigh`."""
    weighted = _empty((len(inputs.u), len(inputs.gram)), _in_loops(options.dtype))
    _loops.forward(*_arrays(options, inputs), _array(weighted), *_team(4 * inputs.u.numel() * len(inputs.gram)))
    return weighted if weighted.dtype == options.dtype else weighted.to(options.dtype)


def slopes(options: Options, inputs: Inputs, upstream: Tensor) -> Slopes:
    """See :func:`hyplora._forms.slopes`."""
    dtype = _in_loops(options.dtype)
    weighted, rank = _empty(upstream.shape, dtype), _empty(inputs.u.shape, dtype)
    pull, outer = torch.empty_like(inputs.norm), torch.empty_like(inputs.gram)
    column = None if inputs.column is None else outer.new_empty(len(inputs.column))
    by_numbers = np.empty(2)
    _loops.backward(
        _array(upstream),
        *_arrays(options, inputs),
        _array(weighted),
        _array(rank),
        pull.numpy(),
        outer.numpy(),
        _NONE_LIKE[outer.dtype] if column is None else column.numpy(),
        by_numbers,
        *_team(8 * inputs.u.numel() * len(inputs.gram)),
    )
    if dtype != options.dtype:
        weighted, rank = weighted.to(options.dtype), rank.to(options.dtype)
    return Slopes(weighted, rank, pull, outer, column, *torch.from_numpy(by_numbers).unbind())


def _empty(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=_CPU)  # whatever the defaults are


def _flat(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x in a dtype, row by row in memory: what lies at its address is all that compiled loops see."""
    x = (x if x.dtype == dtype else x.to(dtype)).contiguous()
    if not x.data_ptr() and x.numel():
        raise RuntimeError(f"there is no memory behind a tensor of shape {tuple(x.shape)}: was its storage freed?")
    return x


def _team(work: int) -> tuple[int, int]:
    """Return the threads that so many sums of products are worth, some fifty to the nanosecond."""
    return team() if work > _WORTH else (0, 1)


def _in_loops(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype == torch.float16 else dtype


def _array(x: Tensor) -> Any:
    """Return an array of float32, or of the bits of bfloat16 as uint16; x's own memory where it can be."""
    if not x.is_contiguous():
        x = x.contiguous()
    if x.dtype == torch.bfloat16:
        return x.view(torch.uint16).numpy()
    if x.dtype != torch.float32:
        x = x.float()
    return (x.detach() if x.requires_grad else x).numpy()


def _arrays(options: Options, inputs: Inputs) -> tuple[Any, ...]:
    u, norm, column, gram, K, c, size = inputs
    return (
        _FORM[options.form],
        _array(u),
        norm.numpy(),
        _NONE if column is None else _array(column.float()),
        gram.numpy(),
        *_values(options, K, c),
        1.0 if size is None else size.item(),
        _MOST[options.dtype],
    )


def _values(options: Options, K: Tensor | None, c: Tensor | None) -> tuple[float, float, float]:
    return _value(K, options.K_start), _value(c, options.c_start), options.scaling


def _value(tensor: Tensor | None, start: float | None) -> float:
    """Return what :func:`hyplora._forms.value_of` returns."""
    if tensor is None:
        return float(start)  # type: ignore[arg-type]
    value = float(tensor.item())
    if start is None:
        return value
    return start * (math.inf if value > 709.0 else math.exp(value))


def _has_pairs(x: Tensor) -> bool:
    """Return whether x (N, d) is bfloat16 that can be read two at a time."""
    return bool(
        x.dtype == torch.bfloat16 and x.shape[1] % 2 == 0 and x.is_contiguous() and x.data_ptr() % 4 == 0 and len(x)
    )
