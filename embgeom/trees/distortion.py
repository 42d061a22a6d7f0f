"""How far a tree metric is from the distances that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distortion"]


def distortion(given: NDArray[np.float64], tree: NDArray[np.float64], *, rounding: float) -> dict[str, Any]:
    """Return the distortion of the metric ``tree`` (n, n) against ``given``, by the names of the record's fields.

    Tree distances up to ``rounding`` are 0.
    """
    pairs = np.triu_indices(len(given), 1)
    d, t = given[pairs], tree[pairs]
    diameter = float(d.max())
    additive = np.abs(t - d)
    apart = d > 0
    collapsed = int((apart & (t <= rounding)).sum())
    ratio = t[apart] / d[apart]
    expansion = float(ratio.max())
    contraction = None if collapsed else float(1 / ratio.min())
    return {
        "diameter": diameter,
        "additive_distortion": float(additive.max()),
        "mean_additive_distortion": float(additive.mean()),
        "relative_additive_distortion": float(additive.max()) / diameter,
        "relative_mean_additive_distortion": float(additive.mean()) / diameter,
        "expansion": expansion,
        "contraction": contraction,
        "multiplicative_distortion": None if contraction is None else expansion * contraction,
        "mean_relative_error": float(np.abs(ratio - 1).mean()),
        "equal_pairs": int((~apart).sum()),
        "collapsed_pairs": collapsed,
    }
