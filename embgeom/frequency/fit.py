"""Token counts to a discrete power law with the evidence for and against it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embgeom.checks import require_whole
from embgeom.counts import TokenCounts
from embgeom.errors import CountsError
from embgeom.frequency.comparisons import compare
from embgeom.frequency.goodness import goodness_of_fit as bootstrap
from embgeom.frequency.records import PowerLawFit
from embgeom.frequency.tail import fit_tail
from embgeom.results import versions

__all__ = ["fit_power_law"]


def fit_power_law(
    counts: TokenCounts | ArrayLike,
    *,
    k_min: int | None = None,
    alternatives: bool = True,
    goodness_of_fit: int = 0,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> PowerLawFit:
    """Fit P(k) = k^(−γ)/ζ(γ, k_min), k ≥ k_min, to how often the token types occur.

    The method is that of Clauset, Shalizi and Newman, *Power-law distributions in empirical data*, SIAM Review 51
    (2009): exact discrete maximum likelihood, without the approximation of its equation 3.7, which is far off for small
    k_min; k_min by the Kolmogorov–Smirnov distance, measured at the frequencies that occur, as the package ``powerlaw``
    measures it; γ's standard error from the Fisher information of the discrete law, 1/√(n Var ln k), at the k_min that
    was chosen, whose choice it does not account for.

    Parameters
    ----------
    counts : TokenCounts or array_like of int, shape (types,)
        How often each type occurs; zeros, the types that were never seen, are left out.
    k_min : int, optional
        Where the tail begins; by default it is chosen, from all frequencies that occur but the largest two.
    alternatives : bool
        Whether to compare with the log-normal, exponential, stretched exponential and truncated power law.
    goodness_of_fit : int
        Number of replicates of the bootstrap; with 0 there is none. The standard error of its p is at most
        1/(2 √replicates).
    seed : int
        Of the bootstrap.
    threads : int, optional
        That the bootstrap runs in; by default as many as there are cores to use. The numbers do not depend on it.
    progress : bool
        Whether the bootstrap draws a progress bar on standard error.

    Returns
    -------
    PowerLawFit

    Raises
    ------
    CountsError
        If the counts are negative, fractional, not finite or not one-dimensional, or have too few different values:
        three are needed to choose k_min, two at or above it where it is given.
    OptionError
        If ``k_min``, ``goodness_of_fit``, ``seed`` or ``threads`` are not whole numbers that make sense.
    """
    values, types = _histogram(counts.frequencies if isinstance(counts, TokenCounts) else counts)
    for name, number, least in (("k_min", k_min, 1), ("threads", threads, 1)):
        if number is not None:
            require_whole(name, number, least)
    require_whole("goodness_of_fit", goodness_of_fit, 0)
    require_whole("seed", seed, 0)
    _enough(values, types, k_min)

    tail = fit_tail(values, types, k_min)
    return PowerLawFit(
        gamma=tail.gamma,
        standard_error=tail.standard_error,
        k_min=int(tail.k_min),
        k_min_given=k_min is not None,
        ks_distance=tail.distance,
        tail_size=tail.size,
        types=int(types.sum()),
        tokens=sum(int(value) * int(number) for value, number in zip(values, types, strict=True)),
        zipf_exponent=1 / (tail.gamma - 1),
        zipf_standard_error=tail.standard_error / (tail.gamma - 1) ** 2,
        comparisons=compare(values, types, tail) if alternatives else (),
        goodness=bootstrap(
            values,
            types,
            tail,
            k_min_given=k_min is not None,
            replicates=int(goodness_of_fit),
            seed=int(seed),
            threads=threads,
            progress=progress,
        )
        if goodness_of_fit
        else None,
        frequency_values=tuple(int(value) for value in values),
        frequency_types=tuple(int(number) for number in types),
        tokenizer=counts.tokenizer if isinstance(counts, TokenCounts) else None,
        data=counts.data if isinstance(counts, TokenCounts) else None,
        provenance=dict(counts.provenance) if isinstance(counts, TokenCounts) else {},
        versions=versions(),
    )


def _histogram(counts: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the positive values that occur, ascending, and how often each does."""
    try:
        array = np.asarray(counts)
    except ValueError:  # lists of different lengths
        raise CountsError("expected one list of counts, got lists of different lengths") from None
    if array.ndim != 1:
        raise CountsError(f"expected one list of counts, got an array of shape {array.shape}; pass counts.ravel()")
    if array.size and array.dtype.kind not in "iuf":
        raise CountsError(f"expected counts as whole numbers, got values of type {array.dtype}")
    for fault, where in (
        ("not finite", ~np.isfinite(array)),
        ("negative", array < 0),
        ("fractional", array != np.floor(array)),
    ):
        if where.any():
            place = int(where.argmax())
            raise CountsError(
                f"expected counts as whole numbers from 0 up, got {array[place]} ({fault}) at index {place}"
            )
    values, types = np.unique(array[array > 0], return_counts=True)
    return values.astype(np.float64), types.astype(np.int64)


def _enough(values: NDArray[np.float64], types: NDArray[np.int64], k_min: int | None) -> None:
    """Raise unless a power law can be fitted to the histogram."""
    total = int(types.sum())
    if total == 0:
        raise CountsError("expected counts of which some are positive, got none: no token was seen")
    if total == 1:
        raise CountsError(f"a power law of one token type (seen {_times(values[0])}) is not defined; give more text")
    if len(values) == 1:
        raise CountsError(
            f"all {total} token types occur equally often ({_times(values[0])}), which no power law describes; "
            "give more text"
        )
    if k_min is None and len(values) < 3:
        raise CountsError(
            "at least 3 different frequencies are needed to choose k_min, got only "
            f"{values[0]:.0f} and {values[1]:.0f}; give more text (or, in Python, a k_min)"
        )
    if k_min is not None and (values >= k_min).sum() < 2:
        raise CountsError(
            f"at least 2 different frequencies must be k_min = {k_min} or more, got {int((values >= k_min).sum())}; "
            f"give a k_min of at most {values[-2]:.0f}"
        )


def _times(value: float) -> str:
    return "once" if value == 1 else f"{value:.0f} times"
