"""The numbers of the tokens on a CPU: the loops of :mod:`hyplora.kernels._loops` over tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyplora import _forms
from hyplora._forms import Inputs, Options, Slopes, largest_mu, with_room
from hyplora.kernels import _loops

__all__ = ["add_multiples", "gram_of", "norms", "slopes", "weigh"]

_FORM = {"space": _loops.SPACE, "time": _loops.TIME, "simplified": _loops.SIMPLIFIED}
_MOST = {
    torch.float32: math.exp(largest_mu(torch.float32, torch.float64)),
    torch.bfloat16: math.exp(largest_mu(torch.bfloat16, torch.float32)),
    torch.float16: math.exp(largest_mu(torch.float16, torch.float32)),
}
_NONE = np.empty(0, np.float32)


def norms(x: Tensor) -> Tensor:
    """Return ‖x‖ (N,) of x (N, d)."""
    if not _bits_can_be_read(x):
        return _forms.norms(x)
    found = _empty(len(x))
    _loops.norms(_bits(x), found.numpy())
    return found


def add_multiples(to: Tensor, x: Tensor, numbers: Tensor) -> None:
    """Add to each row of ``to`` (N, d) that of x times a number (N,)."""
    if _bits_can_be_read(x) and _bits_can_be_read(to):
        _loops.add_multiples(_bits(to), _bits(x), numbers.numpy())
    else:
        _forms.add_multiples(to, x, numbers)


def gram_of(B: Tensor, wide: torch.dtype, dtype: torch.dtype) -> Tensor:
    """See :func:`hyplora._forms.gram_of`."""
    if B.dtype != torch.float32 or wide != torch.float64:
        return _forms.gram_of(B, wide, dtype)
    # Twice as fast as float64's product, and without a converted copy of B.
    found = _empty(B.shape[1], B.shape[1], dtype=wide).zero_()
    _loops.gram(B.detach().contiguous().numpy(), found.numpy())
    return with_room(found)


def weigh(options: Options, inputs: Inputs) -> Tensor:
    """See :func:`hyplora._forms.weigh`."""
    weighted = _empty(len(inputs.u), len(inputs.gram))
    _loops.forward(*_arrays(options, inputs), weighted.numpy())
    return weighted.to(options.dtype)


def slopes(options: Options, inputs: Inputs, upstream: Tensor) -> Slopes:
    """See :func:`hyplora._forms.slopes`."""
    weighted, rank, pull = _empty(*upstream.shape), _empty(*inputs.u.shape), _empty(len(inputs.norm))
    outer = torch.zeros_like(inputs.gram)
    column = None if inputs.column is None else _empty(len(inputs.column)).zero_()
    by_numbers = _empty(2, dtype=torch.float64)
    _loops.backward(
        upstream.float().numpy(),
        *_arrays(options, inputs),
        weighted.numpy(),
        rank.numpy(),
        pull.numpy(),
        outer.numpy(),
        _NONE if column is None else column.numpy(),
        by_numbers.numpy(),
    )
    dtype = options.dtype
    return Slopes(weighted.to(dtype), rank.to(dtype), pull, outer, column, by_numbers[0], by_numbers[1])


def _empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="cpu")  # whatever the defaults are


def _arrays(options: Options, inputs: Inputs) -> tuple[Any, ...]:
    u, norm, column, gram, K, c, size = inputs
    return (
        _FORM[options.form],
        u.float().contiguous().numpy(),
        norm.numpy(),
        _NONE if column is None else column.float().contiguous().numpy(),
        gram.numpy(),
        _value(K, options.K_start),
        _value(c, options.c_start),
        options.scaling,
        1.0 if size is None else size.item(),
        _MOST[options.dtype],
        options.dtype == torch.float16,
    )


def _value(tensor: Tensor | None, start: float | None) -> float:
    """Return what :func:`hyplora._forms.value_of` returns."""
    if tensor is None:
        return float(start)  # type: ignore[arg-type]
    value = float(tensor.item())
    if start is None:
        return value
    return start * (math.inf if value > 709.0 else math.exp(value))


def _bits_can_be_read(x: Tensor) -> bool:
    return bool(x.dtype == torch.bfloat16 and x.is_contiguous())


def _bits(x: Tensor) -> Any:
    return x.detach().view(torch.uint16).numpy()
