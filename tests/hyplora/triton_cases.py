"""The Triton kernels against the tensors; run by ``test_triton.py``, in the interpreter where there is no GPU."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from hyplora import _forms, _fused
from hyplora.gate import Learned, hyperbolic_delta
from hyplora.kernels import gpu
from tests.hyplora.kernel_cases import FORMS, NARROW, agree, case, close

DEVICE = "cpu" if gpu.interpreted() else "cuda"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The interpreter computes both branches of a choice with numpy, which speaks up about the one not taken."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(("numbers", "r"), [("learned", 5), ("given", 1), ("fixed", 16)])
def test_kernels_are_the_tensors(form: str, dtype: torch.dtype, numbers: str, r: int) -> None:
    longest = {torch.float32: 2.5, torch.bfloat16: 1.8, torch.float16: 0.5}[dtype]
    agree(gpu, *case(form, dtype, torch.logspace(-7, longest, 23), r=r, numbers=numbers, device=DEVICE))


@pytest.mark.parametrize("form", FORMS)
def test_kernels_past_the_range_of_the_exponential(form: str) -> None:
    agree(gpu, *case(form, torch.float32, torch.logspace(2, 3.5, 23), numbers="fixed", device=DEVICE))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
def test_kernels_at_the_start_of_training(form: str, dtype: torch.dtype) -> None:
    norms = torch.tensor([0.0, 1e-6, 1.0, 10.0, 1e4])
    options, inputs, upstream = case(form, dtype, norms, zero=True, device=DEVICE)
    # What comes back through B is 0 as B is.
    agree(gpu, options, inputs._replace(u=inputs.u.clamp(-100, 100)), torch.zeros_like(upstream))


@pytest.mark.parametrize("form", FORMS)
def test_kernels_keep_nan_where_it_is(form: str) -> None:
    options, inputs, upstream = case(form, torch.float32, torch.tensor([1.0, 2.0, 3.0]), device=DEVICE)
    inputs.u[1], inputs.norm[1] = math.nan, math.nan
    for found in (gpu.weigh(options, inputs), gpu.slopes(options, inputs, upstream).rank):
        assert found.isnan().all(-1).tolist() == [False, True, False]
        assert found[[0, 2]].isfinite().all()


@pytest.mark.parametrize("form", FORMS)
def test_kernels_without_tokens(form: str) -> None:
    options, inputs, upstream = case(form, torch.float32, torch.zeros(0), device=DEVICE)
    assert gpu.weigh(options, inputs).shape == upstream.shape
    slopes = gpu.slopes(options, inputs, upstream)
    assert slopes.rank.shape == inputs.u.shape
    assert not slopes.outer.any()
    assert float(slopes.log_curvature) == float(slopes.log_scale) == 0.0


@pytest.mark.parametrize(("of_to", "of_x"), [(torch.float32, torch.float32), (torch.float32, torch.bfloat16)])
def test_multiples(of_to: torch.dtype, of_x: torch.dtype) -> None:
    to, x = torch.randn(5, 3000).to(DEVICE, of_to), torch.randn(5, 3000).to(DEVICE, of_x)
    numbers = torch.randn(5).to(DEVICE)
    expected = to.double() + numbers.double().unsqueeze(-1) * x.double()
    gpu.add_multiples(to, x, numbers)
    close(to, expected, 1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_whole_map(form: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = torch.Generator().manual_seed(0)
    width = 4 + (form == "time")
    shapes = ((2, 9, 24), (4, 24 + (form == "time")), (20, width))
    tensors = [torch.randn(*shape, generator=rng) / math.sqrt(shape[-1]) for shape in shapes]
    weights = [torch.tensor([value]) for value in (0.2, -0.1)]
    upstream = torch.randn(2, 9, 20, generator=rng).to(DEVICE, dtype)

    def run(engine: object) -> list[torch.Tensor]:
        monkeypatch.setattr(_fused, "_engine", lambda *_: engine)
        leaves = [each.to(DEVICE, dtype).requires_grad_() for each in tensors]
        x, A, B = leaves
        K, c = (each.to(DEVICE).requires_grad_() for each in weights)
        found = hyperbolic_delta(x, A, B, Learned(K, 0.5), norm_scale=Learned(c, 0.3), form=form, scaling=2.0)
        assert found.dtype == dtype
        return [found, *torch.autograd.grad(found, (x, A, B, K, c), upstream)]

    # The interpreter cuts numbers to bfloat16 instead of rounding them.
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    for found, expected in zip(run(gpu), run(_forms), strict=True):
        close(found, expected, tolerance)
