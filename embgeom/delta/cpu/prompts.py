"""δ of every prompt of a corpus in one call: threads over prompts, no Python loop per prompt.

A prompt is a sequence of rows of a matrix of vectors. Repeated tokens add quadruples of value 0 only, so that a prompt
is searched as the set of its distinct rows; positions of first occurrence are what the witnesses name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.minmax import fixed_base
from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.prompt_kernel import distances_of, solve_prompts
from embgeom.delta.cpu.pruned import pruned_scan
from embgeom.delta.found import Found
from embgeom.progress import OnProgress

__all__ = ["PromptsFound", "fixed_base_batch", "four_point_batch"]

_LONG = 192  # distinct tokens beyond which a prompt gets all the cores to itself
_CHUNK_COST = 4e7  # float operations, about: some 10 ms


@dataclass(frozen=True)
class PromptsFound:
    """The largest four-point value of each of P prompts.

    Attributes
    ----------
    witnesses
        Shape (P, 4), int64: positions of tokens in the prompt; for a fixed base the first is 0, the base. A prompt of
        fewer than four tokens has none: −1.
    two_delta
        Shape (P,), float64: S1 − S2 at the witness, in the unit of the vectors; 0 for fewer than four distinct tokens.
    diameter
        Shape (P,), float64: the largest distance between two tokens.
    distinct
        Shape (P,), int64: number of distinct rows in the prompt.
    certificate
        What the values are: ``"fixed base"`` or ``"four-point"``; exact maxima, both.
    """

    witnesses: NDArray[np.int64]
    two_delta: NDArray[np.float64]
    diameter: NDArray[np.float64]
    distinct: NDArray[np.int64]
    certificate: str


def fixed_base_batch(
    vectors: NDArray[np.floating],
    rows: NDArray[np.integer],
    offsets: NDArray[np.integer],
    *,
    on_progress: OnProgress | None = None,
) -> PromptsFound:
    """Return 2δ_p of every prompt with its first token as the base p: the exact float64 maximum, diameter and witness.

    Parameters
    ----------
    vectors
        Shape (V, d), float32 or float64, finite: one row per distinct token. Distances are Euclidean, from differences
        accumulated in float64, so that near-duplicates keep their small distances and repeats have distance 0.
    rows
        Shape (T,), integers in [0, V): the tokens of all prompts, one prompt after the other.
    offsets
        Shape (P + 1,), integers, ascending from 0 to T: prompt i is ``rows[offsets[i]:offsets[i + 1]]``.
    on_progress
        Called with the fraction of the work done; what it raises (a KeyboardInterrupt, say) stops the work.
    """
    return _batch(vectors, rows, offsets, True, lambda distances: fixed_base(distances, 0), on_progress)


def four_point_batch(
    vectors: NDArray[np.floating],
    rows: NDArray[np.integer],
    offsets: NDArray[np.integer],
    *,
    on_progress: OnProgress | None = None,
) -> PromptsFound:
    """Return 2δ of every prompt over all its quadruples, exactly; parameters as :func:`fixed_base_batch`."""
    return _batch(vectors, rows, offsets, False, pruned_scan, on_progress)


def _batch(
    vectors: NDArray[np.floating],
    rows: NDArray[np.integer],
    offsets: NDArray[np.integer],
    fixed: bool,
    solve_long: Callable[[NDArray[np.float64]], Found],
    on_progress: OnProgress | None,
) -> PromptsFound:
    """Solve the short prompts many at a time, one thread each; then the long ones one at a time, with all threads."""
    matrix = np.require(vectors, vectors.dtype if vectors.dtype in (np.float32, np.float64) else np.float64, ["C", "W"])
    tokens, bounds = np.require(rows, np.int64, ["C", "W"]), np.require(offsets, np.int64, ["C", "W"])
    count = len(bounds) - 1
    found = PromptsFound(
        np.full((count, 4), -1, np.int64), np.zeros(count), np.zeros(count), np.zeros(count, np.int64),
        "fixed base" if fixed else "four-point",
    )  # fmt: skip
    lengths = np.diff(bounds)
    many = np.flatnonzero(lengths > _LONG)
    long = [int(i) for i in many if len(np.unique(tokens[bounds[i] : bounds[i + 1]])) > _LONG]
    short = np.delete(np.arange(count), long)
    parts = _parts(short, np.minimum(lengths, _LONG), matrix.shape[1], fixed)

    def solve(chunk: int) -> None:
        solve_prompts(
            matrix,
            tokens,
            bounds,
            parts[chunk],
            fixed,
            found.witnesses,
            found.two_delta,
            found.diameter,
            found.distinct,
        )

    share = len(short) / max(count, 1)
    run_chunks(solve, len(parts), on_progress=on_progress and (lambda done: on_progress(share * done)))
    for done, index in enumerate(long, 1):
        _solve_long(matrix, tokens[bounds[index] : bounds[index + 1]], index, solve_long, found)
        if on_progress is not None:
            on_progress(share + (1 - share) * done / len(long))
    return found


def _parts(prompts: NDArray[np.int64], lengths: NDArray[np.int64], d: int, fixed: bool) -> list[NDArray[np.int64]]:
    """Split the prompts into chunks of about the same cost, the longest prompts first."""
    ordered = prompts[np.argsort(-lengths[prompts], kind="stable")]
    size = lengths[ordered].astype(np.float64)
    cost = size**2 * (d + (size / 2 if fixed else size**2 / 16 + 10 * size)) + 1000
    if len(ordered) == 0:
        return []
    chunk = np.cumsum(cost) // max(_CHUNK_COST, float(cost.sum()) / 1000)
    return np.split(ordered, np.flatnonzero(np.diff(chunk)) + 1)


def _solve_long(
    matrix: NDArray[np.floating],
    tokens: NDArray[np.int64],
    index: int,
    solve: Callable[[NDArray[np.float64]], Found],
    found: PromptsFound,
) -> None:
    """Solve one long prompt with all cores and write its row of the results."""
    positions = np.sort(np.unique(tokens, return_index=True)[1])
    points = np.ascontiguousarray(matrix[tokens[positions]], np.float64)
    n = len(points)
    distances = np.zeros((n, n))
    rows_per_chunk = max(1, int(_CHUNK_COST / (n * points.shape[1])))

    def fill(chunk: int) -> None:
        distances_of(points, distances, chunk * rows_per_chunk, min(n, (chunk + 1) * rows_per_chunk))

    run_chunks(fill, -(-n // rows_per_chunk))
    best = solve(distances)
    found.witnesses[index] = positions[list(best.witness)]
    found.two_delta[index], found.diameter[index], found.distinct[index] = best.two_delta, distances.max(), n
