"""The statistics of some prompts at one layer, and of their null clouds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from embgeom.delta import engine
from embgeom.errors import OptionError, choose
from embgeom.layers.records import LAYER_STATISTICS
from embgeom.nulls import NULLS
from embgeom.nulls.batches import NullClouds
from embgeom.nulls.models import FROM_VOCABULARY
from embgeom.treelikeness.batch import measure_clouds
from embgeom.treelikeness.estimate import EXACT_POINTS
from embgeom.treelikeness.records import STATISTICS

__all__ = ["LAYER_NULLS", "Values", "choose_nulls", "measure_layer"]

LAYER_NULLS = tuple(name for name in NULLS if name not in FROM_VOCABULARY)
"""The nulls that there are of hidden states: those that need no vocabulary."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """The statistics of P prompts at one layer, in the order of ``LAYER_STATISTICS``; NaN where all points are equal.

    Attributes
    ----------
    data : ndarray, shape (statistics, P)
    nulls : ndarray, shape (nulls, statistics, P)
        Means over the draws.
    diameter : ndarray, shape (P,)
    """

    data: Numbers
    nulls: Numbers
    diameter: Numbers


def choose_nulls(null: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the nulls that are meant by one name, several, ``all`` or None; raise :class:`OptionError` for others."""
    if null is None:
        return ()
    if isinstance(null, str):
        null = LAYER_NULLS if null == "all" else (null,)
    for name in null:
        if name in FROM_VOCABULARY:
            raise OptionError(
                f"null {name} draws from the vocabulary, and a hidden layer has none: its states depend on the text; "
                f"choose from: all, {', '.join(LAYER_NULLS)}"
            )
        choose("null", name, LAYER_NULLS)
    return tuple(dict.fromkeys(null))


def measure_layer(
    clouds: Sequence[NDArray[np.floating]],
    *,
    layer: int,
    first: int,
    nulls: Sequence[str],
    null_draws: int,
    quadruples: int,
    seed: int,
) -> Values:
    """Return the statistics of some consecutive prompts at one layer.

    Parameters
    ----------
    clouds : sequence of arrays, shape (n, d) each
        Four points or more each.
    layer : int
    first : int
        Number of the first of the prompts among those that are measured. What is drawn at random is a function of
        ``seed``, the layer and this number, so that it does not matter which prompts are measured together.
    nulls, null_draws, quadruples, seed
        As for :func:`embgeom.layers.layer_statistics`.
    """
    points = np.concatenate(clouds).astype(np.float64)
    offsets = np.concatenate([[0], np.cumsum([len(cloud) for cloud in clouds])])
    own_seed = int(np.random.SeedSequence([seed, layer]).generate_state(1)[0])
    data, diameter = _statistics(points, offsets, first, quadruples, own_seed)
    means = np.zeros((len(nulls), *data.shape))
    source = NullClouds(points, offsets, vocabulary=None, seed=own_seed, first=first)
    for mean, name in zip(means, nulls, strict=True):
        for draw in range(null_draws):
            mean += _statistics(source.draw(name, draw), offsets, first, quadruples, own_seed)[0] / null_draws
    return Values(data, means, diameter)


def _statistics(
    points: Numbers, offsets: NDArray[np.int64], first: int, quadruples: int, seed: int
) -> tuple[Numbers, Numbers]:
    """Return all statistics, shape (statistics, P), and the diameters of the clouds."""
    lengths = np.diff(offsets)
    found = np.full((len(LAYER_STATISTICS), len(lengths)), np.nan)
    diameter = np.zeros(len(lengths))
    # Where quadruples are drawn, each cloud by itself, with a seed that does not depend on its neighbours.
    groups = [np.flatnonzero(lengths <= EXACT_POINTS), *np.flatnonzero(lengths > EXACT_POINTS)[:, None]]
    for group in groups:
        if not len(group):
            continue
        rows = [np.arange(offsets[cloud], offsets[cloud + 1]) for cloud in group]
        seeds = np.random.SeedSequence([seed, first + int(group[0])]).generate_state(1)
        values = measure_clouds(
            points,
            np.concatenate(rows),
            np.concatenate([[0], np.cumsum(lengths[group])]),
            quadruples=quadruples,
            seed=int(seeds[0]),
        )
        for place, name in enumerate(STATISTICS):
            found[place, group] = values.statistics[name]
        diameter[group] = values.diameter
    found[-1] = _fixed_base(points, offsets)
    return found, diameter


def _fixed_base(points: Numbers, offsets: NDArray[np.int64]) -> Numbers:
    """Return 2δ_p/diameter of every cloud, p its first point."""
    import torch

    clouds = [np.arange(start, stop) for start, stop in pairwise(offsets)]
    found = engine.prompts(
        torch.from_numpy(points), clouds, metric="euclidean", exact=False, on_progress=lambda _fraction: None
    )
    apart = found.diameter > 0
    relative = np.full(len(clouds), np.nan)
    relative[apart] = found.two_delta[apart] / found.diameter[apart]
    return relative
