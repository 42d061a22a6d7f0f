"""Whether the kernels were compiled before, so that a caller can say that the first call will take its time."""

from __future__ import annotations

from typing import Any, Literal, get_args

from embgeom.delta.cpu.brute import best_of_tasks
from embgeom.delta.cpu.climbs import best_of_climbs
from embgeom.delta.cpu.jit import is_stored
from embgeom.delta.cpu.matrix import symmetrise_rows
from embgeom.delta.cpu.minmax import best_of_pairs
from embgeom.delta.cpu.pairs import scan_pairs
from embgeom.delta.cpu.prompt_kernel import solve_prompts
from embgeom.delta.cpu.sampling import tally_chunk
from embgeom.delta.cpu.triangle import excess_of

__all__ = ["Kernel", "is_compiled"]

Kernel = Literal["brute_force", "climb", "fixed_base", "matrix", "prompts", "pruned_scan", "sample", "triangles"]

#: The largest compiled function behind each public one: it is the last to be compiled and to be stored.
_LAST: dict[str, Any] = {
    "brute_force": best_of_tasks,
    "climb": best_of_climbs,
    "fixed_base": best_of_pairs,
    "matrix": symmetrise_rows,
    "prompts": solve_prompts,
    "pruned_scan": scan_pairs,
    "sample": tally_chunk,
    "triangles": excess_of,
}


def is_compiled(kernel: Kernel | None = None) -> bool:
    """Return whether a kernel (all of them if none is named) is compiled, in this process or in numba's cache on disk.

    A cache that was written for another processor counts as compiled, although numba will then compile once more.
    """
    return all(is_stored(_LAST[name]) for name in ([kernel] if kernel else get_args(Kernel)))
