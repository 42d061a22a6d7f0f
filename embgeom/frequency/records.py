"""What a fit of token frequencies returns: the power law with the evidence for and against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embgeom.results import Record

__all__ = ["Comparison", "GoodnessOfFit", "PowerLawFit"]


@dataclass(frozen=True)
class Comparison(Record):
    """The power law beside another distribution, both fitted by maximum likelihood to the same tail.

    Attributes
    ----------
    alternative : {"log-normal", "exponential", "stretched exponential", "truncated power law"}
    log_likelihood_ratio : float
        R = ln L(power law) − ln L(alternative) over the tail: positive where the power law fits better. At most 0 for
        the truncated power law, of which the power law is a special case.
    normalized_ratio : float or None
        R / (σ √n), with σ the standard deviation of the pointwise log-likelihood ratios: the statistic of Vuong's test.
        None for the truncated power law, which is tested otherwise, and where all the pointwise ratios are equal.
    p : float
        Of a ratio at least this far from 0 if neither distribution were nearer to the truth: Vuong's test, two-sided;
        for the truncated power law, Wilks' chi-square test of −2R (Clauset, Shalizi and Newman 2009, appendix C).
    favoured : str or None
        ``"power law"`` or the alternative where p < 0.1, the level of that paper; None where the data cannot tell, and
        where the best log-normal or stretched exponential is its limit, a continuous power law rounded to integers.
    parameters : dict
        The alternative's fitted parameters by name: ``mu``, ``sigma`` of ln k; ``lambda`` of e^(−λk); ``log_lambda`` =
        ln λ and ``beta`` of e^(−(λk)^β); ``alpha`` and ``lambda`` of k^(−α) e^(−λk).
    sentence : str
        What the numbers say, in words.
    is_power_law : bool
        Whether the best log-normal or stretched exponential is that limit: then R and p compare a power law with its
        rounding, and tell nothing.
    """

    alternative: str
    log_likelihood_ratio: float
    normalized_ratio: float | None
    p: float
    favoured: str | None
    parameters: dict[str, float]
    sentence: str
    is_power_law: bool = False


@dataclass(frozen=True)
class GoodnessOfFit(Record):
    """Whether the power law is a plausible origin of the counts: a semi-parametric bootstrap.

    Clauset, Shalizi and Newman 2009, section 4.1: synthetic counts from the fitted law above k_min and from the
    observed counts below it, each fitted from scratch, k_min included.

    Attributes
    ----------
    p : float
        Share of replicates that lie at least as far from their own fit as the counts do from theirs. The paper rules
        the power law out at p ≤ 0.1.
    standard_error : float
        Of p, for the finite number of replicates: √(p(1 − p)/replicates).
    replicates : int
    ks_mean, ks_standard_deviation : float
        Of the Kolmogorov–Smirnov distances of the replicates.
    seed : int
    sentence : str
        What p says, in words.
    """

    p: float
    standard_error: float
    replicates: int
    ks_mean: float
    ks_standard_deviation: float
    seed: int
    sentence: str


@dataclass(frozen=True)
class PowerLawFit(Record):
    """A discrete power law P(k) = k^(−γ) / ζ(γ, k_min), k ≥ k_min, of how many token types occur k times.

    Attributes
    ----------
    gamma : float
        γ, the exact discrete maximum-likelihood estimate.
    standard_error : float
        Of γ at this k_min, from the Fisher information of the discrete law.
    k_min : int
        Where the tail begins: the frequency that minimises the Kolmogorov–Smirnov distance, or the one that was given.
    k_min_given : bool
        Whether it was given.
    ks_distance : float
        Largest distance between the cumulative distributions of the tail and of the fit, at the frequencies that occur.
    tail_size : int
        Number of token types with frequency ≥ k_min: what the fit rests on. Clauset, Shalizi and Newman 2009, section
        3.2, want some 50 of them, and caution against less.
    types : int
        Number of token types seen.
    tokens : int
        Number of tokens.
    zipf_exponent : float
        1/(γ − 1): the exponent s of the rank–frequency law f(r) ∝ r^(−s) that is the same law as P(k) ∝ k^(−γ), over
        the types of the tail. Not fitted to ranks, whose errors are not independent.
    zipf_standard_error : float
        Of it, to first order: standard_error / (γ − 1)².
    comparisons : tuple of Comparison
        Empty where they were not asked for.
    goodness : GoodnessOfFit or None
        None where no replicates were asked for.
    frequency_values, frequency_types : tuple of int
        The frequencies that occur, ascending, and the number of types at each.
    tokenizer, data : str or None
        What was counted; None where only numbers were given.
    provenance : dict
        Of the counts.
    versions : dict
    """

    gamma: float
    standard_error: float
    k_min: int
    k_min_given: bool
    ks_distance: float
    tail_size: int
    types: int
    tokens: int
    zipf_exponent: float
    zipf_standard_error: float
    comparisons: tuple[Comparison, ...]
    goodness: GoodnessOfFit | None
    frequency_values: tuple[int, ...] = field(repr=False)
    frequency_types: tuple[int, ...] = field(repr=False)
    tokenizer: str | None
    data: str | None
    provenance: dict[str, Any] = field(repr=False)
    versions: dict[str, str] = field(repr=False)
