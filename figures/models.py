"""Figures of MiniLM on GSM8K."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING

from figures import sources
from figures.drawing import Drawing

if TYPE_CHECKING:
    from embgeom.calibration import Calibration
    from embgeom.hierarchy import Hierarchy

__all__ = ["draw_disc", "draw_hierarchy", "draw_norms", "draw_nulls", "gsm8k_calibration"]


def draw_norms() -> Drawing:
    """Draw frequency against norm."""
    from embgeom import frequency_norms
    from embgeom.norms.verdict import correlation_text
    from embgeom.plots import norm_grid

    found = dataclasses.replace(frequency_norms(sources.minilm(), sources.minilm_counts()), model=sources.MINILM)
    return Drawing(norm_grid([found]), f"Spearman's ρ {correlation_text(found.correlation)}.")


def draw_nulls() -> Drawing:
    """Draw the δ-plot and two statistics of the prompts beside their nulls."""
    from embgeom.plots import calibration_grid

    found = gsm8k_calibration()
    return Drawing(calibration_grid([found]), f"{found.verdict.sentence} {found.verdict.delta_sentence}")


def draw_hierarchy() -> Drawing:
    """Draw groups, numbers, pairs and the tree."""
    from embgeom.plots import hierarchy_grid

    found = _hierarchy()
    told = []
    if found.groups is not None and found.groups.norm_trend is not None:
        trend = found.groups.norm_trend
        told.append(f"Norms over the groups of words: τ = {trend.tau:.2f}, p = {trend.p_value:.2g}.")
    if found.pairs is not None and found.pairs.pairs:
        shorter = found.pairs.by_pair
        told.append(f"The general word is the shorter one in {shorter.smaller} of {shorter.n} pairs.")
    return Drawing(hierarchy_grid([found]), " ".join(told))


def draw_disc() -> Drawing:
    """Draw the tree that neighbour joining fits to the groups' words, in the Poincaré disc."""
    from embgeom.plots import draw_poincare_disc

    fit = _hierarchy().trees[0]
    told = f"{fit.points} words; |d_T − d| ≤ {fit.relative_additive_distortion:.3f} of the diameter."
    return Drawing(draw_poincare_disc(fit), told)


@cache
def gsm8k_calibration() -> Calibration:
    """Set GSM8K's test set beside all nulls, as ``python -m embgeom.delta --null all`` does."""
    from embgeom import calibrate_prompts

    found = calibrate_prompts(sources.minilm(), sources.gsm8k())
    return dataclasses.replace(found, observed=dataclasses.replace(found.observed, model=sources.MINILM))


@cache
def _hierarchy() -> Hierarchy:
    from embgeom import digit_norms, general_specific, group_statistics, token_tree
    from embgeom.hierarchy import Hierarchy

    embeddings, counts = sources.minilm(), sources.minilm_counts()
    groups = group_statistics(embeddings, None, counts)
    words = [word.word for row in groups.groups for word in row.words]
    fit = dataclasses.replace(token_tree(embeddings, words, method="neighbor-joining"), model=sources.MINILM)
    pairs = general_specific(embeddings, counts)
    return Hierarchy(sources.MINILM, embeddings.layer, counts.data, groups, digit_norms(embeddings), pairs, (fit,))
