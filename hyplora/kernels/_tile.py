"""Tiles of products of matrices, in the registers of processors with AVX-512 or AVX2.

LoRA's products have one narrow side, the rank, or one short sum, over it, for which libraries are not made: in float32
they reach a third of what a processor can do, in bfloat16 two thirds. A tile here is what general matrix multiplication
calls a micro-kernel: all the sums that registers hold, with AVX-512 24 times 16, stay there while one number of the
left factor at a time meets a row of the right one, which lies packed in a *panel*.

Factors are float32 or bfloat16. What a panel has side by side is here called a *word*, of 32 bits: a number or, where
there is the instruction ``vdpbf16ps``, which adds the products of two pairs to sums in float32, a pair of bfloat16.
Like all of its kind, oneDNN's products among them, that takes numbers below 1.2e-38 for 0. Processors without it have
bfloat16 widened as it is packed.

As with :mod:`hyplora.kernels._team`, whoever changes this module removes ``__pycache__`` beside it.
"""
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

__all__ = [
    "COLUMNS",
    "LANES",
    "NARROW",
    "ROWS",
    "SLIM",
    "TALL",
    "add_narrow_tile",
    "add_slim_tile",
    "add_tall_tile",
    "available",
    "has_pairs",
    "pack",
    "suited",
    "transpose",
    "write_tile",
]

# What numba has kept on disk has instructions in it that LLVM reads as text.
llvmlite.binding.initialize_native_target()
llvmlite.binding.initialize_native_asmparser()


def _features() -> str:
    """Return what the processor has for which numba compiles, as LLVM writes it."""
    return str(cpu_target.target_context.codegen().magic_tuple()[-1])


def _has(features: str, name: str) -> bool:
    return {each[1:]: each[0] == "+" for each in features.split(",") if each}.get(name, False)  # the last of one counts


LANES = 16  # of a register, with AVX2 of two
# Rows and columns of each kind of tile.
if _has(_features(), "avx512f"):  # 32 registers
    ROWS, COLUMNS = 6, 4 * LANES
    NARROW, SLIM, TALL = (12, 2 * LANES), (12, LANES), (11, 2 * LANES)
else:  # 16 of half the width
    ROWS, COLUMNS = 6, LANES
    NARROW = SLIM = TALL = (6, LANES)

_WORD, _INDEX, _NUMBER = ir.IntType(32), ir.IntType(64), ir.FloatType()
_NUMBERS = ir.VectorType(_NUMBER, LANES)
_PAIRS = ir.VectorType(_WORD, LANES)
_HALVES = ir.VectorType(ir.IntType(16), LANES)
_ADD_PRODUCTS = ir.InlineAsm(
    ir.FunctionType(_NUMBERS, [_NUMBERS, _PAIRS, _PAIRS]), "vdpbf16ps $3, $2, $0", "=v,0,v,v", side_effect=False
)
_TO_BFLOAT16 = ir.InlineAsm(ir.FunctionType(_HALVES, [_NUMBERS]), "vcvtneps2bf16 $1, $0", "=v,v", side_effect=False)
_BITS = (types.uint16, types.uint32)


@functools.cache
def available(kind: str) -> bool:
    """Return whether numba compiles for a processor with tiles of a kind, ``"float32"`` or ``"bfloat16"``.

    If not, nothing of the kind may be compiled.
    """
    return suited(kind, _features())


@functools.cache
def has_pairs() -> bool:
    """Return whether words of bfloat16 are pairs."""
    return _has(_features(), "avx512bf16")


def suited(kind: str, features: str) -> bool:
    """Return whether tiles pay on a processor with such features, as LLVM reads them: ``+avx512f,-amx-bf16,…``.

    Processors that multiply whole tiles of bfloat16 (AMX) do so much sooner.
    """
    if not _has(features, "avx512f") and not (_has(features, "avx2") and _has(features, "fma")):
        return False
    return kind == "float32" or not _has(features, "amx-bf16")


def _adder(rows: int, columns: int, *, packed: bool) -> Any:
    @intrinsic
    def add_tile(context, sums, left, panel, m, n, k, row, column, j, count):
        """Add left @ panel, over ``count`` words, to rows m … and columns j … of ``sums``, float32.

        ``left`` has rows n … and words k …, those of its last row again past its end; packed it has them as columns n …
        and rows k …, as ``panel`` has words as rows, here from ``row`` and ``column`` on.
        """
        if not _fit(left, panel) or sums.dtype != types.float32:
            return None  # which numba reports as arguments that do not fit

        def generate(context, builder, signature, values):
            sums, left, panel = _arrays(context, builder, signature.args[:3], values[:3])
            m, n, k, row, column, j, count = values[3:]
            if packed:
                first = left.place(_WORD, k, n)
                lefts = [builder.gep(first, [_index(step)]) for step in range(rows)]
                step = left.width
            else:
                lefts, step = _rows(builder, left, n, k, rows), _index(1)
            found = _products(builder, lefts, step, panel, row, column, count, columns)
            for at, own in enumerate(found):
                for vector, each in enumerate(own):
                    place = sums.place(_NUMBERS, builder.add(m, _index(at)), builder.add(j, _index(LANES * vector)))
                    builder.store(builder.fadd(builder.load(place, align=4), each), place, align=4)
            return context.get_dummy_value()

        return types.none(sums, left, panel, *[types.intp] * 7), generate

    return add_tile


