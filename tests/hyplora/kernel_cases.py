"""Inputs at which every implementation of the tokens' numbers must agree with the tensors of ``hyplora._forms``."""

from __future__ import annotations

import math
from types import ModuleType

import torch
from torch import Tensor

from hyplora import _forms
from hyplora._forms import Inputs, Options

FORMS = ("space", "time", "simplified")
NARROW = (torch.float32, torch.bfloat16, torch.float16)
# Of results in the dtype of the products: some units in their last place.
ULPS = {torch.float32: 2**-22, torch.bfloat16: 2**-6, torch.float16: 2**-9}


def case(
    form: str,
    dtype: torch.dtype,
    norms: Tensor,
    *,
    r: int = 5,
    numbers: str = "learned",
    zero: bool = False,
    device: str = "cpu",
    seed: int = 0,
) -> tuple[Options, Inputs, Tensor]:
    """Options, inputs and upstream gradients of tokens that have these norms."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    width = r + (form == "time")
    B = (0.0 if zero else 1.0) * normal(24, width) / math.sqrt(width)
    u = normal(len(norms), r) / math.sqrt(r) * norms.double().unsqueeze(-1)
    wide = _forms.wide_dtype(dtype, torch.device(device))
    tensors = {
        "u": u.to(dtype),
        "norm": norms.float(),
        "column": normal(r).to(dtype) if form == "time" else None,
        "gram": _forms.gram_of(B.to(dtype), wide, dtype),
        "K": None if numbers == "fixed" else torch.tensor([0.3]),
        "c": None if numbers == "fixed" else torch.tensor(0.7),
        "size": torch.tensor(0.25) if dtype == torch.float16 else None,
    }
    # Exact in float32, which the interpreter of Triton makes of constants.
    starts = (0.375, 2.5) if numbers != "given" else (None, None)
    inputs = Inputs(**{name: None if each is None else each.to(device) for name, each in tensors.items()})
    return Options(form, 1.5, dtype, *starts), inputs, normal(len(norms), width).to(device=device, dtype=dtype)


def agree(engine: ModuleType, options: Options, inputs: Inputs, upstream: Tensor) -> None:
    """Hold an implementation against the tensors, token by token."""
    narrow = ULPS[options.dtype]
    wide = 1e-12 if inputs.gram.dtype == torch.float64 else 2e-4
    close(engine.weigh(options, inputs), _forms.weigh(options, inputs), narrow, by_row=True)
    found, expected = engine.slopes(options, inputs, upstream), _forms.slopes(options, inputs, upstream)
    assert found.weighted.dtype == found.rank.dtype == options.dtype
    close(found.weighted, expected.weighted, narrow, by_row=True)
    close(found.rank, expected.rank, narrow, by_row=True)
    close(found.pull.unsqueeze(-1), expected.pull.unsqueeze(-1), max(wide, 1e-6), by_row=True)
    close(found.outer, expected.outer, wide)
    assert (found.column is None) == (expected.column is None)
    if expected.column is not None:
        close(found.column, expected.column, max(wide, 1e-6))
    close(found.log_curvature, expected.log_curvature, 10 * wide)
    close(found.log_scale, expected.log_scale, 10 * wide)


def close(found: Tensor, expected: Tensor, tolerance: float, *, by_row: bool = False) -> None:
    """Both NaN or infinite in the same places, and elsewhere no farther apart, relative to the row or to the whole."""
    assert found.shape == expected.shape
    numbers = torch.finfo(expected.dtype)
    spacing = 16 * numbers.tiny * numbers.eps  # of the smallest numbers there are
    found, expected = found.double(), expected.double()
    torch.testing.assert_close(found.isfinite(), expected.isfinite())
    found, expected = (each.nan_to_num(0.0, 0.0, 0.0) for each in (found, expected))
    if by_row:
        off, size = (each.norm(dim=-1) for each in (found - expected, expected))
    else:
        off, size = (found - expected).norm(), expected.norm()
    assert bool((off <= tolerance * size + spacing).all()), float((off / size).max())
