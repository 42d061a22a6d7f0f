"""HypLoRA as the papers write it, tensor by tensor: the oracle of the gate. Not for extreme norms."""

from __future__ import annotations

import torch
from torch import Tensor


def delta(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor, form: str, scaling: float = 1.0) -> Tensor:
    """Lift x / c, apply B A, come back."""
    x = x / c
    if form == "simplified":
        y = 2 * x / (1 + K * x.square().sum(-1, keepdim=True))
        v = y @ A.mT @ B.mT
        return scaling * v / (1 + K.sqrt() * (v.square().sum(-1, keepdim=True) + K).sqrt())
    time, space = expmap0(x, K)
    if form == "space":
        time, space = constrained(space @ A.mT @ B.mT, K)
    else:
        time, space = constrained(torch.cat((time, space), dim=-1) @ A.mT, K)
        time, space = constrained(torch.cat((time, space), dim=-1) @ B.mT, K)
    return scaling * logmap0(time, space, K)


def expmap0(x: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    root, norm = K.sqrt(), x.norm(dim=-1, keepdim=True)
    return root * torch.cosh(norm / root), root * torch.sinh(norm / root) * x / norm


def constrained(space: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    return (space.square().sum(-1, keepdim=True) + K).sqrt(), space


def logmap0(time: Tensor, space: Tensor, K: Tensor) -> Tensor:
    return K.sqrt() * torch.acosh(time / K.sqrt()) * space / space.norm(dim=-1, keepdim=True)
