"""The numbers of the tokens on a GPU: the kernels of :mod:`hyplora.kernels._triton` on tensors."""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from hyplora import _forms
from hyplora._forms import Inputs, Options, Slopes, gram_of, largest_mu, norms

__all__ = ["add_multiples", "available", "by_x", "gram_of", "norms", "slopes", "weigh"]

_BLOCK = 16  # tokens of a program; few, so that a batch of some thousand keeps a whole GPU busy
_COLUMNS = 2048


@cache
def available() -> bool:
    """Return whether Triton is installed."""
    return find_spec("triton") is not None


def interpreted() -> bool:
    """Return whether Triton runs in its interpreter, on CPU tensors."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in {"1", "true", "yes", "on", "y"}  # as Triton reads it


def by_x(rank: Tensor, A: Tensor, x: Tensor, pull: Tensor) -> Tensor:
    """See :func:`hyplora._forms.by_x`."""
    return _forms.by_x(rank, A, x, pull, add=add_multiples)


def add_multiples(to: Tensor, x: Tensor, numbers: Tensor) -> None:
    """See :func:`hyplora._forms.add_multiples`."""
    from hyplora.kernels._triton import add_multiples

    tokens, width = x.shape
    if x.numel():
        with _on(x):
            grid = (tokens, math.ceil(width / _COLUMNS))
            add_multiples[grid](to, x.contiguous(), numbers, WIDTH=width, BLOCK=_COLUMNS, num_warps=8)


def weigh(options: Options, inputs: Inputs) -> Tensor:
    """See :func:`hyplora._forms.weigh`."""
    from hyplora.kernels._triton import weigh

    tokens = len(inputs.u)
    weighted = inputs.u.new_empty(tokens, len(inputs.gram), dtype=options.dtype)
    if tokens:
        with _on(inputs.u):
            weigh[_grid(tokens)](weighted, *_arguments(options, inputs), **_constants(options, inputs))
    return weighted


def slopes(options: Options, inputs: Inputs, upstream: Tensor) -> Slopes:
    """See :func:`hyplora._forms.slopes`."""
    from hyplora.kernels._triton import slopes

    u, gram, column = inputs.u, inputs.gram, inputs.column
    tokens, width = upstream.shape
    weighted = torch.empty_like(upstream, dtype=options.dtype)
    rank = torch.empty_like(u, dtype=options.dtype)
    pull = torch.empty_like(inputs.norm)
    part, hidden = gram.new_empty(2, tokens, width)
    by_point = part if column is None else gram.new_empty(u.shape)
    by_numbers = gram.new_empty(2, tokens, dtype=torch.float64)
    if tokens:
        with _on(u):
            slopes[_grid(tokens)](
                weighted, rank, pull, part, hidden, by_point, by_numbers, upstream.contiguous(),
                *_arguments(options, inputs), **_constants(options, inputs),
            )  # fmt: skip
    log_curvature, log_scale = by_numbers.sum(-1)
    by_column = None if column is None else by_point.sum(0)
    return Slopes(weighted, rank, pull, part.mT @ hidden, by_column, log_curvature, log_scale)


def _grid(tokens: int) -> tuple[int]:
    return (math.ceil(tokens / _BLOCK),)


def _arguments(options: Options, inputs: Inputs) -> tuple[Any, ...]:
    u, norm, column, gram, K, c, size = inputs
    none = norm  # a kernel takes a pointer also where it does not read it
    return (
        u.contiguous(),
        norm,
        none if column is None else column.contiguous(),
        gram,
        none if K is None else K.to(u.device),
        none if c is None else c.to(u.device),
        none if size is None else size,
        len(u),
        1.0 if options.K_start is None else options.K_start,
        1.0 if options.c_start is None else options.c_start,
        options.scaling,
        math.exp(largest_mu(options.dtype, gram.dtype)),
    )


def _constants(options: Options, inputs: Inputs) -> dict[str, Any]:
    from hyplora.kernels import _triton as kernels

    width = len(inputs.gram)
    return {
        "FORM": {"space": kernels.SPACE, "time": kernels.TIME, "simplified": kernels.SIMPLIFIED}[options.form],
        "K_KIND": _kind(inputs.K, options.K_start),
        "c_KIND": _kind(inputs.c, options.c_start),
        "HALF": options.dtype == torch.float16,
        "RANK": inputs.u.shape[1],
        "PAD": max(2, 1 << (width - 1).bit_length()),
        "BLOCK": _BLOCK,
        "num_warps": 1 if width <= 32 else 4,
    }


def _kind(tensor: Tensor | None, start: float | None) -> Any:
    from hyplora.kernels import _triton as kernels

    if tensor is None:
        return kernels.FIXED
    return kernels.NUMBER if start is None else kernels.EXPONENT


def _on(x: Tensor) -> AbstractContextManager[Any]:
    """Return a context in which launches go to the device of x: Triton launches on the current one."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()
