"""The ruler: relative δ and q of reference spaces, over draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from embgeom.delta.checks import check_seed, require_at_least, require_four
from embgeom.errors import choose
from embgeom.progress import OnProgress, part, progress_of
from embgeom.results import Record, versions
from embgeom.spaces import clouds, graphs
from embgeom.treelikeness.records import STATISTICS, Spread

__all__ = ["SPACES", "SpaceMeasure", "measure_space", "measure_spaces"]

SPACES: dict[str, Callable[[int, int], NDArray[np.float64]]] = {
    "random tree": graphs.random_tree,
    "Barabási–Albert, m = 1": graphs.barabasi_albert,
    "Barabási–Albert, m = 2": partial(graphs.barabasi_albert, m=2),
    "Poincaré disc, radius 12": partial(clouds.poincare_disc, radius=12.0),
    "Poincaré disc, radius 6": clouds.poincare_disc,
    "branching walk, d = 384": clouds.branching_walk,
    "branching walk, noise 1": partial(clouds.branching_walk, noise=1.0),
    "Gaussian, d = 4096": partial(clouds.gaussian, d=4096),
    "Gaussian, d = 384": clouds.gaussian,
    "Gaussian, d = 2": partial(clouds.gaussian, d=2),
    "Erdős–Rényi": graphs.erdos_renyi,
    "grid": graphs.grid,
    "cycle": graphs.cycle,
    "sphere, geodesic": clouds.sphere,
}
"""The reference spaces by name: functions from a number of points and a seed to a distance matrix."""


@dataclass(frozen=True)
class SpaceMeasure(Record):
    """The statistics of a reference space over draws.

    Attributes
    ----------
    space : str
    points : int
    draws : int
    delta : Spread
        Four-point δ, in the unit of the space.
    diameter : Spread
    relative_delta, mean_q, pooled_q, delta_over_sd, star_residual : Spread
        As in :class:`embgeom.treelikeness.TreeLikeness`; relative δ is exact, over all quadruples.
    method : {"exact", "sample"}
        How the means over quadruples were taken.
    seed : int
    versions : dict
    """

    space: str
    points: int
    draws: int
    delta: Spread
    diameter: Spread
    relative_delta: Spread
    mean_q: Spread
    pooled_q: Spread
    delta_over_sd: Spread
    star_residual: Spread
    method: str
    seed: int
    versions: dict[str, str] = field(repr=False)


def measure_space(
    space: str,
    *,
    points: int = 100,
    draws: int = 10,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> SpaceMeasure:
    """Return relative δ (exact) and the statistics of tree-likeness of a reference space, over ``draws`` draws.

    Parameters
    ----------
    space : str
        A name of ``SPACES``.
    points : int
        Up to some 2000.
    draws : int
    seed : int
        Each draw has its own, spawned from it.

    Raises
    ------
    OptionError, PointsError
        For an unknown space, or fewer than four points.
    """
    from embgeom.delta import hyperbolicity
    from embgeom.treelikeness import tree_likeness

    choose("space", space, SPACES)
    require_at_least("points", points, 0)
    require_four(points)
    require_at_least("draws", draws, 1)
    check_seed(seed)
    report = on_progress or (lambda _: None)
    values: dict[str, list[float]] = {name: [] for name in ("delta", "diameter", *STATISTICS)}
    method = ""
    for number, own in enumerate(np.random.SeedSequence(seed).generate_state(draws, np.uint64) >> np.uint64(1)):
        advance = part(report, number / draws, (number + 1) / draws)
        distances = SPACES[space](points, int(own))
        found = tree_likeness(distances=distances, seed=int(own), on_progress=part(advance, 0, 0.5))
        # The same quadruples show the maximum where all were looked at.
        if found.method == "exact":
            delta = found.relative_delta.value * found.diameter / 2
        else:
            delta = hyperbolicity(
                distances=distances, method="exact", device="cpu", on_progress=part(advance, 0.5, 1)
            ).delta
        method = found.method
        for name in STATISTICS:
            values[name].append(getattr(found, name).value)
        values["relative_delta"][-1] = 2 * delta / found.diameter
        values["delta"].append(delta)
        values["diameter"].append(found.diameter)
        advance(1)
    spreads = {name: Spread(float(np.mean(of)), float(np.std(of)), tuple(of)) for name, of in values.items()}
    return SpaceMeasure(
        space=space, points=points, draws=draws, method=method, seed=seed, versions=versions(), **spreads
    )


def measure_spaces(
    spaces: Sequence[str] | None = None,
    *,
    points: int = 100,
    draws: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> list[SpaceMeasure]:
    """Return :func:`measure_space` of several spaces, by default of all."""
    names = list(SPACES) if spaces is None else list(spaces)
    results = []
    with progress_of("reference spaces", show=progress) as advance:
        for number, name in enumerate(names):
            own = part(advance, number / len(names), (number + 1) / len(names))
            results.append(measure_space(name, points=points, draws=draws, seed=seed, on_progress=own))
    return results
