"""The products of an adapter, made of the tiles of :mod:`hyplora.kernels._tile`; compiled by numba.

Arrays are float32, or bits of bfloat16 as uint16. One factor of each product is packed first: in a panel (words, ...) a
row has, for each column, one word of the sum, that is one number or, for bfloat16 on some processors, a pair. Sums over
the long side are made in blocks. As in :mod:`hyplora.kernels._loops`, results are the same for any number of threads.
"""
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numba.extending import register_jitable as _part

from hyplora.kernels._loops import _bounds, _compiled, _inner, _like, _number
from hyplora.kernels._team import share
from hyplora.kernels._tile import (
    COLUMNS,
    LANES,
    NARROW,
    ROWS,
    TALL,
    add_narrow_tile,
    add_slim_tile,
    add_tall_tile,
    has_pairs,
    pack,
    transpose,
    write_tile,
)

__all__ = ["by_left", "by_right", "gram", "into_rank", "left_like", "out_of_rank"]

_NARROW_ROWS, _NARROW_COLUMNS = NARROW
_TALL_ROWS, _TALL_COLUMNS = TALL
_WORDS = 256  # of a sum at a time: the part of a panel that they meet stays in a core's first cache
_PART_ROWS = 264  # of a narrow product, at least as many as make good use of a panel
# Of a block of a wide product, at least; its panel stays in a core's second cache. Blocks have fewer columns where
# there would be too few of them for all threads.
_BLOCK_ROWS, _BLOCK_COLUMNS, _FEW_COLUMNS = 256, 512, 128
_TALL_TILES = 4  # side by side, of a part of a tall product
_GRAM_PARTS = 8


