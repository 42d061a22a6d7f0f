"""What the report calls the statistics, and what it says of each."""

from __future__ import annotations

__all__ = ["MEANINGS", "NAMES"]

NAMES = {
    "fixed_base": "relative δ_p",
    "relative_delta": "relative δ",
    "mean_q": "mean q",
    "pooled_q": "pooled q",
    "delta_over_sd": "2δ/sd",
    "star_residual": "star residual",
}

MEANINGS = {
    "fixed_base": "2δ_p/diameter with the first token as base point p, δ_p ≤ δ ≤ 2δ_p: the figure of arXiv 2410.04010, "
    "Table 2. It goes with the number of points and the dimension, and noise in many dimensions has a low one.",
    "relative_delta": "2δ/diameter over all quadruples: 0 for a tree, and low for noise in many dimensions, too. In "
    "hidden layers, of prompts of more than 200 points, the largest of a sample of quadruples.",
    "mean_q": "Mean of q = (S1 − S2)/(S1 − S3) over quadruples of distinct tokens: 0 for a tree, near ½ for noise in "
    "many dimensions. Few dimensions and clusters lower it, too: compare it with the nulls.",
    "pooled_q": "Mean of S1 − S2 over mean of S1 − S3: as mean q, but quadruples with a long inner edge weigh more.",
    "delta_over_sd": "Mean of 2δ(quadruple) over the standard deviation of the distances.",
    "star_residual": "Share of the variance of the distances that the best star leaves: near 0 the space is a star, a "
    "tree without inner edges.",
}
