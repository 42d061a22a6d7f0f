"""A trend over ordered groups: the Jonckheere–Terpstra test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embgeom.hierarchy.records import Trend

__all__ = ["signed", "trend"]

_PERMUTATIONS = 9_999
# Permutations at a time are as many as this number of counters allows.
_BATCH = 2_000_000


def signed(value: float, digits: int) -> str:
    """Return τ as tables and figures show it: with a minus sign as long as a digit, never −0.000."""
    return f"{value:z.{digits}f}".replace("-", "−")


def trend(places: Sequence[int], values: Sequence[float], *, seed: int) -> Trend | None:
    """Test whether ``values`` rise or fall with the places of their groups.

    The Jonckheere–Terpstra test is Kendall's τ between place and value, for ties among the places; its p-value is
    found by permuting the words over the places (all permutations of up to seven words, else 9999 at random), so that
    it holds for small groups and for ties too.

    Parameters
    ----------
    places : sequence of int, length n
        The group of each value, numbered in the order of the groups.
    values : sequence of float, length n
    seed : int

    Returns
    -------
    Trend or None
        None where there is nothing to test: fewer than two groups, or all values equal.
    """
    from scipy.stats import kendalltau, permutation_test

    groups, place = np.unique(places, return_inverse=True)
    if len(groups) < 2 or np.ptp(values) == 0:
        return None
    order = np.argsort(values, kind="stable")
    place, value = place[order], np.asarray(values, dtype=np.float64)[order]
    below = np.searchsorted(value, value, side="left")  # of equal values none is below the other
    everyone = math.factorial(len(value)) <= _PERMUTATIONS

    def pairs_in_order(arranged: NDArray[Any], axis: int = -1) -> NDArray[Any]:
        """Pairs that rise less pairs that fall: J up to a constant, for arrangements in the rows."""
        rows = np.atleast_2d(np.moveaxis(arranged, axis, -1)).astype(np.int64)
        member = np.zeros((*rows.shape[:-1], rows.shape[-1] + 1, len(groups)), dtype=np.int32)
        member[..., 1:, :] = rows[..., None] == np.arange(len(groups))
        smaller = member.cumsum(axis=-2, dtype=np.int32)[..., below, :]
        score = (smaller * np.sign(rows[..., None] - np.arange(len(groups)))).sum(axis=(-2, -1))
        shaped: NDArray[Any] = score.reshape(np.moveaxis(arranged, axis, -1).shape[:-1]).astype(np.float64)
        return shaped

    tested = permutation_test(
        (place,),
        pairs_in_order,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=_PERMUTATIONS,
        batch=max(1, _BATCH // (len(value) * len(groups))),
        random_state=np.random.default_rng(seed),
    )
    return Trend(
        tau=float(kendalltau(place, value).statistic),
        p_value=float(tested.pvalue),
        words=len(value),
        groups=len(groups),
        permutations=math.factorial(len(value)) if everyone else _PERMUTATIONS,
        exact=everyone,
    )