@_compiled
def into_rank(x, factor, first, across, norms, found, entry, threads):
    """Write x Aᵀ to ``found`` (N, r).

    A is ``factor`` (r, first + d) from a column on, or its transpose with ``across``. Norms of the rows of x (N, d) go
    to ``norms`` (N,), float32, if that has any. In bfloat16 d is even.
    """
    r = found.shape[1]
    # One column more than whole tiles is no tile's work.
    alone = 1 if r % _NARROW_COLUMNS == 1 and r > 1 else 0
    width = _up(r - alone, LANES)
    panel = _panel(x, _words(x, x.shape[1]), width)
    column = np.empty(alone * x.shape[1], np.float32)
    count = -(-panel.shape[0] // _WORDS)
    if across:
        share(_pack_rows, (count, factor, r - alone, panel, column), count, entry, threads)
    else:
        share(_pack_columns, (count, factor, first, r - alone, panel, column), count, entry, threads)
    tiles = -(-x.shape[0] // _NARROW_ROWS)
    parts = min(tiles, threads * max(1, x.shape[0] // (threads * _PART_ROWS)))
    share(_into_rank, (parts, x, panel, column, norms, found), parts, entry, threads)


@_inner()
def _into_rank(part, parts, x, panel, column, norms, found):
    begin, end = _bounds(part, parts, -(-x.shape[0] // _NARROW_ROWS))
    begin, end = begin * _NARROW_ROWS, min(end * _NARROW_ROWS, x.shape[0])
    words, width = panel.shape
    sums = np.zeros((_up(end - begin, _NARROW_ROWS), width), np.float32)
    others = np.zeros((2, end - begin), np.float32)
    entries = x.shape[1] // words
    room = _room(x, panel, end - begin)
    for k in range(0, words, _WORDS):
        count = min(_WORDS, words - k)
        left, row, first = _words_of(x, panel, begin, end, k, count, room)
        for n in range(0, end - begin, _NARROW_ROWS):
            for j in range(0, width - _NARROW_COLUMNS + 1, _NARROW_COLUMNS):
                add_narrow_tile(sums, left, panel, n, row + n, first, k, j, j, count)
            if width % _NARROW_COLUMNS:
                add_slim_tile(sums, left, panel, n, row + n, first, k, width - LANES, width - LANES, count)
        if column.shape[0]:
            _add_along(others[0], x, begin, end, column, k * entries, count * entries)
        if norms.shape[0]:
            _add_squares(others[1], x, begin, end, k * entries, count * entries)
    whole = found.shape[1] - min(1, column.shape[0])
    for n in range(begin, end):
        for i in range(whole):
            found[n, np.uintp(i)] = _like(found, sums[n - begin, np.uintp(i)])
        if column.shape[0]:
            found[n, whole] = _like(found, others[0, n - begin])
        if norms.shape[0]:
            norms[n] = np.sqrt(others[1, n - begin])


# Indices without a sign: numba would let others count from the end, and compare each with 0.


@_part(fastmath={"reassoc", "contract"})
def _add_along(totals, x, begin, end, column, first, count):
    for n in range(begin, end):
        total = np.float32(0.0)
        for j in range(count):
            total += _number(x[n, np.uintp(first + j)]) * column[np.uintp(first + j)]
        totals[n - begin] += total


@_part(fastmath={"reassoc", "contract"})
def _add_squares(totals, x, begin, end, first, count):
    for n in range(begin, end):
        total = np.float32(0.0)
        for j in range(count):
            number = _number(x[n, np.uintp(first + j)])
            total += number * number
        totals[n - begin] += total


@_compiled
def out_of_rank(left, factor, first, across, x, numbers, to, entry, threads):
    """Write left A + numbers · x to ``to`` (N, d).

    A is ``factor`` (r, first + d) from a column on, or its transpose with ``across``; ``left`` is (N, r) or wider, its
    entries :func:`left_like` those of ``to``, where they are bits with a column of 0 after an odd r. ``x`` (N, d), or
    (1, d) for all, is None where there is nothing to add; ``numbers`` (N,) is float32. d is at least ``COLUMNS``.
    """
    down = max(1, to.shape[0] // _BLOCK_ROWS)
    wide = max(to.shape[1] // _BLOCK_COLUMNS, min(to.shape[1] // _FEW_COLUMNS, 4 * threads // down), 1)
    share(_out_of_rank, (down * wide, wide, left, factor, first, across, x, numbers, to), down * wide, entry, threads)


@_inner()
def _out_of_rank(part, parts, wide, left, factor, first, across, x, numbers, to):
    begin, end = _bounds(part // wide, parts // wide, to.shape[0])
    left_column, right_column = _bounds(part % wide, wide, to.shape[1])
    words = _words(left, factor.shape[1] if across else factor.shape[0])
    width = right_column - left_column
    panel = _panel(left, words, width)
    if across:
        _columns(factor, 0, left_column, width, panel, 0, words)
    else:
        _rows(factor, first + left_column, width, panel, 0, words)
    for n in range(begin, end, ROWS):
        for j in range(left_column, right_column, COLUMNS):
            # The last tile of a row does some of the one before again.
            column = min(j, right_column - COLUMNS)
            write_tile(to, left, panel, x, numbers, n, column, column - left_column)


@_compiled
def by_right(left, x, first, to, entry, threads):
    """Write leftᵀ x, for ``left`` (N, r) or wider and ``x`` (N, d), to ``to`` (r, first + d) from a column on."""
    none = np.empty((0, 0), left.dtype)
    _tall(left, x, none, none, first, False, to, entry, threads)


@_compiled
def by_left(left, x, outer, factor, to, entry, threads):
    """Write xᵀ left + factor · outer to ``to`` (k, r), for ``left`` (N, r) or wider, ``x`` (N, k), ``factor`` (k, r).

    ``outer`` (r, r) is symmetric.
    """
    _tall(left, x, outer, factor, 0, True, to, entry, threads)


@_part
def _tall(left, x, outer, factor, first, across, to, entry, threads):
    r = to.shape[1] if across else to.shape[0]
    height = _up(r, _TALL_ROWS)
    lefts = _panel(left, _words(left, left.shape[0]), height)
    count = -(-lefts.shape[0] // _WORDS)
    share(_pack_rows, (count, left, r, lefts, np.empty(0, np.float32)), count, entry, threads)
    outers = _panel(left, _words(left, outer.shape[0]), height)
    _rows(outer, 0, outer.shape[1], outers, 0, outers.shape[0])
    parts = -(-x.shape[1] // (_TALL_TILES * _TALL_COLUMNS))
    share(_by_tokens, (parts, lefts, x, outers, factor, first, across, to), parts, entry, threads)


@_inner()
def _by_tokens(part, parts, lefts, x, outers, factor, first, across, to):
    begin, end = _bounds(part, parts, -(-x.shape[1] // _TALL_COLUMNS))
    begin, end = begin * _TALL_COLUMNS, min(end * _TALL_COLUMNS, x.shape[1])
    words, height = lefts.shape
    width = _up(end - begin, _TALL_COLUMNS)
    panel = _panel(lefts, max(min(_WORDS, words), outers.shape[0]), width)
    sums = np.zeros((_up(height, LANES), width), np.float32)
    for k in range(0, words, _WORDS):
        count = min(_WORDS, words - k)
        _rows(x, begin, end - begin, panel, k, count)
        for j in range(0, width, _TALL_COLUMNS):
            for i in range(0, height, _TALL_ROWS):
                add_tall_tile(sums, lefts, panel, i, i, k, 0, j, j, count)
    if outers.shape[0]:
        _columns(factor, 0, begin, end - begin, panel, 0, outers.shape[0])
        for j in range(0, width, _TALL_COLUMNS):
            for i in range(0, height, _TALL_ROWS):
                add_tall_tile(sums, outers, panel, i, i, 0, 0, j, j, outers.shape[0])
    if across:
        turned = np.empty((width, sums.shape[0]), np.float32)
        _columns(sums, 0, 0, sums.shape[0], turned, 0, width)
        for j in range(begin, end):
            for i in range(to.shape[1]):
                to[j, np.uintp(i)] = _like(to, turned[j - begin, np.uintp(i)])
    else:
        for i in range(to.shape[0]):
            for j in range(end - begin):
                to[i, np.uintp(first + begin + j)] = _like(to, sums[i, np.uintp(j)])


@_compiled
def gram(B, room, found, entry, threads):
    """Write BᵀB of ``B`` (k, r) to ``found`` (r, r), float32, the diagonal times 1 + ``room``."""
    r = B.shape[1]
    width = _up(max(_up(r, _TALL_ROWS), _up(r, _TALL_COLUMNS)), LANES)
    parts = max(1, min(_GRAM_PARTS, B.shape[0] // (2 * _WORDS), 2**18 // (width * width)))
    sums = np.zeros((parts, width, width), np.float32)
    share(_gram, (parts, B, sums), parts, entry, threads)
    total = sums[0]
    for part in range(1, parts):
        total += sums[part]
    for i in range(r):
        for j in range(i):
            found[i, j] = found[j, i] = total[i, j]
        found[i, i] = total[i, i] * (1.0 + room)


@_inner()
def _gram(part, parts, B, sums):
    own = sums[part]
    begin, end = _bounds(part, parts, _words(B, B.shape[0]))
    panel = _panel(B, _WORDS, own.shape[0])
    for k in range(begin, end, _WORDS):
        count = min(_WORDS, end - k)
        _rows(B, 0, B.shape[1], panel, k, count)
        for i in range(0, B.shape[1], _TALL_ROWS):
            for j in range(0, min(i + _TALL_ROWS, B.shape[1]), _TALL_COLUMNS):  # it is symmetric
                add_tall_tile(own, panel, panel, i, i, 0, 0, j, j, count)


@_part
def _up(count, step):
    return -(-count // step) * step


@_inner()
def _pack_rows(part, parts, source, width, panel, column):
    begin = part * _WORDS
    end = min(begin + _WORDS, panel.shape[0])
    _rows(source, 0, width, panel[begin:end], begin, end - begin)
    for j in range(begin * _entries(panel), min(end * _entries(panel), column.shape[0])):
        column[j] = _number(source[j, width])


@_inner()
def _pack_columns(part, parts, source, first, width, panel, column):
    begin = part * _WORDS
    end = min(begin + _WORDS, panel.shape[0])
    _columns(source, first + begin * _entries(panel), 0, width, panel, begin, end - begin)
    for j in range(begin * _entries(panel), min(end * _entries(panel), column.shape[0])):
        column[j] = _number(source[width, first + j])


@_part
def _rows(source, first, width, panel, k, count):
    """Pack words k … of the columns of ``source`` from ``first`` on in a panel, and 0 at the ends of its rows."""
    whole = min(count, source.shape[0] // _entries(panel) - k)  # words
    easy = width - width % LANES
    for step in range(count):
        for j in range(0, easy if step < whole else 0, LANES):
            pack(source, panel, k + step, first + j, step, j)
        for j in range(easy if step < whole else 0, width):
            panel[step, j] = _column_word(panel, source, k + step, first + j)
        for j in range(width, panel.shape[1]):
            panel[step, j] = 0


@_part
def _columns(source, first, i, width, panel, row, count):
    """Pack the words of rows i … of ``source`` from entry ``first`` on in columns of a panel, rows ``row`` … of it."""
    entries = _entries(panel)
    for k in range(0, count, LANES):
        for j in range(0, width, LANES):
            if k + LANES <= count and j + LANES <= width and first + (k + LANES) * entries <= source.shape[1]:
                transpose(source, panel, i + j, first + k * entries, row + k, j)
            else:
                for step in range(k, min(k + LANES, count)):
                    for column in range(j, min(j + LANES, width)):
                        panel[row + step, column] = _word(panel, source, i + column, first + step * entries)
    for k in range(count):
        for j in range(width, panel.shape[1]):
            panel[row + k, j] = 0


def left_like(x: Any) -> Any:
    """Return an entry like those of the narrow factors of products that write what is like x."""


@overload(left_like)
def _(x):
    return (lambda x: np.uint16(0)) if _is_paired(x) else (lambda x: np.float32(0))


def _is_paired(x: Any) -> bool:
    return x.dtype == types.uint32 or (x.dtype == types.uint16 and has_pairs())


def _words(x: Any, count: Any) -> Any:
    """Return how many words so many entries of x have."""


@overload(_words)
def _(x, count):
    return (lambda x, count: (count + 1) // 2) if _is_paired(x) else (lambda x, count: count)


def _room(x: Any, panel: Any, rows: Any) -> Any:
    """Return room for so many rows of x as :func:`_words_of` writes them."""


@overload(_room)
def _(x, panel, rows):
    if _is_widened(x, panel):
        return lambda x, panel, rows: np.empty((rows, _WORDS), np.float32)
    return lambda x, panel, rows: np.empty((0, 0), np.float32)


def _words_of(x: Any, panel: Any, begin: Any, end: Any, k: Any, count: Any, room: Any) -> Any:
    """Return where rows of x lie in words like the panel's: an array, and row and word of the first."""


@overload(_words_of)
def _(x, panel, begin, end, k, count, room):
    return _widened if _is_widened(x, panel) else lambda x, panel, begin, end, k, count, room: (x, begin, k)


def _widened(x, panel, begin, end, k, count, room):
    for n in range(begin, end):
        for j in range(count):
            room[n - begin, np.uintp(j)] = _number(x[n, np.uintp(k + j)])
    return room, 0, 0


def _is_widened(x: Any, panel: Any) -> bool:
    return bool(x.dtype == types.uint16 and panel.dtype == types.float32)


def _entries(panel: Any) -> Any:
    """Return how many entries a word has."""


@overload(_entries)
def _(panel):
    return (lambda panel: 2) if panel.dtype == types.uint32 else (lambda panel: 1)


def _panel(x: Any, words: Any, width: Any) -> Any:
    """Return an empty panel for what is like x."""


@overload(_panel)
def _(x, words, width):
    if _is_paired(x):
        return lambda x, words, width: _aligned(np.empty(words * width + LANES, np.uint32), words, width)
    return lambda x, words, width: _aligned(np.empty(words * width + LANES, np.float32), words, width)


@_part
def _aligned(memory, words, width):
    """Return a matrix that begins where a line of memory does, as all its rows then do."""
    first = -memory.ctypes.data % (4 * LANES) // 4
    return memory[first : first + words * width].reshape((words, width))


def _column_word(panel: Any, source: Any, k: Any, j: Any) -> Any:
    """Return word k of a column."""


@overload(_column_word)
def _(panel, source, k, j):
    return _pair_below if panel.dtype == types.uint32 else _one_below


def _pair_below(panel, source, k, j):
    high = np.uint32(source[2 * k + 1, j]) if 2 * k + 1 < source.shape[0] else np.uint32(0)
    return np.uint32(source[2 * k, j]) | np.uint32(high << np.uint32(16))


def _one_below(panel, source, k, j):
    return _number(source[k, j])


def _word(panel: Any, source: Any, i: Any, j: Any) -> Any:
    """Return the word of a row that begins with an entry."""


@overload(_word)
def _(panel, source, i, j):
    return _pair if panel.dtype == types.uint32 else _one


def _pair(panel, source, i, j):
    high = np.uint32(source[i, j + 1]) if j + 1 < source.shape[1] else np.uint32(0)
    return np.uint32(source[i, j]) | np.uint32(high << np.uint32(16))


def _one(panel, source, i, j):
    return _number(source[i, j])