add_narrow_tile = _adder(*NARROW, packed=False)
add_slim_tile = _adder(*SLIM, packed=False)
add_tall_tile = _adder(*TALL, packed=True)


@intrinsic
def write_tile(context, to, left, panel, x, numbers, n, j, column):
    """Write left @ panel + numbers · x for rows n … and columns j … to ``to``; without x where that is None.

    ``left`` (N, words) has rows n …, ``panel`` (words, ...) columns ``column`` …, ``numbers`` (N,) float32. ``x`` may
    have one row for all.
    """
    if not _fit(left, panel) or not _is_read(to) or left.dtype == types.uint32 or (_is_bits(panel) != _is_bits(left)):
        return None
    if not isinstance(x, types.NoneType) and not (_is_read(x) and numbers.dtype == types.float32):
        return None

    def generate(context, builder, signature, values):
        to, left, panel = _arrays(context, builder, signature.args[:3], values[:3])
        added: list[_Matrix] = []
        if not isinstance(signature.args[3], types.NoneType):
            added = _arrays(context, builder, signature.args[3:5], values[3:5])
        n, j, column = values[5:]
        lefts = _rows(builder, left, n, _index(0), ROWS)
        found = _products(builder, lefts, _index(1), panel, _index(0), column, panel.height, COLUMNS)
        for at, own in enumerate(found):
            row = builder.add(n, _index(at))
            with builder.if_then(builder.icmp_signed("<", row, to.height)):
                if added:
                    x, numbers = added
                    number = _everywhere(builder, builder.load(numbers.place(_NUMBER, row)))
                    last = builder.sub(x.height, _index(1))
                    own_row = builder.select(builder.icmp_signed("<", row, last), row, last)
                for vector, total in enumerate(own):
                    place = builder.add(j, _index(LANES * vector))
                    if added:
                        total = _multiply_and_add(builder, number, _numbers(builder, x, own_row, place), total)
                    if to.bits:
                        builder.store(_rounded(builder, total), to.place(_HALVES, row, place), align=2)
                    else:
                        builder.store(total, to.place(_NUMBERS, row, place), align=4)
        return context.get_dummy_value()

    return types.none(to, left, panel, x, numbers, types.intp, types.intp, types.intp), generate


@intrinsic
def pack(context, source, panel, k, j, row, column):
    """Write word k of 16 columns of ``source``, from j on, to a row of ``panel`` from a column on."""
    if not _fit(source, panel) and (_is_bits(panel) or not _is_read(source)):
        return None

    def generate(context, builder, signature, values):
        source, panel = _arrays(context, builder, signature.args[:2], values[:2])
        k, j, row, column = values[2:]
        if not panel.bits:
            builder.store(_numbers(builder, source, k, j), panel.place(_NUMBERS, row, column), align=4)
            return context.get_dummy_value()
        k = builder.shl(k, _index(1))
        low, high = (
            builder.zext(builder.load(source.place(_HALVES, each, j), align=2), _PAIRS)
            for each in (k, builder.add(k, _index(1)))
        )
        words = builder.or_(low, builder.shl(high, ir.Constant(_PAIRS, [16] * LANES)))
        builder.store(words, panel.place(_PAIRS, row, column), align=4)
        return context.get_dummy_value()

    return types.none(source, panel, *[types.intp] * 4), generate


