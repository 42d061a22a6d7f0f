"""The statistics of many clouds in one call: threads over clouds, no Python loop per prompt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.cpu.parallel import run_chunks
from embgeom.delta.cpu.prompt_kernel import distances_of
from embgeom.device import require_memory
from embgeom.errors import choose
from embgeom.metric import METRICS
from embgeom.progress import OnProgress, part
from embgeom.treelikeness import kernels as k
from embgeom.treelikeness.cloud_kernel import ANGULAR, COSINE, EUCLIDEAN, from_chords, tally_clouds
from embgeom.treelikeness.estimate import EXACT_POINTS, TOLERANCE, estimates_of
from embgeom.treelikeness.records import STATISTICS
from embgeom.treelikeness.tally import tally_sample

__all__ = ["CloudValues", "measure_clouds"]

_FORMS = {"euclidean": EUCLIDEAN, "angular": ANGULAR, "cosine": COSINE}
_CHUNK_COST = 2e7  # quadruples, or as much time: 40 ms
_BLOCKS = 16  # of rows of a distance matrix


@dataclass(frozen=True)
class CloudValues:
    """The statistics of P clouds of T points in all; what :class:`TreeLikeness` says of each goes here too.

    Attributes
    ----------
    statistics : dict
        Under each name of ``STATISTICS`` an array (P,); NaN for a cloud whose points are all equal.
    histogram : ndarray of int64, shape (P, bins)
    point_q : ndarray, shape (T,)
        Mean q of each point in its cloud.
    diameter : ndarray, shape (P,)
    sampled : ndarray of bool, shape (P,)
        Where quadruples were drawn, because there are too many.
    """

    statistics: dict[str, NDArray[np.float64]]
    histogram: NDArray[np.int64]
    point_q: NDArray[np.float64]
    diameter: NDArray[np.float64]
    sampled: NDArray[np.bool_]


def measure_clouds(
    vectors: NDArray[np.floating],
    rows: NDArray[np.integer],
    offsets: NDArray[np.integer],
    *,
    metric: str = "euclidean",
    exact_points: int = EXACT_POINTS,
    quadruples: int = 1_000_000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> CloudValues:
    """Return the tree-likeness statistics of every cloud.

    Parameters
    ----------
    vectors : array, shape (V, d)
        Finite, and no row zero unless ``metric`` is Euclidean; not checked. Converted to float64 where it is not.
    rows : array, shape (T,)
        Indices into ``vectors``: the points of all clouds, one cloud after the other.
    offsets : array, shape (P + 1,)
        Ascending from 0 to T: cloud k is ``rows[offsets[k]:offsets[k + 1]]``, four points or more.
    metric : str
    exact_points : int
        In larger clouds ``quadruples`` are drawn; in all others every one is looked at.
    quadruples, seed : int
        The seed of each cloud is its own, spawned from ``seed``.
    on_progress : callable, optional
        Called with the fraction of the work done; what it raises stops the work.
    """
    matrix, exponent = _in_range(np.require(vectors, np.float64, ["C", "W"]))
    points, bounds = np.require(rows, np.int64, ["C", "W"]), np.require(offsets, np.int64, ["C", "W"])
    lengths = np.diff(bounds)
    count = len(lengths)
    sums, diameter = np.zeros((count, k.SUMS)), np.zeros(count)
    histogram, point_q = np.zeros((count, k.BINS), np.int64), np.zeros(len(points))
    variance, residual = np.zeros(count), np.zeros(count)
    batched = lengths <= exact_points
    units = matrix if metric == "euclidean" else _normalised(matrix)
    form = _FORMS[choose("metric", metric, METRICS)]
    parts = _parts(np.flatnonzero(batched), lengths, matrix.shape[1])

    def work(chunk: int) -> None:
        tally_clouds(
            units,
            points,
            bounds,
            parts[chunk],
            form,
            TOLERANCE,
            sums,
            histogram,
            point_q,
            diameter,
            variance,
            residual,
        )

    share = float(batched.mean()) if count else 1.0
    run_chunks(work, len(parts), on_progress=on_progress and part(on_progress, 0, share))
    point_q /= np.repeat([max(math.comb(int(n) - 1, 3), 1) for n in lengths], lengths)
    values = CloudValues(
        _statistics(sums, lengths, variance, residual, diameter > 0),
        histogram,
        point_q,
        np.ldexp(diameter, exponent),
        ~batched,
    )
    rest = np.flatnonzero(~batched)
    seeds = np.random.SeedSequence(seed).generate_state(count)
    for done, cloud in enumerate(rest):
        own = slice(bounds[cloud], bounds[cloud + 1])
        _measure_one(values, int(cloud), own, units[points[own]], form, quadruples, int(seeds[cloud]))
        values.diameter[cloud] = np.ldexp(values.diameter[cloud], exponent)
        if on_progress is not None:
            on_progress(share + (1 - share) * (done + 1) / len(rest))
    return values


def _in_range(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return the matrix over a power of two, and its exponent: 0 but where squares would leave the range of float64."""
    largest = float(np.abs(matrix).max(initial=0))
    if largest == 0 or 1e-100 < largest < 1e100:
        return matrix, 0
    exponent = math.frexp(largest)[1]
    return np.ldexp(matrix, -exponent), exponent


