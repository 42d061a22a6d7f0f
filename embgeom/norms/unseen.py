"""The tokens that texts do not have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embgeom.norms.measure import TokenNorms
from embgeom.norms.records import NeverSeen, TokenNorm

__all__ = ["never_seen"]

_SHOWN = 10


def never_seen(measured: TokenNorms, unseen: NDArray[np.bool_], seen: NDArray[np.bool_]) -> NeverSeen:
    """Describe the tokens chosen by ``unseen``, beside those chosen by ``seen``; both of shape (tokens,)."""
    norms = np.asarray(measured.norms)
    chosen = np.flatnonzero(unseen)
    if not chosen.size:
        return NeverSeen(0, None, None, None, None, (), ())
    ascending = chosen[np.argsort(norms[chosen], kind="stable")]
    values, others = norms[ascending], np.sort(norms[seen])
    # Mann and Whitney's U over the number of pairs.
    above = len(others) - np.searchsorted(others, values, side="right")
    equal = np.searchsorted(others, values, side="right") - np.searchsorted(others, values, side="left")
    return NeverSeen(
        types=len(chosen),
        mean_norm=float(values.mean()),
        least_norm=float(values[0]),
        largest_norm=float(values[-1]),
        share_below_seen=float((above + equal / 2).sum() / (len(values) * len(others))),
        smallest=tuple(_token(measured, place) for place in ascending[:_SHOWN]),
        largest=tuple(_token(measured, place) for place in ascending[::-1][:_SHOWN]),
    )


def _token(measured: TokenNorms, place: int) -> TokenNorm:
    return TokenNorm(measured.token_ids[place], measured.tokens[place], measured.classes[place], measured.norms[place])
