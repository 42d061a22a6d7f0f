"""The inner loop of the (max,min) and of the (max,+) product, written out as a tile of vector registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from embgeom.delta.cpu.simd import LANES, PANEL, TILE_ROWS, extremum, splat

__all__ = ["tile_sums", "tile_update"]


class _TileLoop:
    """Emits acc[r, :] = max(acc[r, :], max over k of op(left[k, r], right[k, :])) with acc in registers.

    ``op`` is ``min``, or ``add``, which is for integers. ``whole``: int16, as many bits in half as many vectors; else
    float32.
    """

    def __init__(
        self,
        builder: ir.IRBuilder,
        op: str,
        whole: bool,
        left: ir.Value,
        right: ir.Value,
        acc: ir.Value,
        count: ir.Value,
    ) -> None:
        self.builder, self.left, self.right, self.acc, self.count = builder, left, right, acc, count
        self.op = op
        self.lanes = LANES * 2 if whole else LANES
        self.vectors = PANEL // self.lanes
        self.align = 2 if whole else 4
        self.vector = ir.VectorType(ir.IntType(16) if whole else ir.FloatType(), self.lanes)
        self.index = count.type

    def vector_at(self, base: ir.Value, offset: ir.Value) -> ir.Value:
        """Return a pointer to the vector that starts ``offset`` numbers after ``base``."""
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())

    def accumulators(self) -> list[ir.Value]:
        """Return the pointers to the tile's rows of vectors in memory."""
        starts = [row * PANEL + vector * self.lanes for row in range(TILE_ROWS) for vector in range(self.vectors)]
        return [self.vector_at(self.acc, ir.Constant(self.index, start)) for start in starts]

    def step(self, k: ir.Value, tile: list[ir.Value]) -> list[ir.Value]:
        """Return the accumulators after row k of the two panels."""
        builder = self.builder
        row = builder.mul(k, ir.Constant(self.index, PANEL))
        starts = [builder.add(row, ir.Constant(self.index, vector * self.lanes)) for vector in range(self.vectors)]
        columns = [builder.load(self.vector_at(self.right, start), align=self.align) for start in starts]
        updated = []
        for r in range(TILE_ROWS):
            place = builder.gep(self.left, [builder.add(row, ir.Constant(self.index, r))])
            own = splat(builder, builder.load(place, align=self.align), self.lanes)
            for vector in range(self.vectors):
                column = columns[vector]
                both = builder.add(own, column) if self.op == "add" else extremum(builder, "min", own, column)
                updated.append(extremum(builder, "max", tile[r * self.vectors + vector], both))
        return updated

    def emit(self) -> None:
        """Emit the loop over k; the tile is loaded before and stored after."""
        builder = self.builder
        pointers = self.accumulators()
        before = [builder.load(pointer, align=self.align) for pointer in pointers]
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
            builder.store(value, pointer, align=self.align)


def _tile(op: str, panels: Any, acc: Any) -> Any:
    """Return what an intrinsic for a tile of the (max, ``op``) product returns."""
    if panels.dtype != acc.dtype or panels.dtype not in (types.float32, types.int16):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        flat, tile = (context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 3))
        left, right, acc_at = builder.gep(flat, [args[1]]), builder.gep(flat, [args[2]]), builder.gep(tile, [args[4]])
        _TileLoop(builder, op, panels.dtype == types.int16, left, right, acc_at, args[5]).emit()
        return context.get_dummy_value()

    index = types.intp
    return types.void(panels, index, index, acc, index, index), codegen


@intrinsic
def tile_update(typingctx: Any, panels: Any, left: Any, right: Any, acc: Any, start: Any, count: Any) -> Any:
    """Raise a tile of the (max,min) product by ``count`` ≥ 1 further rows of two packed panels.

    ``tile_update(panels, left, right, acc, start, count)``: ``panels`` and ``acc`` are flat arrays, both float32 or
    both int16; rows of both panels follow one another at PANEL numbers, from offset ``left`` (of which TILE_ROWS
    columns are read) and from offset ``right`` (of which PANEL columns are read); the tile's rows stand at PANEL
    numbers from ``acc[start]`` on.
    """
    return _tile("min", panels, acc)


@intrinsic
def tile_sums(typingctx: Any, panels: Any, left: Any, right: Any, acc: Any, start: Any, count: Any) -> Any:
    """Raise a tile of the (max,+) product; as :func:`tile_update`, for int16."""
    return _tile("add", panels, acc)