def _normalised(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows divided by their norms; none is zero."""
    scaled = matrix / np.abs(matrix).max(axis=1, keepdims=True)  # no square leaves the range of float64
    unit: NDArray[np.float64] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return unit


def _parts(clouds: NDArray[np.int64], lengths: NDArray[np.int64], d: int) -> list[NDArray[np.int64]]:
    """Split the clouds into chunks of about the same cost, the largest clouds first."""
    ordered = clouds[np.argsort(-lengths[clouds], kind="stable")]
    if not len(ordered):
        return []
    size = lengths[ordered].astype(np.float64)
    cost = size**4 / 24 + size**2 * d / 8 + 1000
    chunk = np.cumsum(cost) // min(_CHUNK_COST, max(float(cost.sum()) / 64, 1e5))
    return np.split(ordered, np.flatnonzero(np.diff(chunk)) + 1)


def _statistics(
    sums: NDArray[np.float64],
    lengths: NDArray[np.int64],
    variance: NDArray[np.float64],
    residual: NDArray[np.float64],
    measured: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """Turn sums, in units of the diameters, into the statistics."""
    m = np.array([max(math.comb(int(n), 4), 1) for n in lengths], np.float64)
    sd = np.sqrt(variance)
    equal = sd <= TOLERANCE  # all distances are: a star, to the last bit
    largest = np.where(measured, sums[:, k.LARGEST], 0)

    def over(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(above, below, where=(above > 0) & (below > 0), out=np.zeros(len(above)))

    found = {
        "mean_q": sums[:, k.Q] / m,
        "pooled_q": over(sums[:, k.GAP], sums[:, k.RANGE]),
        "delta_over_sd": np.where(equal, 0, over(sums[:, k.GAP] / m, sd)),
        "star_residual": np.where(equal, 0, residual),
        "relative_delta": largest,
    }
    return {name: np.where(measured, found[name], np.nan) for name in STATISTICS}


def _measure_one(
    values: CloudValues,
    cloud: int,
    own: slice,
    points: NDArray[np.float64],
    form: int,
    quadruples: int,
    seed: int,
) -> None:
    """Draw quadruples of one cloud, and write its values to their places."""
    distances = _distances(points, form)
    diameter = float(distances.max())
    if diameter == 0:
        for value in values.statistics.values():
            value[cloud] = np.nan
        return
    tally = tally_sample(distances, quadruples, seed=seed, tolerance=TOLERANCE)
    found = estimates_of(tally, distances, diameter, TOLERANCE, None)
    for name in STATISTICS:
        values.statistics[name][cloud] = found[name].value
    values.histogram[cloud] = tally.histogram
    values.point_q[own] = [np.nan if q is None else q for q in found["point_q"]]
    values.diameter[cloud] = diameter


def _distances(points: NDArray[np.float64], form: int) -> NDArray[np.float64]:
    """Return the distance matrix, by our own threads: those of a library would wait for each other at this size."""
    import torch

    n = len(points)
    require_memory(16 * n**2, device=torch.device("cpu"), purpose=f"the distance matrix of {n} points")
    distances = np.empty((n, n))
    edges = (n * np.sqrt(np.linspace(0, 1, _BLOCKS + 1))).round().astype(np.int64)  # of about as many pairs each

    def work(block: int) -> None:
        distances_of(points, distances, int(edges[block]), int(edges[block + 1]))

    run_chunks(work, _BLOCKS)
    if form != EUCLIDEAN:
        from_chords(points, form, distances)
    return distances
