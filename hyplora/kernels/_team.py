"""Parts of a loop, done by the threads that PyTorch multiplies with.

Those threads wait busily between two products, on the very cores that threads of our own would want, and cost 2 µs to
send on their way. They belong to the OpenMP runtime that PyTorch has loaded, whose entry point for compiled code,
``GOMP_parallel``, is part of its binary interface (GNU libgomp; LLVM's and Intel's runtimes have it too, on Linux).
Where there is none, the calling thread does everything: the parts and so the results are the same.

What numba keeps on disk holds the code that is made here, but is made anew only when :mod:`hyplora.kernels._loops` has
changed: whoever changes this module removes ``__pycache__`` beside it.
"""
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import ctypes
import functools
from operator import attrgetter

import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["share", "team"]

_WHOLE = ir.IntType(64)
_ADDRESS = ir.IntType(8).as_pointer()
_BODY = ir.FunctionType(ir.VoidType(), [_ADDRESS])
_ZERO = ir.Constant(_WHOLE, 0)
_NEXT, _COUNT, _FAILED, _GIVEN = range(4)  # what the threads hold in common


def team() -> tuple[int, int]:
    """Return the address of ``GOMP_parallel``, 0 where there is none, and how many threads PyTorch uses."""
    return _entry(), torch.get_num_threads()


@functools.cache
def _entry() -> int:
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value or 0
    except (AttributeError, OSError, TypeError):  # not there; a platform on which None names no library
        return 0


@intrinsic
def share(context, kernel, arguments, parts, entry, threads):
    """Call ``kernel(part, *arguments)`` once for every part of ``range(parts)``, in any order.

    ``kernel`` is a compiled function. All that it can raise is a ``MemoryError``, and then this does; ``entry`` and
    ``threads`` are what :func:`team` returns.
    """
    own = kernel.get_call_type(context, (types.intp, *arguments.types), {})  # compiles it

    def generate(context, builder, signature, values):
        _, given, count, address, most = values
        library, description = attrgetter("library", "fndesc")(kernel.dispatcher.get_compile_result(own))
        context.add_linking_libs([library])
        held = cgutils.alloca_once(builder, ir.LiteralStructType([_WHOLE, _WHOLE, _WHOLE, given.type]))
        for place, value in ((_NEXT, _ZERO), (_COUNT, count), (_FAILED, _ZERO), (_GIVEN, given)):
            builder.store(value, cgutils.gep_inbounds(builder, held, 0, place))
        body = _body(context, builder.module, held.type, arguments, description, own.args)
        raw = builder.bitcast(held, _ADDRESS)
        few = (builder.icmp_signed("<", each, ir.Constant(each.type, 2)) for each in (most, count))
        alone = functools.reduce(builder.or_, few, builder.icmp_signed("==", address, _ZERO))
        with builder.if_else(alone) as (then, otherwise):
            with then:
                builder.call(body, [raw])
            with otherwise:
                whole = ir.IntType(32)
                fork = ir.FunctionType(ir.VoidType(), [_BODY.as_pointer(), _ADDRESS, whole, whole]).as_pointer()
                builder.call(
                    builder.inttoptr(address, fork), [body, raw, builder.trunc(most, whole), ir.Constant(whole, 0)]
                )
        failed = builder.load(cgutils.gep_inbounds(builder, held, 0, _FAILED))
        with cgutils.if_unlikely(builder, builder.icmp_signed("!=", failed, _ZERO)):
            context.call_conv.return_user_exc(builder, MemoryError, ("no memory for a compiled loop",))
        return context.get_dummy_value()

    return types.none(kernel, arguments, types.intp, types.intp, types.intp), generate


def _body(context, module, held_type, arguments, description, own):
    """Return what each thread runs: it draws the next part until there is none."""
    body = ir.Function(module, _BODY, module.get_unique_name("share"))
    body.linkage = "internal"
    builder = ir.IRBuilder(body.append_basic_block("entry"))
    held = builder.bitcast(body.args[0], held_type)
    count = builder.load(cgutils.gep_inbounds(builder, held, 0, _COUNT))
    given = builder.load(cgutils.gep_inbounds(builder, held, 0, _GIVEN))
    values = [builder.extract_value(given, place) for place in range(len(arguments.types))]
    kernel = context.declare_function(module, description)
    draw, work, end = (body.append_basic_block(name) for name in ("draw", "work", "end"))
    builder.branch(draw)
    builder.position_at_end(draw)
    one = ir.Constant(_WHOLE, 1)
    part = builder.atomic_rmw("add", cgutils.gep_inbounds(builder, held, 0, _NEXT), one, "monotonic")
    builder.cbranch(builder.icmp_signed("<", part, count), work, end)
    builder.position_at_end(work)
    status, _ = context.call_conv.call_function(builder, kernel, types.none, own, [part, *values])
    with cgutils.if_unlikely(builder, status.is_error):
        builder.store_atomic(one, cgutils.gep_inbounds(builder, held, 0, _FAILED), "monotonic", 8)
    builder.branch(draw)
    builder.position_at_end(end)
    builder.ret_void()
    return body
