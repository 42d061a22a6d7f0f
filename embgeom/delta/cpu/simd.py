"""The few vector instructions that numba does not emit by itself.

numba's ``min`` and ``max`` of floats become a comparison and a select that LLVM neither recognises as one instruction
nor vectorises in a reduction. Here they are LLVM's ``minnum`` and ``maxnum`` with the promise that no NaN comes.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "HUGE",
    "LANES",
    "PANEL",
    "SHORT",
    "TILE_ROWS",
    "extremum",
    "larger",
    "lowest_bit",
    "mask_above",
    "pack_products",
    "smaller",
    "splat",
]

_WIDE = bool(llvm.get_host_cpu_features().get("avx512f", False))
#: Floats in one vector register; where registers are narrower, LLVM splits the vector.
LANES = 16 if _WIDE else 8
#: Columns of a packed panel, and rows and columns of a block of the product.
PANEL = 2 * LANES
#: Rows of a register tile; TILE_ROWS × 2 accumulators of floats must fit the register file (32 wide ones, else 16).
TILE_ROWS = 8 if _WIDE else 4
#: Stands for infinity in float32 comparisons; sums of a few of it do not overflow.
HUGE = np.float32(1e30)
#: The largest int16 in a panel; differences of two such do not overflow.
SHORT = 16383

_NO_NAN = ("nnan", "nsz")


def extremum(builder: ir.IRBuilder, name: str, left: ir.Value, right: ir.Value) -> ir.Value:
    """Emit ``min`` or ``max`` of two numbers or two vectors: for floats, LLVM's ``minnum`` or ``maxnum``."""
    kind = left.type
    scalar = kind.element if isinstance(kind, ir.VectorType) else kind
    if isinstance(scalar, ir.IntType):  # LLVM knows this as one instruction
        return builder.select(builder.icmp_signed("<" if name == "min" else ">", left, right), left, right)
    bits = "f64" if isinstance(scalar, ir.DoubleType) else "f32"
    lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    signature = ir.FunctionType(kind, [kind, kind])
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}num.{lanes}{bits}")
    return builder.call(function, [left, right], fastmath=_NO_NAN)


def _binary(name: str) -> Any:
    """Return the numba intrinsic for the scalar ``min`` or ``max``."""

    def typed(typingctx: Any, left: Any, right: Any) -> Any:
        if left != right or not isinstance(left, (types.Float, types.Integer)):
            return None

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
            return extremum(builder, name, args[0], args[1])

        return left(left, right), codegen

    return typed


@intrinsic
def larger(typingctx: Any, left: Any, right: Any) -> Any:
    """The larger of two floats, neither of them NaN, or two signed integers; both of one type."""
    return _binary("max")(typingctx, left, right)


@intrinsic
def smaller(typingctx: Any, left: Any, right: Any) -> Any:
    """The smaller of two floats, neither of them NaN, or two signed integers; both of one type."""
    return _binary("min")(typingctx, left, right)


@intrinsic
def mask_above(typingctx: Any, values: Any, start: Any, bar: Any) -> Any:
    """``mask_above(values, start, bar)``: bit i tells whether values[start + i] > bar, for LANES float32 values."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vector = ir.VectorType(ir.FloatType(), LANES)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        loaded = builder.load(builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer()), align=4)
        above = builder.fcmp_ordered(">", loaded, splat(builder, args[2]))
        return builder.zext(builder.bitcast(above, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(values, types.intp, types.float32), codegen


@intrinsic
def lowest_bit(typingctx: Any, mask: Any) -> Any:
    """Return the place of the lowest bit that is set, 64 for none."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), codegen


def splat(builder: ir.IRBuilder, scalar: ir.Value, lanes: int = LANES) -> ir.Value:
    """Return a vector of copies of a scalar."""
    nothing = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    first = builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, zeros)


@intrinsic
def pack_products(
    typingctx: Any, target: Any, place: Any, to_x: Any, to_base: Any, start: Any, width: Any, own: Any, factor: Any
) -> Any:
    """Write one row of a panel of Gromov products, in float32 or rounded to int16, PANEL at once.

    ``pack_products(target, place, to_x, to_base, start, width, own, factor)``: ``target[place + j]`` becomes
    (own + to_base[start + j] − to_x[start + j]) · factor, in int16 the nearest integer, halves up. For j ≥ width it
    becomes −HUGE or −SHORT, although there must be something to be read there as well. Both rows, ``own`` and
    ``factor`` are of one type.
    """
    if target.dtype not in (types.int16, types.float32) or not to_x.dtype == to_base.dtype == own == factor:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        start, width, own, factor = args[4:]
        size = context.get_abi_sizeof(own.type)
        vector, words = ir.VectorType(own.type, PANEL), ir.VectorType(ir.IntType(32), PANEL)

        def pointer(number: int, offset: ir.Value, kind: ir.Type) -> ir.Value:
            data = context.make_array(signature.args[number])(context, builder, args[number]).data
            return builder.bitcast(builder.gep(data, [offset]), kind.as_pointer())

        row, column = (builder.load(pointer(number, start, vector), align=size) for number in (2, 3))
        product = builder.fsub(builder.fadd(splat(builder, own, PANEL), column), row)
        value = builder.fmul(product, splat(builder, factor, PANEL))
        if target.dtype == types.int16:
            # To the nearest, by a conversion that cuts off towards zero: all are positive then.
            shifted = builder.fadd(value, ir.Constant(vector, [32768.5] * PANEL))
            whole = builder.sub(builder.fptosi(shifted, words), ir.Constant(words, [32768] * PANEL))
            packed, lowest = ir.VectorType(ir.IntType(16), PANEL), -SHORT
            value = builder.trunc(whole, packed)
        else:
            packed, lowest = ir.VectorType(ir.FloatType(), PANEL), -float(HUGE)
            value = value if size == 4 else builder.fptrunc(value, packed)
        lanes = ir.Constant(words, list(range(PANEL)))
        inside = builder.icmp_signed("<", lanes, splat(builder, builder.trunc(width, ir.IntType(32)), PANEL))
        value = builder.select(inside, value, ir.Constant(packed, [lowest] * PANEL))
        builder.store(value, pointer(0, args[1], packed), align=2 if target.dtype == types.int16 else 4)
        return context.get_dummy_value()

    return types.void(target, types.intp, to_x, to_base, types.intp, types.intp, own, factor), codegen
