"""The map and its derivative, each in one function, compiled by numba.

It calls the products of :mod:`hyplora.kernels._products`, and the loops over tokens of :mod:`hyplora.kernels._loops`
between them. What lies between two steps is made and left here.
"""
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numba.extending import register_jitable as _part

from hyplora.kernels import _loops, _products
from hyplora.kernels._loops import TIME, _compiled, _like, _number

__all__ = ["backward", "forward"]

_weigh, _slopes = _loops.forward, _loops.backward
_gram_of_numbers, _gram_of_pairs = _loops.gram, _products.gram
_into_rank, _out_of_rank = _products.into_rank, _products.out_of_rank
_by_left, _by_right = _products.by_left, _products.by_right


@_compiled
def forward(form, x, A, B, onto, K, c, scaling, most, room, norms, norm, u, gram, delta, entry, threads):
    """Write Δ, plus ``onto`` unless that is None, to ``delta`` (N, k), and u (N, r), ‖x‖ (N,) and BᵀB for backward.

    ``x`` (N, d), ``A``, ``B``, ``u`` and ``delta`` are float32 or bfloat16, ``onto`` too, (N, k) or one row for all.
    ``norms`` is ``norm``, or empty where that has been filled.
    """
    _into_rank(x, A, int(form == TIME), False, norms, u, entry, threads)
    _make_gram(B, room, gram, entry, threads)
    weighted = np.zeros((x.shape[0], _even(B.shape[1])), u.dtype)
    _weigh(form, u, norm, _column(form, A), gram, K, c, scaling, 1.0, most, weighted, entry, threads)
    _out_of_rank(weighted, B, 0, True, onto, np.ones(x.shape[0], np.float32), delta, entry, threads)


@_compiled
def backward(form, upstream, x, A, B, K, c, scaling, most, u, norm, gram,
             by_x, by_A, by_B, by_numbers, entry, threads):  # fmt: skip
    """Write the derivatives by x, A, B, and, float64, by log K and log c; none of the first three that is empty.

    ``upstream`` (N, k) is that by Δ; the others that are read are what :func:`forward` was given and has written.
    """
    up = np.empty((x.shape[0], B.shape[1]), u.dtype)
    _into_rank(upstream, B, 0, True, np.empty(0, np.float32), up, entry, threads)
    weighted = np.zeros((x.shape[0], _even(up.shape[1])), u.dtype)
    rank, pull = np.zeros((x.shape[0], _even(u.shape[1])), u.dtype), np.empty_like(norm)
    outer, by_column = np.empty_like(gram), np.empty(A.shape[0] if form == TIME else 0, gram.dtype)
    _slopes(up, form, u, norm, _column(form, A), gram, K, c, scaling, 1.0, most,
            weighted, rank, pull, outer, by_column, by_numbers, entry, threads)  # fmt: skip
    if by_B.size:
        rounded = np.empty(outer.shape, u.dtype)
        for i in range(outer.shape[0]):
            for j in range(outer.shape[1]):
                rounded[i, j] = _like(rounded, outer[i, j])
        _by_left(weighted, upstream, rounded, B, by_B, entry, threads)
    if by_A.size:
        _by_right(rank, x, int(form == TIME), by_A, entry, threads)
        for i in range(by_column.shape[0]):
            by_A[i, 0] = _like(by_A, by_column[i])
    if by_x.size:
        _out_of_rank(rank, A, int(form == TIME), False, x, pull, by_x, entry, threads)


@_part
def _even(count):
    """Return the number of columns that words of two entries fill."""
    return count + count % 2


@_part
def _column(form, A):
    """Return the time column of A as float32, of no length in a form that has none."""
    found = np.empty(A.shape[0] if form == TIME else 0, np.float32)
    for i in range(found.shape[0]):
        found[i] = _number(A[i, 0])
    return found


def _make_gram(B: Any, room: Any, found: Any, entry: Any, threads: Any) -> None:
    """Write BᵀB."""


@overload(_make_gram)
def _(B, room, found, entry, threads):
    if B.dtype == types.uint16:
        return lambda B, room, found, entry, threads: _gram_of_pairs(B, room, found, entry, threads)
    return lambda B, room, found, entry, threads: _gram_of_numbers(B, room, found, entry, threads)
