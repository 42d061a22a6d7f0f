"""HypLoRA's map as operators of PyTorch's, which ``torch.compile`` takes as they are.

A compiler would take the map apart and make loops of its own of what lies between the products, which are later than
those of :mod:`hyplora.kernels`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hyplora import _fused
from hyplora._forms import wide_dtype

__all__ = ["backward", "forward"]

_OPTIONS = "str form, float scaling, ScalarType dtype, float? K_start, float? c_start"
_library = torch.library.Library("hyplora", "DEF")
_library.define(
    f"forward(Tensor x, Tensor cast, Tensor A, Tensor B, Tensor? K, Tensor? c, Tensor? onto, {_OPTIONS})"
    " -> (Tensor, Tensor, Tensor, Tensor)"
)
_library.define(
    "backward(Tensor upstream, Tensor x, Tensor A, Tensor B, Tensor? K, Tensor? c, Tensor u, Tensor norm, Tensor gram, "
    f"{_OPTIONS}, ScalarType x_dtype, bool[] wanted) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def _forward(*given: Any) -> tuple[Tensor, ...]:
    return tuple(each.contiguous() for each in _fused.forward(*given))


def _backward(*given: Any) -> tuple[Tensor, ...]:
    upstream = given[0]
    return tuple(upstream.new_empty(0) if each is None else each.contiguous() for each in _fused.backward(*given))


def _forward_like(x: Tensor, cast: Tensor, A: Tensor, B: Tensor, *given: Any) -> tuple[Tensor, ...]:
    dtype, tokens, width = given[5], x.shape[:-1].numel(), B.shape[1]
    return (
        x.new_empty((*x.shape[:-1], B.shape[0]), dtype=dtype),
        x.new_empty((tokens, A.shape[0]), dtype=dtype),
        x.new_empty(tokens, dtype=torch.float32),
        x.new_empty((width, width), dtype=wide_dtype(dtype, x.device)),
    )


def _backward_like(
    upstream: Tensor, x: Tensor, A: Tensor, B: Tensor, K: Tensor | None, c: Tensor | None, *given: Any
) -> tuple[Tensor, ...]:
    *_, x_dtype, wanted = given
    each = zip((x, A, B, K, c), (x_dtype, A.dtype, B.dtype, None, None), wanted, strict=True)
    return tuple(
        upstream.new_empty(of.shape, dtype=dtype or of.dtype) if of is not None and one else upstream.new_empty(0)
        for of, dtype, one in each
    )


for _name, _does, _is_like in (("forward", _forward, _forward_like), ("backward", _backward, _backward_like)):
    _library.impl(_name, _does, "CPU")
    torch.library.register_fake(f"hyplora::{_name}", _is_like, lib=_library)

forward, backward = torch.ops.hyplora.forward.default, torch.ops.hyplora.backward.default
