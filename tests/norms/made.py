"""Norms and counts made up for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from embgeom.counts import TokenCounts
from embgeom.norms import TokenNorms


def norms_of(
    norms: Sequence[float], classes: Sequence[str] | None = None, ids: Sequence[int] | None = None, **options: Any
) -> TokenNorms:
    ids = tuple(range(len(norms))) if ids is None else tuple(ids)
    known: dict[str, Any] = {"vocabulary_size": len(norms), "rows_without_token": 0, "tokens_without_row": 0}
    known |= {"model": None, "layer": None, "provenance": {}, **options}
    return TokenNorms(
        token_ids=ids,
        tokens=tuple(f"t{number}" for number in ids),
        classes=tuple(classes or ["word-start"] * len(norms)),
        norms=tuple(map(float, norms)),
        **known,
    )


def counts_of(dense: Sequence[int], **options: Any) -> TokenCounts:
    values = np.asarray(dense)
    known: dict[str, Any] = {"texts": 1, "vocabulary_size": len(values), "special_tokens": True}
    known |= {"special_token_ids": (), "tokenizer": None, "data": None, "provenance": {}, **options}
    ids = np.flatnonzero(values)
    return TokenCounts(token_ids=tuple(ids.tolist()), frequencies=tuple(values[ids].tolist()), **known)
