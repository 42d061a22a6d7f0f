"""The map and its derivative, each in one function, compiled by numba.

It calls the products of :mod:`hyplora.kernels._products`, and the loops over tokens of :mod:`hyplora.kernels._loops`
between them. What lies between two steps is made and left here.
"""
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic, overload
from numba.extending import register_jitable as _part
from numba.np.numpy_support import as_dtype

from hyplora.kernels import _loops, _products
from hyplora.kernels._loops import TIME, _compiled, _like, _number

__all__ = ["backward", "forward"]

_weigh, _slopes = _loops.forward, _loops.backward
_gram_of_numbers, _gram_of_bits = _loops.gram, _products.gram
_into_rank, _out_of_rank = _products.into_rank, _products.out_of_rank
_by_left, _by_right = _products.by_left, _products.by_right
_left_like = _products.left_like


@_compiled
def forward(form, like, tokens, d, k, r, x, A, B, onto, rows, K, c, scaling, most, room, with_norms,
            norm, u, gram, delta, entry, threads):  # fmt: skip
    """Write Δ, plus ``onto`` unless that is None, and for backward u = A x, ‖x‖ and BᵀB.

    Tensors are given by their addresses, and lie there row by row: x (tokens, d), A (r, d), B (k, r), ``onto`` (rows,
    k), one row for all where that is 1, u (tokens, r) and Δ, ``delta`` (tokens, k), all float32 or bfloat16 as is the
    number ``like``, of which only the type counts; ``norm`` (tokens,), float32, made here ``with_norms`` and read
    without; ``gram`` (r, r), float64 or float32. A and B have a column more, ``gram`` a row too, in the form ``time``.
    """
    time = int(form == TIME)
    x, A, B = _matrix(x, tokens, d, like), _matrix(A, r, d + time, like), _matrix(B, k, r + time, like)
    norm, u = _row(norm, tokens), _matrix(u, tokens, r, like)
    gram, delta = _matrix(gram, r + time, r + time, _wide(like)), _matrix(delta, tokens, k, like)
    _into_rank(x, A, time, False, norm if with_norms else norm[:0], u, entry, threads)
    _make_gram(B, room, gram, entry, threads)
    weighted = _filled(tokens, _even(r + time), _left_like(u))
    _weigh(form, u, norm, _column(form, A), gram, K, c, scaling, 1.0, most, weighted, entry, threads)
    ones = np.ones(tokens, np.float32)
    _out_of_rank(weighted, B, 0, True, _rows_at(onto, rows, k, like), ones, delta, entry, threads)


@_compiled
def backward(form, like, x_like, tokens, d, k, r, upstream, x, A, B, K, c, scaling, most, u, norm, gram,
             by_x, by_A, by_B, entry, threads):  # fmt: skip
    """Write the derivatives by x, A and B, none whose address is 0, and return those by log K and log c.

    ``upstream`` (tokens, k) is that by Δ; the others that are read are what :func:`forward` was given and has written,
    but for x, which may be like another number.
    """
    time = int(form == TIME)
    upstream, x = _matrix(upstream, tokens, k, like), _matrix(x, tokens, d, x_like)
    A, B = _matrix(A, r, d + time, like), _matrix(B, k, r + time, like)
    u, norm, gram = _matrix(u, tokens, r, like), _row(norm, tokens), _matrix(gram, r + time, r + time, _wide(like))
    by_numbers = np.empty(2)
    up = _filled(tokens, r + time, _left_like(u))
    _into_rank(upstream, B, 0, True, np.empty(0, np.float32), up, entry, threads)
    weighted = _filled(tokens, _even(r + time), _left_like(u))
    rank, pull = _filled(tokens, _even(r), _left_like(u)), np.empty_like(norm)
    outer, by_column = np.empty_like(gram), np.empty(A.shape[0] if form == TIME else 0, gram.dtype)
    _slopes(up, form, u, norm, _column(form, A), gram, K, c, scaling, 1.0, most,
            weighted, rank, pull, outer, by_column, by_numbers, entry, threads)  # fmt: skip
    if by_B:
        rounded = _filled(r + time, r + time, _left_like(u))
        for i in range(outer.shape[0]):
            for j in range(outer.shape[1]):
                rounded[i, j] = _like(rounded, outer[i, j])
        _by_left(weighted, upstream, rounded, B, _matrix(by_B, k, r + time, like), entry, threads)
    if by_A:
        to = _matrix(by_A, r, d + time, like)
        _by_right(rank, x, time, to, entry, threads)
        for i in range(by_column.shape[0]):
            to[i, 0] = _like(to, by_column[i])
    if by_x:
        _out_of_rank(rank, A, time, False, x, pull, _matrix(by_x, tokens, d, like), entry, threads)
    return by_numbers[0], by_numbers[1]


@_part
def _filled(rows, columns, like):
    return np.full((rows, columns), like)


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
        return lambda B, room, found, entry, threads: _gram_of_bits(B, room, found, entry, threads)
    return lambda B, room, found, entry, threads: _gram_of_numbers(B, room, found, entry, threads)


@intrinsic
def _pointer(context, address):
    """Return the pointer that an address is."""
    return types.voidptr(address), lambda context, builder, signature, values: builder.inttoptr(
        values[0], ir.IntType(8).as_pointer()
    )


@_part
def _row(address, count):
    """Return the numbers at an address."""
    return carray(_pointer(address), (count,), np.float32)


def _matrix(address: Any, rows: Any, columns: Any, like: Any) -> Any:
    """Return the matrix at an address, its entries like a number."""


@overload(_matrix)
def _(address, rows, columns, like):
    dtype = as_dtype(like)
    return lambda address, rows, columns, like: carray(_pointer(address), (rows, columns), dtype)


def _rows_at(address: Any, rows: Any, columns: Any, like: Any) -> Any:
    """Return the matrix at an address, or None for None."""


@overload(_rows_at)
def _(address, rows, columns, like):
    if address == types.none:
        return lambda address, rows, columns, like: None
    return lambda address, rows, columns, like: _matrix(address, rows, columns, like)


def _wide(like: Any) -> Any:
    """Return a number like those of BᵀB."""


@overload(_wide)
def _(like):
    return (lambda like: np.float32(0)) if like == types.uint16 else (lambda like: np.float64(0))
