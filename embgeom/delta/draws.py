"""Random quadruples of distinct points."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["draw_quadruples"]


def draw_quadruples(n: int, size: int, *, generator: torch.Generator) -> torch.Tensor:
    """Return ``size`` quadruples of distinct indices below ``n``, uniform over ordered quadruples, as (size, 4) int64.

    The k-th index is drawn from the n − k that are left and moved past the earlier ones, so that nothing is rejected.
    """
    import torch

    drawn = [torch.randint(n - k, (size,), generator=generator, device=generator.device) for k in range(4)]
    for k in range(1, 4):
        for earlier in torch.stack(drawn[:k]).sort(dim=0).values:
            drawn[k] = drawn[k] + (drawn[k] >= earlier)
    return torch.stack(drawn, dim=1)
