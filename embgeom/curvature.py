"""From relative δ to a curvature: Khrulkov's constant, where it comes from, and how little it is known to mean.

Khrulkov, Mirvakhabova, Ustinova, Oseledets, Lempitsky (*Hyperbolic Image Embeddings*, CVPR 2020, section 3) compare
the relative δ of data with that of the Poincaré disc of curvature −1. The whole disc has none, as its diameter is
infinite; so they take the points with Euclidean norm up to 1 − 10⁻⁵, as far as a computer is trusted there, and

    0.144 ≈ 2 ln(1 + √2) / 12.2,        c = (0.144/δ_rel)²,        K = 1/c,        curvature −c = −1/K.

Two things about the constant, checked in the tests on points of the disc:

- ln(1 + √2) ≈ 0.881 is the δ of *slim triangles*. δ_rel is about four points, for which the hyperbolic plane has
  δ = ln 2 ≈ 0.693 (Nica, Špakula, *Strong hyperbolicity*, 2016).
- 12.2 = ln((2 − 10⁻⁵)/10⁻⁵) is the distance of the farthest points from the centre: the *radius* of that disc. Its
  diameter, which δ_rel divides by, is twice that.

With four points and the diameter throughout, the constant is 2 ln 2/24.4 ≈ 0.057, and c comes out 6.4 times smaller.
The clipping, 10⁻⁵, is a choice too: with 10⁻³ it would be 0.091, and 0.232 by their count. So the constant is a
convention, and c a starting point for a search, to within an order of magnitude at best.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from embgeom.errors import OptionError
from embgeom.results import Record

__all__ = ["KHRULKOV", "CurvatureSuggestion", "suggest"]

KHRULKOV = 0.144
"""Relative δ that Khrulkov et al. give the Poincaré disc of curvature −1, clipped at norm 1 − 10⁻⁵."""

_CAUTION = (
    "a convention, not an estimate: noise gets a suggestion too, and it moves with dimension and number of points. "
    "40 iid Gaussian points have relative δ 0.46, 0.24, 0.157, 0.054 in 2, 128, 384, 4096 dimensions, so K = "
    "10, 2.8, 1.2, 0.14; compare data of equal n with its nulls before reading a curvature into it"
)


@dataclass(frozen=True)
class CurvatureSuggestion(Record):
    """The curvature −c = −1/K at which the Poincaré disc would have the relative δ of the data.

    Attributes
    ----------
    relative_delta : float
        2 δ/diameter of the data.
    c : float
        Minus the curvature: (0.144/δ_rel)².
    K : float
        1/c, as HypLoRA and the Lorentz model of this project count it.
    constant : float
        0.144.
    caution : str
        What to bear in mind, in one sentence.
    """

    relative_delta: float
    c: float
    K: float
    constant: float
    caution: str


def suggest(relative_delta: float) -> CurvatureSuggestion:
    """Return the curvature that Khrulkov et al. (2020) would take for data of this relative δ.

    It moves with the square of δ_rel, and δ_rel with the dimension d and the number of points n, whether or not there
    is any hyperbolic structure: distances of iid noise concentrate as 1/√d, so that K falls about as 1/d; δ_rel grows
    with n. Only figures of equal n and d compare, and only a cloud that its nulls do not match says anything: see
    :mod:`embgeom.nulls`.

    Parameters
    ----------
    relative_delta : float
        2 δ/diameter, in (0, 1] for a metric.

    Raises
    ------
    OptionError
        If it lies outside of that: a tree (δ = 0) would need infinite curvature.

    Examples
    --------
    The paper's LLMs have δ_rel ≈ 0.1 and did best with K = 0.5:

    >>> round(suggest(0.1).K, 3)
    0.482
    """
    # bool is a number to Python; rounding may put a metric a bit above 1, and 1e-12 is below that of any float64 data.
    number = isinstance(relative_delta, Real) and not isinstance(relative_delta, bool)
    if not (number and 1e-12 <= relative_delta <= 1 + 1e-6):
        raise OptionError(
            f"relative δ, 2δ/diameter, must be a positive number of at most 1, got {relative_delta!r}; "
            "for a tree, 0 but for rounding, no finite K serves"
        )
    ratio = KHRULKOV / float(relative_delta)
    return CurvatureSuggestion(float(relative_delta), ratio**2, ratio**-2, KHRULKOV, _CAUTION)
