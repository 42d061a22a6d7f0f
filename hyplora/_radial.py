"""Scalar functions of the hyperbolic maps, one number per token, without overflow and without cancellation.

Everything that the adapter does to a token beyond LoRA is a factor that depends on a few norms. These functions give
such factors for float64 (or float32) tensors; none of them is meant to be differentiated by autograd.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["arsinh_exp", "log_cosh", "log_sinhc", "over_sinhc", "tanhc", "xcothx"]

_LN2 = math.log(2.0)
# z coth z - 1 = z²/3 - z⁴/45 + 2 z⁶/945 - ..., the Bernoulli numbers' series; its radius of convergence is π.
_XCOTHX = (1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875)
# 1 - 2z / sinh 2z, divided by (2z)².
_OVER_SINHC = (1 / 6, -7 / 360, 31 / 15120, -127 / 604800, 73 / 3421440, -1414477 / 653837184000)


def log_sinhc(z: Tensor) -> Tensor:
    """Return log(sinh z / z) for z ≥ 0; 0 at 0."""
    # sinh z / z = e^z (1 - e^-2z) / 2z
    z = _away_from_zero(z)
    return z + torch.log(torch.expm1(-2.0 * z) / (-2.0 * z))


def log_cosh(z: Tensor) -> Tensor:
    """Return log cosh z for z ≥ 0."""
    return z + torch.log1p(torch.exp(-2.0 * z)) - _LN2


def tanhc(z: Tensor) -> Tensor:
    """Return tanh z / z for z ≥ 0; 1 at 0."""
    z = _away_from_zero(z)
    return torch.tanh(z) / z


def arsinh_exp(sigma: Tensor) -> Tensor:
    """Return arsinh(e^σ), finite for every finite σ; 0 at σ = -∞."""
    # For σ > 20 the next term, e^-2σ / 4, is below the rounding of float64.
    return torch.where(sigma > 20.0, sigma + _LN2, torch.asinh(torch.exp(sigma)))


def xcothx(z: Tensor) -> Tensor:
    """Return (z coth z - 1) / z² for z ≥ 0; 1/3 at 0.

    The log-derivative of sinhc: d log(sinh z / z) / d log z = z coth z - 1. With y = arsinh ρ it also gives that of
    arsinh(ρ)/ρ, because tanh(y)/y = 1 / (y coth y).
    """
    return _near_zero(z, _XCOTHX, (z - 1.0 + 2.0 * z / torch.expm1(2.0 * z)) / (z * z))


def over_sinhc(z: Tensor) -> Tensor:
    """Return (1 - 2z / sinh 2z) / z² for z ≥ 0; 2/3 at 0: minus the log-derivative of tanh z / z, divided by z²."""
    # 2z / sinh 2z = 4z e^-2z / (1 - e^-4z).
    direct = (1.0 + 4.0 * z * torch.exp(-2.0 * z) / torch.expm1(-4.0 * z)) / (z * z)
    return 4.0 * _near_zero(2.0 * z, _OVER_SINHC, direct / 4.0)


def _away_from_zero(z: Tensor) -> Tensor:
    """Return z, or where it is smaller √eps, at which sinh z / z and tanh z / z are 1 but for a rounding."""
    # Not the smallest number there is: compiled code takes that for 0.
    return z.clamp(min=math.sqrt(torch.finfo(z.dtype).eps))


def _near_zero(z: Tensor, series: tuple[float, ...], direct: Tensor) -> Tensor:
    """Return the series in z² where the direct formula would cancel."""
    square = z * z
    value = torch.full_like(z, series[-1])
    for coefficient in reversed(series[:-1]):
        value = value * square + coefficient
    # Where both are equally good: six terms leave (z/π)^12, cancellation leaves 3 eps / z².
    border = 0.12 if z.dtype == torch.float64 else 0.6
    return torch.where(z < border, value, direct)