@intrinsic
def transpose(context, source, panel, i, j, k, column):
    """Write 16 words of each of 16 rows, i … of ``source``, from entry j on, to rows k … and columns … of ``panel``."""
    if not _fit(source, panel) and (_is_bits(panel) or not _is_read(source)):
        return None

    def generate(context, builder, signature, values):
        source, panel = _arrays(context, builder, signature.args[:2], values[:2])
        i, j, k, column = values[2:]
        kind = _PAIRS if panel.bits else _NUMBERS
        own_rows = [builder.add(i, _index(row)) for row in range(LANES)]
        if panel.bits:
            rows = [builder.load(source.place(kind, row, j), align=2) for row in own_rows]
        else:
            rows = [_numbers(builder, source, row, j) for row in own_rows]
        # Each round turns the eight bits that number a word, four of the row and four of the column, by one.
        half = LANES // 2
        shuffles = [
            ir.Constant(_PAIRS, [first + other for first in range(begin, begin + half) for other in (0, LANES)])
            for begin in (0, half)
        ]
        for _ in range(4):
            rows = [
                builder.shuffle_vector(rows[row // 2], rows[row // 2 + half], shuffles[row % 2]) for row in range(LANES)
            ]
        for row, words in enumerate(rows):
            builder.store(words, panel.place(kind, builder.add(k, _index(row)), column), align=4)
        return context.get_dummy_value()

    return types.none(source, panel, *[types.intp] * 4), generate


class _Matrix:
    """An array (height, width), or (height,), of which places are asked for."""

    def __init__(self, context, builder, kind, value) -> None:
        self._given = context, builder, kind
        self._array = context.make_array(kind)(context, builder, value)
        self.bits = _is_bits(kind)
        self.height = builder.extract_value(self._array.shape, 0)
        self.width = builder.extract_value(self._array.shape, 1) if kind.ndim == 2 else None

    def place(self, kind, *indices):
        """Return a pointer to what is of a kind and begins with an entry."""
        context, builder, own = self._given
        found = cgutils.get_item_pointer(context, builder, own, self._array, indices)
        return builder.bitcast(found, kind.as_pointer())


def _arrays(context, builder, kinds, values) -> list[_Matrix]:
    return [_Matrix(context, builder, kind, value) for kind, value in zip(kinds, values, strict=True)]


def _is_bits(array) -> bool:
    return array.dtype in _BITS


def _fit(entries, panel) -> bool:
    """Return whether the one can be a factor beside a panel, in type."""
    kinds = _BITS if _is_bits(panel) else (types.float32,)
    return entries.layout == panel.layout == "C" and entries.dtype in kinds


def _is_read(entries) -> bool:
    """Return whether :func:`_numbers` can read it."""
    return entries.layout == "C" and entries.dtype in (types.uint16, types.float32)


def _index(value: int):
    return ir.Constant(_INDEX, value)


def _rows(builder, left: _Matrix, n, k, rows: int) -> list[Any]:
    """Return pointers to word k of rows n …, or of the last one where there are no more."""
    last = builder.sub(left.height, _index(1))
    k = builder.shl(k, _index(1)) if left.bits else k
    found = []
    for step in range(rows):
        row = builder.add(n, _index(step))
        row = builder.select(builder.icmp_signed("<", row, last), row, last)
        found.append(left.place(_WORD, row, k))
    return found


def _products(builder, lefts, step, panel: _Matrix, row, column, count, columns: int) -> list[list[Any]]:
    """Return the sums over ``count`` words of words from ``lefts`` on, ``step`` apart, times rows of a panel."""
    kind = _PAIRS if panel.bits else _NUMBERS
    vectors = range(columns // LANES)
    zero = ir.Constant(_NUMBERS, [0.0] * LANES)
    sums = [[cgutils.alloca_once(builder, _NUMBERS) for _ in vectors] for _ in lefts]
    for own in sums:
        for each in own:
            builder.store(zero, each)
    with cgutils.for_range(builder, count, intp=_INDEX) as loop:
        first = panel.place(_WORD, builder.add(row, loop.index), column)
        right = [
            builder.load(builder.bitcast(builder.gep(first, [_index(LANES * each)]), kind.as_pointer()), align=4)
            for each in vectors
        ]
        offset = builder.mul(loop.index, step)
        for left, own in zip(lefts, sums, strict=True):
            word = builder.load(builder.gep(left, [offset]), align=2)
            many = _everywhere(builder, word if panel.bits else builder.bitcast(word, _NUMBER))
            for held, each in zip(own, right, strict=True):
                total = builder.load(held)
                if panel.bits:
                    total = builder.call(_ADD_PRODUCTS, [total, many, each])
                else:
                    total = _multiply_and_add(builder, many, each, total)
                builder.store(total, held)
    return [[builder.load(each) for each in own] for own in sums]


def _multiply_and_add(builder, one, other, total):
    return builder.fadd(total, builder.fmul(one, other, flags=("contract",)), flags=("contract",))


def _everywhere(builder, value):
    vector = ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), ir.Constant(_PAIRS, [0] * LANES))


def _numbers(builder, x: _Matrix, row, column):
    """Return 16 entries as float32."""
    if not x.bits:
        return builder.load(x.place(_NUMBERS, row, column), align=4)
    bits = builder.zext(builder.load(x.place(_HALVES, row, column), align=2), _PAIRS)
    return builder.bitcast(builder.shl(bits, ir.Constant(_PAIRS, [16] * LANES)), _NUMBERS)


def _rounded(builder, total):
    """Return 16 numbers as bits of bfloat16."""
    if has_pairs():
        return builder.call(_TO_BFLOAT16, [total])
    bits = builder.bitcast(total, _PAIRS)
    shift, half, one, nan = (ir.Constant(_PAIRS, [each] * LANES) for each in (16, 0x7FFF, 1, 0x7FC0))
    odd = builder.and_(builder.lshr(bits, shift), one)
    nearest = builder.lshr(builder.add(builder.add(bits, half), odd), shift)
    return builder.trunc(builder.select(builder.fcmp_unordered("uno", total, total), nan, nearest), _HALVES)
