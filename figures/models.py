"""Figures of models: the built-in one on the built-in texts, and MiniLM on GSM8K."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING

from figures import sources
from figures.drawing import Drawing

if TYPE_CHECKING:
    from embgeom import Embeddings, TokenCounts
    from embgeom.calibration import Calibration
    from embgeom.hierarchy import Hierarchy

__all__ = [
    "delta_demo",
    "demo_calibration",
    "disc_minilm",
    "frequency_demo",
    "gsm8k_calibration",
    "hierarchy_demo",
    "hierarchy_minilm",
    "layers_demo",
    "norms_demo",
    "norms_minilm",
    "nulls_demo",
    "nulls_gsm8k",
    "ruler",
]

DEMO_PROMPTS, LAYER_PROMPTS = 200, 60


def frequency_demo() -> Drawing:
    """Draw the power law of the built-in texts."""
    from embgeom import fit_power_law
    from embgeom.plots import frequency_distribution

    fit = fit_power_law(sources.demo_counts(), alternatives=False)
    told = f"γ = {fit.gamma:.3f} ± {fit.standard_error:.3f} from k = {fit.k_min} on, {fit.tail_size} token types."
    return Drawing(frequency_distribution(fit), told)


def norms_demo() -> Drawing:
    """Draw frequency against norm of the built-in model."""
    return _norms(sources.demo(), sources.demo_counts(), "demo")


def norms_minilm() -> Drawing:
    """Draw frequency against norm of MiniLM on GSM8K."""
    return _norms(sources.minilm(), sources.minilm_counts(), sources.MINILM)


def hierarchy_demo() -> Drawing:
    """Draw groups, numbers, pairs and the tree of the built-in model."""
    return _drawn_hierarchy(_hierarchy(sources.demo(), sources.demo_counts(), "demo"))


def hierarchy_minilm() -> Drawing:
    """Draw groups, numbers, pairs and the tree of MiniLM."""
    return _drawn_hierarchy(_minilm_hierarchy())


def disc_minilm() -> Drawing:
    """Draw the tree that neighbour joining fits to the groups' words in MiniLM, in the Poincaré disc."""
    from embgeom.plots import draw_poincare_disc

    fit = _minilm_hierarchy().trees[0]
    told = f"{fit.points} words; |d_T − d| ≤ {fit.relative_additive_distortion:.3f} of the diameter."
    return Drawing(draw_poincare_disc(fit), told)


@cache
def demo_calibration() -> Calibration:
    """Set the first 200 built-in texts beside all nulls."""
    from embgeom import calibrate_prompts

    texts = dataclasses.replace(sources.demo_texts(), texts=sources.demo_texts().texts[:DEMO_PROMPTS])
    return calibrate_prompts(sources.demo(), texts)


@cache
def gsm8k_calibration() -> Calibration:
    """Set GSM8K's test set in MiniLM beside all nulls, as ``python -m embgeom.delta --null all`` does."""
    from embgeom import calibrate_prompts

    found = calibrate_prompts(sources.minilm(), sources.gsm8k())
    return dataclasses.replace(found, observed=dataclasses.replace(found.observed, model=sources.MINILM))


def nulls_demo() -> Drawing:
    """Draw the δ-plot and two statistics of built-in texts beside their nulls."""
    return _nulls(demo_calibration())


def nulls_gsm8k() -> Drawing:
    """Draw the δ-plot and two statistics of GSM8K in MiniLM beside their nulls."""
    return _nulls(gsm8k_calibration())


def layers_demo() -> Drawing:
    """Draw statistics of built-in texts against the layer of the built-in model."""
    from embgeom import layer_statistics
    from embgeom.plots import layer_grid

    texts = dataclasses.replace(sources.demo_texts(), texts=sources.demo_texts().texts[:LAYER_PROMPTS])
    profile = layer_statistics("demo", texts, null="all")
    values = [profile.at(layer, "pooled_q").spread.mean for layer in sorted(profile.layers)]
    return Drawing(layer_grid([profile]), f"Pooled q by layer, from 0: {', '.join(f'{q:.3f}' for q in values)}.")


def delta_demo() -> Drawing:
    """Draw the distribution of relative δ over the built-in texts."""
    from embgeom import prompt_hyperbolicity
    from embgeom.plots import relative_delta_histogram

    found = prompt_hyperbolicity(sources.demo(), sources.demo_texts())
    told = f"Relative δ {found.relative_delta:.3f} ± {found.relative_delta_sd:.3f} over {found.n} prompts."
    return Drawing(relative_delta_histogram([found]), told)


def ruler() -> Drawing:
    """Draw the reference spaces, as ``python -m embgeom.spaces`` measures them."""
    from embgeom.plots import space_ruler
    from embgeom.spaces import measure_spaces

    found = measure_spaces()
    told = "; ".join(f"{each.space} {each.relative_delta.mean:.3f} and {each.mean_q.mean:.3f}" for each in found)
    return Drawing(space_ruler(found), f"Relative δ and mean q: {told}.")


def _norms(embeddings: Embeddings, counts: TokenCounts, name: str) -> Drawing:
    from embgeom import frequency_norms
    from embgeom.norms.verdict import correlation_text
    from embgeom.plots import norm_grid

    found = dataclasses.replace(frequency_norms(embeddings, counts), model=name)
    return Drawing(norm_grid([found]), f"Spearman's ρ {correlation_text(found.correlation)}.")


def _nulls(found: Calibration) -> Drawing:
    from embgeom.plots import calibration_grid

    return Drawing(calibration_grid([found]), f"{found.verdict.sentence} {found.verdict.delta_sentence}")


@cache
def _minilm_hierarchy() -> Hierarchy:
    return _hierarchy(sources.minilm(), sources.minilm_counts(), sources.MINILM)


def _hierarchy(embeddings: Embeddings, counts: TokenCounts, name: str) -> Hierarchy:
    from embgeom import digit_norms, general_specific, group_statistics, token_tree
    from embgeom.hierarchy import Hierarchy

    groups = group_statistics(embeddings, None, counts)
    words = [word.word for row in groups.groups for word in row.words]
    fit = dataclasses.replace(token_tree(embeddings, words, method="neighbor-joining"), model=name)
    pairs = general_specific(embeddings, counts)
    return Hierarchy(name, embeddings.layer, counts.data, groups, digit_norms(embeddings), pairs, (fit,))


def _drawn_hierarchy(found: Hierarchy) -> Drawing:
    from embgeom.plots import hierarchy_grid

    told = []
    if found.groups is not None and found.groups.norm_trend is not None:
        trend = found.groups.norm_trend
        told.append(f"Norms over the groups of words: τ = {trend.tau:.2f}, p = {trend.p_value:.2g}.")
    if found.pairs is not None and found.pairs.pairs:
        shorter = found.pairs.by_pair
        told.append(f"The general word is the shorter one in {shorter.smaller} of {shorter.n} pairs.")
    return Drawing(hierarchy_grid([found]), " ".join(told))
