"""The distributions that the power law is set beside, as discrete distributions on k ≥ k_min, by maximum likelihood.

Clauset, Shalizi and Newman 2009, table 2.1. The exponential and the power law with exponential cutoff ("truncated")
are normalised over the integers. The log-normal and the stretched exponential are continuous laws from k_min − ½ on,
rounded to integers, as in the package ``powerlaw``: P(k) = (S(k − ½) − S(k + ½))/S(k_min − ½).

All is done in logarithms of survival functions S, in parameters in which a power law is an ordinary point of the edge
(θ = 0, β = 0), not a limit at infinity: that is where the best fit lies when the data are near a power law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import boxcox, boxcox1p, erfcx, log_ndtr

__all__ = ["FITS", "Alternative"]

Floats = NDArray[np.float64]

_SMALLEST = 1e-12  # of θ and λ
_SMALLEST_BETA = 1e-6  # so that ln λ stays a number
_FAR = 1e5
_HEAD = 200  # terms of the truncated power law's sum
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


@dataclass(frozen=True)
class Alternative:
    """A fitted alternative: its parameters by name, and ln P(k) at each of the frequencies.

    ``is_power_law`` says that no log-normal or stretched exponential fits better than their limit, a rounded continuous
    power law.
    """

    parameters: dict[str, float]
    log_p: Floats
    is_power_law: bool = False


def fit_log_normal(k: Floats, types: NDArray[np.int64], k_min: float, gamma: float) -> Alternative:
    """Fit ln x ~ Normal(μ, σ²), cut off at k_min − ½ and rounded.

    Above the cut, with ℓ = ln(x/(k_min − ½)), the density of ℓ is ∝ exp(−a ℓ − θ ℓ²), where θ = 1/(2σ²).
    """
    edge = k_min - 0.5
    log_x = np.log((np.append(k, k_min) - 0.5) / edge)  # the last is the edge, 0
    width = np.log1p(1 / (k - 0.5))
    far = k > _FAR

    def log_p(parameters: Floats) -> Floats:
        a, theta = parameters[0], np.exp(parameters[1])

        def log_tail(log_x: Floats) -> Floats:
            # A normal tail with its Gaussian factor e^(−aℓ − θℓ²) taken out: it neither underflows nor cancels.
            z = (a / (2 * theta) + log_x) * np.sqrt(2 * theta)
            below = log_ndtr(-z) + np.log(2) + np.minimum(z, 0) ** 2 / 2
            result: Floats = np.where(z > 0, np.log(erfcx(np.maximum(z, 0) / np.sqrt(2))), below)
            return result

        low, middle = log_x[:-1], log_x[:-1] + width / 2
        tail = log_tail(log_x)
        log_low = tail[:-1] - tail[-1] - a * low - theta * low**2
        change = log_tail(low + width) - tail[:-1] - 2 * (a / 2 + theta * middle) * width
        # Far out ln S hardly changes from k to k + 1: by the hazard, the slope of −ln S, in the middle.
        hazard = np.exp(np.log(2 * np.sqrt(theta / np.pi)) - log_tail(middle))
        return _step(log_low, np.where(far, -hazard * width, change))

    log_k = np.log(k / edge)
    mean = np.average(log_k, weights=types)
    variance = np.average((log_k - mean) ** 2, weights=types)
    starts = [(gamma - 1, np.log(0.01)), (-mean / variance, -np.log(2 * variance))]
    best = _maximise(log_p, types, starts, [(None, None), (np.log(_SMALLEST), 20.0)])
    a, theta = best[0], np.exp(best[1])
    parameters = {"mu": np.log(edge) - a / (2 * theta), "sigma": 1 / np.sqrt(2 * theta)}
    return Alternative(parameters, log_p(best), is_power_law=bool(theta < 1000 * _SMALLEST))


def fit_stretched_exponential(k: Floats, types: NDArray[np.int64], k_min: float, gamma: float) -> Alternative:
    """Fit S(x) ∝ exp(−(λx)^β), cut off at k_min − ½ and rounded.

    Above the cut, S(x) = exp(−a ((x/x₀)^β − 1)/β) with x₀ = k_min − ½ and a/β = (λ x₀)^β.
    """
    edge = k_min - 0.5

    def log_p(parameters: Floats) -> Floats:
        a, beta = np.exp(parameters[0]), parameters[1]
        x = (k - 0.5) / edge
        return _step(-a * boxcox(x, beta), -a * x**beta * boxcox1p(1 / (k - 0.5), beta))

    excess = np.average(k - k_min, weights=types) / edge
    starts = [(np.log(gamma - 1), 0.1), (-np.log(excess), 1.0)]
    log_a, beta = best = _maximise(
        log_p, types, starts, [(None, None), (_SMALLEST_BETA, min(50.0, 300 / np.log(k[-1] / edge)))]
    )
    parameters = {"log_lambda": (log_a - np.log(beta)) / beta - np.log(edge), "beta": beta}
    return Alternative(parameters, log_p(best), is_power_law=bool(beta < 10 * _SMALLEST_BETA))


def fit_exponential(k: Floats, types: NDArray[np.int64], k_min: float, gamma: float) -> Alternative:
    """Fit P(k) = (1 − e^(−λ)) e^(−λ(k − k_min)): in closed form, λ = ln(1 + 1/(mean of k − k_min))."""
    rate = np.log1p(1 / np.average(k - k_min, weights=types))
    return Alternative({"lambda": float(rate)}, np.log(-np.expm1(-rate)) - rate * (k - k_min))


def fit_truncated_power_law(k: Floats, types: NDArray[np.int64], k_min: float, gamma: float) -> Alternative:
    """Fit P(k) ∝ k^(−α) e^(−λk), α ≥ 0, λ > 0."""
    log_k, excess = np.log(k / k_min), k - k_min

    def log_p(parameters: Floats) -> Floats:
        alpha, rate = parameters[0], np.exp(parameters[1])
        result: Floats = -alpha * log_k - rate * excess - log_normalizer(alpha, rate, k_min)
        return result

    rate = 1 / np.average(k, weights=types)
    starts = [(gamma, np.log(rate / 100)), (gamma / 2, np.log(rate))]
    best = _maximise(log_p, types, starts, [(0.0, None), (np.log(_SMALLEST), 5.0)])
    return Alternative({"alpha": best[0], "lambda": float(np.exp(best[1]))}, log_p(best))


FITS: dict[str, Callable[[Floats, NDArray[np.int64], float, float], Alternative]] = {
    "log-normal": fit_log_normal,
    "exponential": fit_exponential,
    "stretched exponential": fit_stretched_exponential,
    "truncated power law": fit_truncated_power_law,
}


def log_normalizer(alpha: float, rate: float, k_min: float) -> float:
    """Return ln Σ_{k ≥ k_min} (k/k_min)^(−α) e^(−λ(k − k_min)).

    The first terms one by one, the rest by the Euler–Maclaurin formula; its integral, over u = ln x, by Gauss–Legendre.
    """
    j = np.arange(_HEAD)
    head = np.exp(-alpha * np.log1p(j / k_min) - rate * j).sum()
    b = k_min + _HEAD
    width = np.log1p(60 / (rate * b))
    if alpha > 1:
        width = min(width, 60 / (alpha - 1))
    u = width / 2 * (_NODES + 1)
    integral = b * width / 2 * (_WEIGHTS @ np.exp((1 - alpha) * u - rate * b * np.expm1(u)))
    slope = alpha / b + rate  # −f′/f at b
    third = slope**3 + 3 * slope * alpha / b**2 + 2 * alpha / b**3  # −f‴/f
    rest = integral + 0.5 + slope / 12 - third / 720
    return float(np.log(head + np.exp(-alpha * np.log(b / k_min) - rate * _HEAD) * rest))


def _step(log_low: Floats, change: Floats) -> Floats:
    """Return ln(S(low) − S(high)) from ln S(low) and ln S(high) − ln S(low)."""
    result: Floats = log_low + np.log(-np.expm1(change))
    return result


def _maximise(
    log_p: Callable[[Floats], Floats],
    types: NDArray[np.int64],
    starts: list[tuple[float, float]],
    bounds: list[tuple[float | None, float | None]],
) -> Floats:
    """Return the parameters of the largest likelihood: Nelder–Mead from every start, and again from the best end."""
    size = types.sum()

    def cost(parameters: Floats) -> float:
        with np.errstate(all="ignore"):  # far from the best fit anything may overflow
            value = -(types @ log_p(parameters)) / size
        return float(value) if np.isfinite(value) else np.finfo(np.float64).max

    def descend(start: Floats) -> tuple[float, Floats]:
        low = [-np.inf if bound is None else bound for bound, _ in bounds]
        high = [np.inf if bound is None else bound for _, bound in bounds]
        found = minimize(
            cost,
            np.clip(start, low, high),
            method="Nelder-Mead",
            bounds=bounds,
            options={"xatol": 1e-8, "fatol": 1e-13, "maxiter": 5000, "maxfev": 5000},
        )
        return float(found.fun), found.x

    best = min((descend(np.array(start)) for start in starts), key=lambda end: end[0])
    result: Floats = min(best, descend(best[1]), key=lambda end: end[0])[1]
    return result
