"""The power law beside its alternatives: likelihood-ratio tests.

Clauset, Shalizi and Newman, *Power-law distributions in empirical data*, SIAM Review 51 (2009), section 5 and
appendix C; Vuong, *Likelihood ratio tests for model selection and non-nested hypotheses*, Econometrica 57 (1989).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from embgeom.frequency.alternatives import FITS
from embgeom.frequency.hurwitz import Hurwitz
from embgeom.frequency.records import Comparison
from embgeom.frequency.tail import Tail

__all__ = ["compare"]

_NESTED = "truncated power law"
_LEVEL = 0.1


def compare(values: NDArray[np.float64], types: NDArray[np.int64], tail: Tail) -> tuple[Comparison, ...]:
    """Fit every alternative to the tail of a histogram and test the power law against it."""
    k, types = values[values >= tail.k_min], types[values >= tail.k_min]
    scale = Hurwitz(np.array([tail.k_min])).moments(np.array([tail.gamma]))[0]
    power_law = -tail.gamma * np.log(k / tail.k_min) - np.log(scale)
    results = []
    for name, fit in FITS.items():
        alternative = fit(k, types, tail.k_min, tail.gamma)
        ratio, normalized, p = _test(power_law - alternative.log_p, types, nested=name == _NESTED)
        favoured = None if p >= _LEVEL or alternative.is_power_law else "power law" if ratio > 0 else name
        parameters = {key: float(value) for key, value in alternative.parameters.items()}
        verdict = _verdict(name, favoured, is_power_law=alternative.is_power_law)
        shown = f"p = {p:.2g}" if p > 1e-16 else "p < 1e-16"
        numbers = f"(R = {ratio:.3g}, {shown})".replace("-", "−")
        sentence = verdict if alternative.is_power_law else f"{verdict} {numbers}"
        results.append(Comparison(name, ratio, normalized, p, favoured, parameters, sentence, alternative.is_power_law))
    return tuple(results)


def _test(
    differences: NDArray[np.float64], types: NDArray[np.int64], *, nested: bool
) -> tuple[float, float | None, float]:
    """Return R, R/(σ√n) and p, from the differences of ln P(k) at each frequency."""
    size = int(types.sum())
    ratio = float(types @ differences)
    if nested:
        # Wilks: −2R ~ χ² of one degree of freedom, cautious here, as no cutoff is the edge of what λ can be.
        ratio = min(ratio, 0.0)
        return ratio, None, math.erfc(math.sqrt(-ratio))
    spread = math.sqrt(float(types @ (differences - ratio / size) ** 2))
    if spread == 0:
        return ratio, None, 1.0
    return ratio, ratio / spread, math.erfc(abs(ratio) / spread / math.sqrt(2))


def _verdict(name: str, favoured: str | None, *, is_power_law: bool) -> str:
    if is_power_law:
        return f"the best {name} is its limit, a power law: nothing to tell apart"
    if name == _NESTED:
        return f"an exponential cutoff {'does not improve' if favoured is None else 'improves'} the fit significantly"
    if favoured is None:
        return f"no significant difference from the {name}"
    return f"{favoured} fits better" + (f" than {name}" if favoured == "power law" else "")
