"""The compiler of :mod:`embgeom.delta.cpu`, for kernels of this package: its cache notices changes in both packages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from embgeom.delta.cpu import jit

__all__ = ["kernel"]


@cache
def _stamp() -> tuple[float, int]:
    """Return the time of the latest change and the total size of the files beside this one."""
    states = [path.stat() for path in Path(__file__).parent.glob("*.py")]
    return max(state.st_mtime for state in states), sum(state.st_size for state in states)


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile as :func:`embgeom.delta.cpu.jit.kernel` does: without the GIL, when first called, kept on disk.

    Division is that of numpy: no test for a zero divisor, which would keep a loop from being vectorised.
    """
    if function is None:
        return lambda decorated: kernel(decorated, **options)
    dispatcher = jit.kernel(function, error_model="numpy", **options)
    with contextlib.suppress(AttributeError):  # not part of numba's interface, as there
        file = dispatcher._cache._cache_file
        time, size = file._source_stamp
        file._source_stamp = max(time, _stamp()[0]), size + _stamp()[1]
    return dispatcher
