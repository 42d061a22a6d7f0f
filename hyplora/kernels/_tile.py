"""A tile of a product in bfloat16, as processors with AVX512-BF16 make it, that ends in a sum with something else.

oneDNN's product ends with its writing; whatever is to be added is another pass over what it has written. The
instruction ``vdpbf16ps``, with which oneDNN multiplies on such processors too, adds the products of two pairs of
bfloat16 to sums in float32; like all of its kind it takes numbers below 1.2e-38 for 0. Processors that multiply whole
tiles (AMX) make the product so much sooner that the other pass is the better way.

As with :mod:`hyplora.kernels._team`, whoever changes this module removes ``__pycache__`` beside it.
"""
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import functools

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

__all__ = ["COLUMNS", "ROWS", "available", "suited", "write_tile"]

# Sums of a tile stay in 24 of the 32 registers; four hold what is read of one factor, one what is read of the other.
ROWS, _VECTORS, _LANES = 6, 4, 16
COLUMNS = _VECTORS * _LANES

_WHOLE = ir.IntType(32)
_NUMBERS = ir.VectorType(ir.FloatType(), _LANES)
_PAIRS = ir.VectorType(_WHOLE, _LANES)
_HALVES = ir.VectorType(ir.IntType(16), _LANES)
_ADD_PRODUCTS = ir.InlineAsm(
    ir.FunctionType(_NUMBERS, [_NUMBERS, _PAIRS, _PAIRS]), "vdpbf16ps $3, $2, $0", "=v,0,v,v", side_effect=False
)
_TO_BFLOAT16 = ir.InlineAsm(ir.FunctionType(_HALVES, [_NUMBERS]), "vcvtneps2bf16 $1, $0", "=v,v", side_effect=False)


@functools.cache
def available() -> bool:
    """Return whether numba compiles for a processor whose tiles these are; if not, nothing here may be compiled."""
    return suited(cpu_target.target_context.codegen().magic_tuple()[-1])


def suited(features: str) -> bool:
    """Return whether tiles pay on a processor with such features, as LLVM reads them: ``+avx512bf16,-amx-bf16,…``."""
    has = {each[1:]: each[0] == "+" for each in features.split(",") if each}  # the last of a name counts
    return has.get("avx512bf16", False) and not has.get("amx-bf16", False)


@intrinsic
def write_tile(context, to, rank, pairs, x, numbers, n, j, k):
    """Write rank @ A + numbers · x for rows n … n + ROWS - 1 and columns j … j + COLUMNS - 1 to ``to``.

    ``to`` and ``x`` (N, d) and ``rank`` (N, r), r even, are the bits of bfloat16 as uint16, ``numbers`` (N,) is
    float32. ``pairs`` (r / 2, ...), uint32, has in row i and column k + m the entries of rows 2i and 2i + 1 of A in
    column j + m, the first in the lower half.
    """
    if any((each.dtype, each.layout) != (types.uint16, "C") for each in (to, rank, x)):
        return None  # which numba reports as arguments that do not fit
    llvmlite.binding.initialize_native_asmparser()

    def generate(context, builder, signature, values):
        kinds = signature.args[:5]
        to, rank, pairs, x, numbers = (
            (kind, context.make_array(kind)(context, builder, value))
            for kind, value in zip(kinds, values[:5], strict=True)
        )
        n, j, k = values[5:]

        def place(array, kind, *indices):
            kind_of_array, held = array
            found = cgutils.get_item_pointer(context, builder, kind_of_array, held, indices)
            return builder.bitcast(found, kind.as_pointer())

        def after(index, steps):
            return builder.add(index, ir.Constant(index.type, steps))

        def everywhere(value, vector):
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_WHOLE, 0))
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), ir.Constant(_PAIRS, [0] * _LANES))

        rows = [after(n, row) for row in range(ROWS)]
        vectors = range(_VECTORS)
        sums = [
            [cgutils.alloca_once_value(builder, ir.Constant(_NUMBERS, [0.0] * _LANES)) for _ in vectors] for _ in rows
        ]
        with cgutils.for_range(builder, builder.extract_value(pairs[1].shape, 0), intp=n.type) as loop:
            own = [builder.load(place(pairs, _PAIRS, loop.index, after(k, _LANES * each)), align=4) for each in vectors]
            first = builder.shl(loop.index, ir.Constant(n.type, 1))
            for row, held in zip(rows, sums, strict=True):
                pair = everywhere(builder.load(place(rank, _WHOLE, row, first), align=2), _PAIRS)
                for each in vectors:
                    builder.store(builder.call(_ADD_PRODUCTS, [builder.load(held[each]), pair, own[each]]), held[each])
        for row, held in zip(rows, sums, strict=True):
            number = everywhere(builder.load(place(numbers, ir.FloatType(), row)), _NUMBERS)
            for each in vectors:
                column = after(j, _LANES * each)
                bits = builder.zext(builder.load(place(x, _HALVES, row, column), align=2), _PAIRS)
                entries = builder.bitcast(builder.shl(bits, ir.Constant(_PAIRS, [16] * _LANES)), _NUMBERS)
                total = builder.fadd(
                    builder.load(held[each]), builder.fmul(number, entries, flags=("contract",)), flags=("contract",)
                )
                builder.store(builder.call(_TO_BFLOAT16, [total]), place(to, _HALVES, row, column), align=2)
        return context.get_dummy_value()

    return types.none(to, rank, pairs, x, numbers, types.intp, types.intp, types.intp), generate
