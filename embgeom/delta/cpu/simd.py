"""The few vector instructions that numba does not emit by itself.

numba's ``min`` and ``max`` of floats become a comparison and a select that LLVM neither recognises as one instruction
nor vectorises in a reduction. Here they are LLVM's ``minnum`` and ``maxnum`` with the promise that no NaN comes, and
the inner loop of the (max,min) product is written out as a tile of vector registers.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "PANEL", "TILE_ROWS", "larger", "lowest_bit", "mask_above", "smaller", "tile_update"]

_WIDE = bool(llvm.get_host_cpu_features().get("avx512f", False))
#: Floats in one vector register; where registers are narrower, LLVM splits the vector.
LANES = 16 if _WIDE else 8
_VECTORS = 2
#: Columns of a packed panel, and rows and columns of a block of the product.
PANEL = LANES * _VECTORS
#: Rows of a register tile; TILE_ROWS × 2 accumulators must fit the register file (32 wide ones, else 16).
TILE_ROWS = 8 if _WIDE else 4

_NO_NAN = ("nnan", "nsz")


def _extremum(builder: ir.IRBuilder, name: str, left: ir.Value, right: ir.Value) -> ir.Value:
    """Emit LLVM's ``minnum`` or ``maxnum`` of two floats or two vectors of floats."""
    kind = left.type
    scalar = kind.element if isinstance(kind, ir.VectorType) else kind
    bits = "f64" if isinstance(scalar, ir.DoubleType) else "f32"
    lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    signature = ir.FunctionType(kind, [kind, kind])
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.{lanes}{bits}")
    return builder.call(function, [left, right], fastmath=_NO_NAN)


def _binary(name: str) -> Any:
    """Return the numba intrinsic for a scalar ``minnum`` or ``maxnum``."""

    def typed(typingctx: Any, left: Any, right: Any) -> Any:
        if left != right or not isinstance(left, types.Float):
            return None

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
            return _extremum(builder, name, args[0], args[1])

        return left(left, right), codegen

    return typed


@intrinsic
def larger(typingctx: Any, left: Any, right: Any) -> Any:
    """The larger of two floats of one type, neither of them NaN."""
    return _binary("maxnum")(typingctx, left, right)


@intrinsic
def smaller(typingctx: Any, left: Any, right: Any) -> Any:
    """The smaller of two floats of one type, neither of them NaN."""
    return _binary("minnum")(typingctx, left, right)


@intrinsic
def mask_above(typingctx: Any, values: Any, start: Any, bar: Any) -> Any:
    """``mask_above(values, start, bar)``: bit i tells whether values[start + i] > bar, for LANES float32 values."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vector = ir.VectorType(ir.FloatType(), LANES)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        loaded = builder.load(builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer()), align=4)
        above = builder.fcmp_ordered(">", loaded, _splat(builder, args[2]))
        return builder.zext(builder.bitcast(above, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(values, types.intp, types.float32), codegen


@intrinsic
def lowest_bit(typingctx: Any, mask: Any) -> Any:
    """Return the place of the lowest bit that is set, 64 for none."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), codegen


def _splat(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    """Return a vector of LANES copies of a float."""
    nothing = ir.Constant(ir.VectorType(ir.FloatType(), LANES), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    first = builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, zeros)


class _TileLoop:
    """Emits acc[r, :] = max(acc[r, :], max over k of min(left[k, r], right[k, :])) with acc in registers."""

    def __init__(self, builder: ir.IRBuilder, left: ir.Value, right: ir.Value, acc: ir.Value, count: ir.Value) -> None:
        self.builder, self.left, self.right, self.acc, self.count = builder, left, right, acc, count
        self.vector = ir.VectorType(ir.FloatType(), LANES)
        self.index = count.type

    def vector_at(self, base: ir.Value, offset: ir.Value) -> ir.Value:
        """Return a pointer to the vector that starts ``offset`` floats after ``base``."""
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())

    def accumulators(self) -> list[ir.Value]:
        """Return the pointers to the tile's rows of vectors in memory."""
        starts = [row * PANEL + vector * LANES for row in range(TILE_ROWS) for vector in range(_VECTORS)]
        return [self.vector_at(self.acc, ir.Constant(self.index, start)) for start in starts]

    def step(self, k: ir.Value, tile: list[ir.Value]) -> list[ir.Value]:
        """Return the accumulators after row k of the two panels."""
        builder = self.builder
        row = builder.mul(k, ir.Constant(self.index, PANEL))
        starts = [builder.add(row, ir.Constant(self.index, vector * LANES)) for vector in range(_VECTORS)]
        columns = [builder.load(self.vector_at(self.right, start), align=4) for start in starts]
        updated = []
        for r in range(TILE_ROWS):
            scalar = builder.load(builder.gep(self.left, [builder.add(row, ir.Constant(self.index, r))]), align=4)
            splat = _splat(builder, scalar)
            for vector in range(_VECTORS):
                low = _extremum(builder, "minnum", splat, columns[vector])
                updated.append(_extremum(builder, "maxnum", tile[r * _VECTORS + vector], low))
        return updated

    def emit(self) -> None:
        """Emit the loop over k; the tile is loaded before and stored after."""
        builder = self.builder
        pointers = self.accumulators()
        before = [builder.load(pointer, align=4) for pointer in pointers]
        entry = builder.block
        body, done = builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
        builder.branch(body)
        builder.position_at_end(body)
        k = builder.phi(self.index)
        tile = [builder.phi(self.vector) for _ in pointers]
        updated = self.step(k, tile)  # type: ignore[arg-type]
        following = builder.add(k, ir.Constant(self.index, 1))
        builder.cbranch(builder.icmp_signed("<", following, self.count), body, done)
        for phi, start, end in zip(
            [k, *tile], [ir.Constant(self.index, 0), *before], [following, *updated], strict=True
        ):
            phi.add_incoming(start, entry)
            phi.add_incoming(end, body)
        builder.position_at_end(done)
        for pointer, value in zip(pointers, updated, strict=True):
            builder.store(value, pointer, align=4)


@intrinsic
def tile_update(typingctx: Any, panels: Any, left: Any, right: Any, acc: Any, start: Any, count: Any) -> Any:
    """Raise a tile of the (max,min) product by ``count`` ≥ 1 further rows of two packed panels.

    ``tile_update(panels, left, right, acc, start, count)``: ``panels`` and ``acc`` are flat float32 arrays; rows of
    both panels follow one another at PANEL floats, from offset ``left`` (of which TILE_ROWS columns are read) and from
    offset ``right`` (of which PANEL columns are read); the tile's rows stand at PANEL floats from ``acc[start]`` on.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        flat, tile = (context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 3))
        loop = _TileLoop(
            builder, builder.gep(flat, [args[1]]), builder.gep(flat, [args[2]]), builder.gep(tile, [args[4]]), args[5]
        )
        loop.emit()
        return context.get_dummy_value()

    index = types.intp
    return types.void(panels, index, index, acc, index, index), codegen
