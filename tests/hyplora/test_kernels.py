"""The compiled loops against the tensors, and the tensors in the dtypes that the loops take from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hyplora import _forms, _fused
from hyplora.gate import Learned, hyperbolic_delta
from hyplora.kernels import cpu
from tests.hyplora import test_gate
from tests.hyplora.kernel_cases import FORMS, NARROW, agree, case, close

LONGEST = {torch.float32: 2.5, torch.bfloat16: 1.8, torch.float16: 0.5}  # powers of ten; float16 ends at 65504


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("numbers", ["learned", "given", "fixed"])
@pytest.mark.parametrize("r", [1, 5, 32])
def test_loops_are_the_tensors(form: str, dtype: torch.dtype, numbers: str, r: int) -> None:
    norms = torch.logspace(-7, LONGEST[dtype], 23)
    agree(cpu, *case(form, dtype, norms, r=r, numbers=numbers))


@pytest.mark.parametrize("form", FORMS)
def test_loops_past_the_range_of_the_exponential(form: str) -> None:
    # θ in 100 … 3000, e^2θ being a number up to 354.
    agree(cpu, *case(form, torch.float32, torch.logspace(2, 3.5, 23), numbers="fixed"))


@given(seed=st.integers(0, 10**6), powers=st.lists(st.floats(-6, 2), min_size=1, max_size=5), r=st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_loops_on_any_tokens(seed: int, powers: list[float], r: int) -> None:
    for form in FORMS:
        agree(cpu, *case(form, torch.float32, 10.0 ** torch.tensor(powers), r=r, seed=seed))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
def test_loops_at_the_start_of_training(form: str, dtype: torch.dtype) -> None:
    norms = torch.tensor([0.0, 1e-6, 1.0, 10.0, 1e4])
    options, inputs, upstream = case(form, dtype, norms, zero=True)
    # What comes back through B is 0 as B is.
    agree(cpu, options, inputs._replace(u=inputs.u.clamp(-100, 100)), torch.zeros_like(upstream))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
def test_loops_keep_nan_where_it_is(form: str, dtype: torch.dtype) -> None:
    options, inputs, upstream = case(form, dtype, torch.tensor([1.0, 2.0, 3.0]))
    inputs.u[1], inputs.norm[1] = math.nan, math.nan
    for found in (cpu.weigh(options, inputs), cpu.slopes(options, inputs, upstream).rank):
        assert found.isnan().all(-1).tolist() == [False, True, False]
        assert found[[0, 2]].isfinite().all()
    slopes = cpu.slopes(options, inputs, upstream)
    assert slopes.pull.isnan().tolist() == [False, True, False]
    assert slopes.log_curvature.isnan()
    inputs = case(form, dtype, torch.tensor([1.0]), numbers="given")[1]
    inputs.K.fill_(math.nan)
    assert cpu.weigh(options._replace(K_start=None), inputs).isnan().all()


@pytest.mark.parametrize("form", FORMS)
def test_loops_without_tokens(form: str) -> None:
    options, inputs, upstream = case(form, torch.float32, torch.zeros(0))
    assert cpu.weigh(options, inputs).shape == upstream.shape
    slopes = cpu.slopes(options, inputs, upstream)
    assert slopes.rank.shape == inputs.u.shape
    assert not slopes.outer.any()
    assert float(slopes.log_curvature) == float(slopes.log_scale) == 0.0


@pytest.mark.parametrize("k", [1, 7, 8, 45])
@pytest.mark.parametrize("r", [1, 5, 32])
def test_gram_of_float32_has_the_digits_of_float64(k: int, r: int) -> None:
    # Along a direction in which B all but vanishes, a product in float32 would have lost all of them.
    B = torch.randn(k, r)
    found = cpu.gram_of(B, torch.float64, torch.float32)
    expected = torch.from_numpy(np.asarray(B.double()).T @ np.asarray(B.double()))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14 * float(expected.diagonal().max()))
    assert torch.equal(found, found.mT)
    assert torch.equal(cpu.gram_of(B.mT.contiguous().mT, torch.float64, torch.float32), found)
    assert not cpu.gram_of(torch.zeros(k, r), torch.float64, torch.float32).any()


@pytest.mark.parametrize("k", [1, 255, 256, 700])
@pytest.mark.parametrize("r", [1, 5, 32, 33])
def test_gram_of_bfloat16(k: int, r: int) -> None:
    B = torch.randn(k, r).bfloat16()
    found = cpu.gram_of(B, torch.float32, torch.bfloat16)
    expected = B.double().mT @ B.double()
    assert found.dtype == torch.float32
    # Products of bfloat16 are exact in float32; what is left are the sums.
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=3e-6 * float(expected.diagonal().max()))
    assert torch.equal(found, found.mT)
    B[0, 0] = math.nan
    assert cpu.gram_of(B, torch.float32, torch.bfloat16).isnan().any(0).all()


@pytest.mark.parametrize("dtype", NARROW)
def test_norms(dtype: torch.dtype) -> None:
    x = torch.randn(7, 1003).to(dtype)
    x[1] = 0.0
    x[2, 5] = math.nan
    x[3, 7] = math.inf
    expected = x.double().norm(dim=-1).float()
    torch.testing.assert_close(cpu.norms(x), expected, rtol=1e-6, atol=0, equal_nan=True)
    torch.testing.assert_close(cpu.norms(x.mT), x.double().norm(dim=0).float(), rtol=1e-6, atol=0, equal_nan=True)


def test_multiples_of_bfloat16_are_rounded_to_the_nearest() -> None:
    to, x, numbers = torch.randn(64, 300).bfloat16(), torch.randn(64, 300).bfloat16(), torch.randn(64)
    # Sums in float64, rounded once to float32 and once to bfloat16, as the loop does it.
    expected = (to.double() + numbers.double().unsqueeze(-1) * x.double()).float().bfloat16()
    cpu.add_multiples(to, x, numbers)
    assert torch.equal(to, expected)
    # Half way between two: the even one.
    to = torch.tensor([[1.0, 1.0 + 2**-7, -1.0, -1.0 - 2**-7]]).bfloat16()
    cpu.add_multiples(to, torch.tensor([[1.0, 1.0, -1.0, -1.0]]).bfloat16(), torch.tensor([2.0**-8]))
    assert to.tolist() == [[1.0, 1.0 + 2**-6, -1.0, -1.0 - 2**-6]]
    for number, x in ((math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (1e30, 3e38)):
        to = torch.ones(1, 4).bfloat16()
        cpu.add_multiples(to, torch.full((1, 4), x).bfloat16(), torch.tensor([number]))
        assert not to.isfinite().any()
        assert bool(to.isnan().all()) == (math.isnan(number) or math.isnan(x))
    # Any bits of a NaN stay one.
    for bits in (-1, 0x7FFF, 0x7F81):
        to = torch.full((1, 2), bits, dtype=torch.int16).view(torch.bfloat16)
        cpu.add_multiples(to, torch.ones(1, 2).bfloat16(), torch.ones(1))
        assert to.isnan().all()
    for word in (-1, 0x7FFFFFFF, 0x7F800001):
        to = torch.ones(1, 2).bfloat16()
        cpu.add_multiples(to, to.clone(), torch.tensor([word], dtype=torch.int32).view(torch.float32))
        assert to.isnan().all()


def test_multiples_of_bfloat16_that_do_not_come_in_pairs() -> None:
    for width, start in ((5, 0), (4, 1)):
        to, x = (torch.randn(3 * width + start).bfloat16()[start:].view(3, width) for _ in range(2))
        numbers = torch.tensor([2.0, -0.5, 0.0])
        expected = (to.double() + numbers.double().unsqueeze(-1) * x.double()).bfloat16()
        cpu.add_multiples(to, x, numbers)
        assert torch.equal(to, expected)
    cpu.add_multiples(torch.empty(0, 4).bfloat16(), torch.empty(0, 4).bfloat16(), torch.empty(0))


@pytest.mark.parametrize("form", FORMS)
def test_tensors_in_narrow_dtypes(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What other devices run, against the textbook, mpmath and itself in float64; float32 only takes this way here.
    monkeypatch.setattr(_fused, "_engine", lambda *_: _forms)
    for K, c in ((0.1, 1.0), (0.5, 5.0), (7.0, 0.3)):
        test_gate.test_textbook(form, torch.float32, K, c)
    for size in (1e-15, 1e-3, 1.0, 1e4):
        test_gate.test_extreme_norms(form, size)
    for size in (1.0, 1e4):
        test_gate.test_sixteen_bits(form, size)
    for dtype in NARROW:
        test_gate.test_start_of_training(form, dtype)
        test_gate.test_start_of_training_out_of_range(form, dtype)
    test_gate.test_derivatives_by_the_learned_numbers_are_as_good_as_their_terms(form)


def test_the_loops_are_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(cpu, "weigh", lambda *given: calls.append(0) or _forms.weigh(*given))
    x, A, B = torch.randn(3, 8), torch.randn(2, 8), torch.randn(6, 2)
    for dtype, count in ((torch.float32, 1), (torch.bfloat16, 1), (torch.float16, 1), (torch.float64, 0)):
        calls.clear()
        hyperbolic_delta(x.to(dtype), A.to(dtype), B.to(dtype), 0.5)
        assert len(calls) == count


def test_tensors_without_memory_go_the_way_of_tensors() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x, A, B = torch.randn(3, 8, requires_grad=True), torch.randn(2, 8), torch.randn(6, 2)
        found = hyperbolic_delta(x, A, B, 0.5)
        assert found.shape == (3, 6)
        assert torch.autograd.grad(found.sum(), x)[0].shape == (3, 8)


def test_tokens_without_coordinates() -> None:
    A, B = torch.randn(3, 1), torch.randn(5, 4)
    x = torch.empty(70, 0)
    assert not cpu.norms(x).any()
    expected = hyperbolic_delta(x.double(), A.double(), B.double(), 0.5, form="time")
    torch.testing.assert_close(hyperbolic_delta(x, A, B, 0.5, form="time").double(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("which", range(3))
def test_what_is_negated_lazily(dtype: torch.dtype, which: int) -> None:
    inputs = [torch.randn(*shape).to(dtype) for shape in ((8, 64), (2, 64), (6, 2))]
    results = []
    for negated in (torch._neg_view, torch.neg):
        own = [each.clone().requires_grad_() for each in inputs]
        seen = [negated(each) if place == which else each for place, each in enumerate(own)]
        found = hyperbolic_delta(*seen, 0.5)
        results.append([found, *torch.autograd.grad(found.float().sum(), own)])
    for one, other in zip(*results, strict=True):
        close(one, other, 2**-6 if dtype == torch.bfloat16 else 1e-5)


def test_backward_may_be_compiled_where_forward_was_not() -> None:
    inputs = [torch.randn(*shape, requires_grad=True) for shape in ((4, 8), (2, 8), (6, 2))]
    expected = torch.autograd.grad(hyperbolic_delta(*inputs, 0.5).sum(), inputs)
    found = hyperbolic_delta(*inputs, 0.5).sum()
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="aot_eager", fullgraph=True)):
        found.backward()
    for one, other in zip(inputs, expected, strict=True):
        torch.testing.assert_close(one.grad, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_counted(form: str, dtype: torch.dtype) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    extra = int(form == "time")
    x, A, B = (torch.randn(*shape, dtype=dtype) for shape in ((10, 64), (4, 64 + extra), (32, 4 + extra)))
    found = hyperbolic_delta(x.requires_grad_(), A, B, 0.5, form=form).sum()
    with FlopCounterMode(display=False) as counter:
        found.backward()
    assert counter.get_total_flops() == 2 * 10 * (4 * 64 + (4 + extra) * 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_learned_number_is_its_exponential(dtype: torch.dtype) -> None:
    x, A, B = (torch.randn(*shape, dtype=dtype) for shape in ((5, 8), (2, 8), (6, 2)))
    weights = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (0.3, -0.2)]
    upstream = torch.randn(5, 6, dtype=dtype)

    def made(w: Tensor, start: float) -> Tensor:
        return start * w.exp()

    found = hyperbolic_delta(x, A, B, Learned(weights[0], 0.4), norm_scale=Learned(weights[1], 3.0))
    expected = hyperbolic_delta(x, A, B, made(weights[0], 0.4), norm_scale=made(weights[1], 3.0))
    torch.testing.assert_close(found, expected, rtol=1e-6 if dtype == torch.float32 else 1e-14, atol=0)
    for one, other in zip(
        torch.autograd.grad(found, weights, upstream), torch.autograd.grad(expected, weights, upstream), strict=True
    ):
        assert one.shape == (1,)
        torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_defaults_of_torch_have_no_say(form: str) -> None:
    options, inputs, upstream = case(form, torch.float32, torch.tensor([1.0, 2.0]))
    expected = cpu.slopes(options, inputs, upstream)
    x, B = torch.randn(3, 8).bfloat16(), torch.randn(6, 2)
    norms, gram = cpu.norms(x), cpu.gram_of(B, torch.float64, torch.float32)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.bfloat16)
        with torch.device("meta"):
            found = cpu.slopes(options, inputs, upstream)
            assert torch.equal(cpu.weigh(options, inputs), expected.weighted)
            assert torch.equal(cpu.norms(x), norms)
            assert torch.equal(cpu.gram_of(B, torch.float64, torch.float32), gram)
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(found.rank, expected.rank)
    assert torch.equal(found.log_curvature, expected.log_curvature)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_that_are_not_side_by_side(dtype: torch.dtype) -> None:
    A, B = torch.randn(2, 8).to(dtype), torch.randn(6, 2).to(dtype)
    whole = torch.randn(4, 6, 16).to(dtype)
    for part in (whole[..., :8].transpose(0, 1), whole[:, ::2, 8:], whole[..., ::2]):
        found = []
        for x in (part, part.contiguous()):
            leaf = x.detach().requires_grad_()
            assert leaf.is_contiguous() == x.is_contiguous()
            hyperbolic_delta(leaf, A, B, 0.5).float().sum().backward()
            found.append(leaf.grad)
        torch.testing.assert_close(*found, rtol=2**-6, atol=2**-6)
