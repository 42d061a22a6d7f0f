"""``kernel``: numba's compiler with a cache on disk that notices a change in any of the kernels' files.

numba stamps what it stores with the time and size of the one file that holds the function. But a kernel also contains
what it calls from other files, and constants such as the width of a panel on which code outside of it relies: after an
update of one of them, a stale kernel would write beyond its arrays. So the stamp here is that of all files together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

__all__ = ["is_stored", "kernel"]


@cache
def _stamp() -> tuple[float, int]:
    """Return the time of the latest change and the total size of the files beside this one."""
    states = [path.stat() for path in Path(__file__).parent.glob("*.py")]
    return max((state.st_mtime for state in states), default=0.0), sum(state.st_size for state in states)


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function when it is first called, without the GIL, and keep the result on disk.

    Where no folder can be written to, not even the user's cache, each process compiles for itself.

    Parameters
    ----------
    function
        At module level. None when used with options, as in ``@kernel(fastmath=...)``.
    options
        Passed on to ``numba.njit``.
    """
    if function is None:
        return lambda decorated: kernel(decorated, **options)
    try:
        dispatcher = njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # numba found no place to keep it
        return njit(nogil=True, **options)(function)
    with contextlib.suppress(AttributeError):  # not part of numba's interface; the same from 0.61 to 0.68 at least
        dispatcher._cache._cache_file._source_stamp = _stamp()
    return dispatcher


def is_stored(dispatcher: Any) -> bool:
    """Return whether a kernel is compiled, in this process or in numba's cache for these sources."""
    if dispatcher.signatures:
        return True
    try:
        return bool(dispatcher._cache._cache_file._load_index())
    except (AttributeError, OSError):
        return False
