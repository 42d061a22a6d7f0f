"""The gate against the formulas tensor by tensor, 50-digit values, mpmath, and the laws it must keep."""

from __future__ import annotations

import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hyplora import lorentz
from hyplora.gate import gate, hyperbolic_delta
from tests.hyplora import textbook

FORMS = ("space", "time", "simplified")
# Dynamo warns of what it does itself.
DYNAMO = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
EXACT = {torch.float32: 1e-5, torch.float64: 1e-10}


def factors(form: str, d: int = 24, k: int = 20, r: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A and B of a map whose singular values are of about one size."""
    rng = torch.Generator().manual_seed(seed)
    extra = int(form == "time")
    A = torch.randn(r, d + extra, generator=rng, dtype=torch.float64) / math.sqrt(d)
    B = torch.randn(k, r + extra, generator=rng, dtype=torch.float64) / math.sqrt(r)
    return A, B


def tokens(norms: list[float], d: int = 24, seed: int = 1) -> Tensor:
    x = torch.randn(len(norms), d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True) * torch.tensor(norms, dtype=torch.float64).unsqueeze(-1)


def number(value: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor([value], dtype=dtype)


def apart(found: Tensor, expected: Tensor) -> float:
    """Largest relative difference of a row."""
    found, expected = (each.detach().double().reshape(-1, each.shape[-1]) for each in (found, expected))
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def gradients(output: Tensor, inputs: list[Tensor], seed: int = 2) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    upstream = torch.randn(output.shape, generator=rng, dtype=torch.float64).to(output.dtype)
    return list(torch.autograd.grad(output, inputs, upstream))


def leaves(*tensors: Tensor, dtype: torch.dtype | None = None) -> list[Tensor]:
    return [tensor.detach().to(dtype or tensor.dtype).clone().requires_grad_() for tensor in tensors]


def alpha(norm: float, K: float) -> float:
    return math.sinh(norm / math.sqrt(K)) / (norm / math.sqrt(K))


# ------------------------------------------------------------------------------------------------ against the formulas


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("K", "c"), [(0.1, 1.0), (0.5, 5.0), (1.0, 1.0), (7.0, 0.3)])
def test_textbook(form: str, dtype: torch.dtype, K: float, c: float) -> None:
    x = tokens([0.1, 0.5, 1.0, 3.0, 10.0, 30.0])
    inputs = [x, *factors(form), number(K), number(c)]
    exact = leaves(*(tensor.to(dtype).double() for tensor in inputs))
    ours = leaves(*inputs, dtype=dtype)
    expected = textbook.delta(*exact, form, scaling=1.5)
    found = hyperbolic_delta(*ours[:4], form=form, norm_scale=ours[4], scaling=1.5)
    assert found.dtype == dtype
    assert apart(found, expected) <= EXACT[dtype]
    for name, mine, theirs in zip("xABKc", gradients(found, ours), gradients(expected, exact), strict=True):
        assert mine.dtype == dtype
        # One row at a time for x: every token has its own size. The sums over tokens as a whole.
        error = apart(mine, theirs) if name == "x" else float((mine - theirs).norm() / theirs.norm())
        assert error <= EXACT[dtype] * (3 if name in "Kc" else 1), name


@pytest.mark.parametrize("form", FORMS)
def test_golden_values(assets: Path, form: str) -> None:
    stem = {"space": "llr_space", "time": "llr_time", "simplified": "stereo"}[form]
    files = sorted((assets / "golden").glob(f"{stem}_*.npz"))
    assert len(files) == 3
    for file in files:
        stored = np.load(file)
        expected = torch.from_numpy(stored["out" if form == "simplified" else "delta_out"])
        for dtype, tolerance in ((torch.float64, 1e-13), (torch.float32, 5e-7)):
            x, A, B = (torch.from_numpy(stored[name]).to(dtype) for name in "xAB")
            found = hyperbolic_delta(x, A, B, float(stored["K"]), form=form)
            assert apart(found, expected) < tolerance, (file.name, dtype)


def mp_delta(x: list, A: Tensor, B: Tensor, K: object, c: object, form: str) -> list:
    """Textbook formulas in mpmath."""
    mp = mpmath

    def through(W: Tensor, v: list) -> list:
        return [mp.fsum(mp.mpf(float(w)) * a for w, a in zip(row, v, strict=True)) for row in W]

    def norm(v: list) -> object:
        return mp.sqrt(mp.fsum(a * a for a in v))

    root = mp.sqrt(K)
    x = [a / c for a in x]
    size = norm(x)
    if form == "simplified":
        v = through(B, through(A, [2 * a / (1 + K * size**2) for a in x]))
        return [a / (1 + root * mp.sqrt(norm(v) ** 2 + K)) for a in v]
    time, space = root * mp.cosh(size / root), [root * mp.sinh(size / root) * a / size for a in x]
    if form == "space":
        y = through(B, through(A, space))
    else:
        u = through(A, [time, *space])
        y = through(B, [mp.sqrt(norm(u) ** 2 + K), *u])
    length = norm(y)
    return [root * mp.asinh(length / root) * a / length for a in y]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1e-15, 1e-8, 1e-3, 1.0, 80.0, 1e4])
def test_extreme_norms(form: str, size: float) -> None:
    K, c = 0.1, 1.25
    A, B = (factor.float().double() for factor in factors(form, d=5, k=4, r=2))
    x = tokens([size], d=5).float().double()
    step = tokens([size], d=5, seed=3)
    upstream = torch.tensor([0.5, -1.0, 0.25, 2.0], dtype=torch.float64)
    with mpmath.workdps(80):

        def loss(h: object, k: object, s: object) -> object:
            moved = [mpmath.mpf(float(a)) + h * mpmath.mpf(float(b)) for a, b in zip(x[0], step[0], strict=True)]
            return mpmath.fsum(float(g) * v for g, v in zip(upstream, mp_delta(moved, A, B, k, s, form), strict=True))

        at = (mpmath.mpf(0), mpmath.mpf(K), mpmath.mpf(c))
        expected = [float(v) for v in mp_delta([mpmath.mpf(float(a)) for a in x[0]], A, B, at[1], at[2], form)]
        slopes = [float(mpmath.diff(loss, at, order)) for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        inputs = leaves(x, A, B, dtype=dtype)
        k, s = leaves(number(K), number(c))
        found = hyperbolic_delta(*inputs, k, form=form, norm_scale=s)
        assert apart(found, torch.tensor([expected], dtype=torch.float64)) < tolerance
        by = torch.autograd.grad(found, [*inputs, k, s], upstream.to(dtype).unsqueeze(0))
        assert all(bool(each.isfinite().all()) for each in by)
        mine = [float((by[0].double() * step).sum()), float(by[3]), float(by[4])]
        # What the slope is a sum of: it may cancel.
        scale = [float((by[0].double() * step).abs().sum()), abs(slopes[1]), abs(slopes[2])]
        for one, other, whole in zip(mine, slopes, scale, strict=True):
            assert abs(one - other) <= 3 * tolerance * whole


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_sixteen_bits(form: str, size: float) -> None:
    # The exact map of the rounded inputs; then one product rounds A x, the other the result.
    x = tokens([size, size / 3, size / 7]).bfloat16()
    A, B = (factor.bfloat16() for factor in factors(form))
    ours = leaves(x, A, B)
    exact = leaves(x.double(), A.double(), B.double())
    found, expected = (hyperbolic_delta(*each, 0.1, form=form) for each in (ours, exact))
    assert found.dtype == torch.bfloat16
    assert apart(found, expected) < 3 * 2**-8
    for mine, theirs in zip(gradients(found, ours), gradients(expected, exact), strict=True):
        assert mine.isfinite().all()
        assert float((mine - theirs).norm() / theirs.norm()) < 6 * 2**-8


def test_half_precision_where_the_gate_leaves_its_range() -> None:
    x = tokens([500.0])
    A, B = factors("space")
    ours = leaves(x, A, 1e-3 * B, dtype=torch.float16)
    exact = leaves(*(each.detach().double() for each in ours))
    assert float(gate(*(each.detach() for each in ours), 0.1)) > 1000
    found, expected = (hyperbolic_delta(*each, 0.1) for each in (ours, exact))
    assert apart(found, expected) < 3 * 2**-11
    assert all(bool(by.isfinite().all()) for by in torch.autograd.grad(found.float().mean(), ours))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_badly_conditioned_factor(dtype: torch.dtype) -> None:
    # Tokens along B's weakest direction, where BᵀB in the dtype itself would have lost the norm. The textbook's arcosh
    # has lost that of so short an output; logmap0's arsinh has not.
    cosine = {torch.float32: 1e-2, torch.float64: 1e-5}[dtype]
    A = torch.eye(4, dtype=torch.float64)
    B = torch.linalg.qr(torch.randn(20, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)).Q
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(6), dtype=torch.float64)).Q
    values = torch.tensor([1.0, 0.3, 0.1, cosine], dtype=torch.float64)
    B = (B * values) @ turn.mT
    x = turn[:, 3:].mT * 3.0
    x, A, B = (each.to(dtype) for each in (x, A, B))
    point = lorentz.lorentz_linear(lorentz.expmap0(x.double(), 0.5), B.double() @ A.double(), 0.5)
    expected = lorentz.logmap0(point, 0.5)
    # Along itself: the gate. Its direction has B's own rounding, which no evaluation is spared.
    found = hyperbolic_delta(x, A, B, 0.5)
    assert abs(float(found.norm()) / float(expected.norm()) - 1) <= EXACT[dtype]


@pytest.mark.parametrize("form", FORMS)
def test_derivatives_by_the_learned_numbers_are_as_good_as_their_terms(form: str) -> None:
    # In float32: what the terms of the sum over tokens lose to cancellation is all that it loses.
    A, B = factors(form)
    inputs = [each.float() for each in (tokens([float(size) for size in range(1, 65)]), A, B)]
    upstream = torch.randn(64, B.shape[0], generator=torch.Generator().manual_seed(3)).double()

    def by_numbers(rows: slice, dtype: torch.dtype) -> Tensor:
        K, c = number(0.5, dtype).requires_grad_(), number(5.0, dtype).requires_grad_()
        x, A, B = (each.to(dtype) for each in inputs)
        found = hyperbolic_delta(x[rows], A, B, K, form=form, norm_scale=c)  # type: ignore[arg-type]
        return torch.stack(torch.autograd.grad(found, (K, c), upstream[rows].to(dtype))).double()

    terms = torch.stack([by_numbers(slice(i, i + 1), torch.float64) for i in range(64)])
    error = (by_numbers(slice(None), torch.float32) - terms.sum(0)).abs()
    assert bool((error <= 1e-6 * terms.abs().sum(0)).all())


def test_token_in_the_null_space_is_no_explosion() -> None:
    # B h is 0 but for rounding, and e^θ is 1e28.
    A = torch.eye(3)
    B = torch.tensor([[0.1, -0.1, 0.0], [0.7, -0.7, 0.0], [0.3, -0.3, 0.0]])
    x = 20.0 * torch.tensor([[0.6123724, 0.6123724, 0.5]])
    found = hyperbolic_delta(x, A, B, 0.1)
    assert found.norm() < 20.0
    # Here 0 is exact, and stays.
    assert torch.equal(hyperbolic_delta(torch.tensor([[0.0, 0.0, 20.0]]), A, B, 0.1), torch.zeros(1, 3))


# ----------------------------------------------------------------------------------------------------------- the limits


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_start_of_training(form: str, dtype: torch.dtype) -> None:
    K, c, scaling = 0.5, 2.0, 1.5
    norms = [0.0, 1e-6, 1.0, 6.0]
    x, A, B = leaves(tokens(norms), factors(form)[0], torch.zeros_like(factors(form)[1]), dtype=dtype)
    k, s = leaves(number(K), number(c))
    found = hyperbolic_delta(x, A, B, k, form=form, norm_scale=s, scaling=scaling)
    assert torch.equal(found, torch.zeros_like(found))
    by = gradients(found, [x, A, B, k, s])
    assert all(not each.any() for each in (by[0], by[1], by[3], by[4]))
    # The limit: log(B y) → B y, so that B's gradient is that of the linear map of the hidden point.
    point = lorentz.expmap0(x.detach().double() / c, K)
    if form == "space":
        hidden = point[:, 1:] @ A.detach().double().mT
    elif form == "time":
        u = point @ A.detach().double().mT
        hidden = torch.cat(((u.square().sum(-1, keepdim=True) + K).sqrt(), u), dim=-1)
    else:
        hidden = lorentz.stereographic_lift(x.detach().double() / c, K) @ A.detach().double().mT / (1 + K)
    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype)
    expected = scaling * upstream.double().mT @ hidden
    tolerance = {torch.float64: 1e-13, torch.float32: 1e-6, torch.bfloat16: 0.01, torch.float16: 0.002}[dtype]
    assert by[2].any()
    assert float((by[2] - expected).norm() / expected.norm()) < tolerance


def test_gate_at_the_start_is_the_lift() -> None:
    norms = [1e-9, 0.3, 2.0, 20.0]
    A, B = factors("space")
    found = gate(tokens(norms), A, torch.zeros_like(B), 0.5, norm_scale=2.0)
    expected = torch.tensor([alpha(norm / 2, 0.5) / 2 for norm in norms], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_start_of_training_out_of_range(form: str, dtype: torch.dtype) -> None:
    # sinh(3e4) is no number here; the output is 0 all the same, and no gradient is NaN.
    A, B = factors(form)
    inputs = leaves(tokens([1e4]), A, torch.zeros_like(B), dtype=dtype)
    found = hyperbolic_delta(*inputs, 0.1, form=form)
    assert torch.equal(found, torch.zeros_like(found))
    by = gradients(found, inputs)
    assert not any(bool(each.isnan().any()) for each in by)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("norm", [1e8, 1e12, 1e18])
def test_start_of_training_at_any_length(form: str, dtype: torch.dtype, norm: float) -> None:
    # A x is as long as x: the gate has to leave room for it.
    A, B = factors(form)
    inputs = leaves(tokens([norm]), A, torch.zeros_like(B), dtype=dtype)
    found = hyperbolic_delta(*inputs, 0.5, form=form, norm_scale=5.0)
    assert torch.equal(found, torch.zeros_like(found))
    by = gradients(found, inputs)
    assert all(bool(each.isfinite().all()) for each in by)


@pytest.mark.parametrize("form", FORMS)
def test_derivative_at_zero(form: str) -> None:
    A, B = factors(form)
    K, c = 0.5, 3.0
    zero = torch.zeros(24, dtype=torch.float64)

    def delta(x: Tensor) -> Tensor:
        return hyperbolic_delta(x, A, B, K, form=form, norm_scale=c)

    found = torch.autograd.functional.jacobian(delta, zero)
    if form == "space":
        expected = B @ A / c
    elif form == "simplified":
        expected = 2 * B @ A / c / (1 + K)
    else:
        # The time coordinate is even in x; differentiate the rest as the textbook has it, around √K.
        expected = torch.autograd.functional.jacobian(
            lambda x: lorentz.logmap0(
                lorentz.lorentz_linear(
                    lorentz.lorentz_linear(lorentz.expmap0(x / c, K), A, K, form="time"), B, K, form="time"
                ),
                K,
            ),
            zero,
        )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    if form != "time":
        assert torch.equal(delta(zero), torch.zeros(20, dtype=torch.float64))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(0, 24), (2, 0, 24)])
def test_empty_batch(form: str, shape: tuple[int, ...]) -> None:
    for dtype in (torch.bfloat16, torch.float32):
        x, A, B = leaves(torch.zeros(shape), *factors(form), dtype=dtype)
        k = number(0.5).requires_grad_()
        found = hyperbolic_delta(x, A, B, k, form=form)
        assert found.shape == (*shape[:-1], 20)
        assert gate(x, A, B, 0.5, form=form).shape == shape[:-1]
        assert all(not by.any() for by in gradients(found, [x, A, B, k]))


@pytest.mark.parametrize("form", FORMS)
def test_nan_stays_with_its_token(form: str) -> None:
    A, B = factors(form)
    x = tokens([1.0, 2.0, 3.0])
    x[1, 5] = math.nan
    found = hyperbolic_delta(x, A, B, 0.5, form=form)
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()
    assert gate(x, A, B, 0.5, form=form).isnan().tolist() == [False, True, False]
    assert hyperbolic_delta(tokens([1.0]), A, B, torch.tensor([math.nan]), form=form).isnan().all()


def test_flat_limit_is_lora() -> None:
    A, B = factors("space")
    x = tokens([0.1, 1.0, 10.0])
    found = hyperbolic_delta(x, A, B, 1e12, norm_scale=2.0, scaling=3.0)
    torch.testing.assert_close(found, 3.0 * x @ A.mT @ B.mT / 2.0, rtol=1e-9, atol=0)


def test_tangent_linear_map_cancels() -> None:
    # Linear in the tangent space between exp and log: plain LoRA. That is why LLR acts on the manifold.
    A, B = factors("space")
    x, K = tokens([0.1, 1.0, 10.0]), 0.5
    point = lorentz.expmap0(x, K)
    moved = lorentz.expmap0(lorentz.logmap0(point, K) @ A.mT @ B.mT, K)
    torch.testing.assert_close(lorentz.logmap0(moved, K), x @ A.mT @ B.mT, rtol=1e-12, atol=1e-13)
    assert apart(hyperbolic_delta(x, A, B, K), x @ A.mT @ B.mT) > 0.1


# ----------------------------------------------------------------------------------------------------------------- laws

sizes = st.floats(-12, 4).map(lambda power: 10.0**power)
curvatures = st.floats(-2, 2).map(lambda power: 10.0**power)


@given(size=sizes, K=curvatures, c=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_norm_scale_is_a_curvature(size: float, K: float, c: float, seed: int) -> None:
    for form in ("space", "time"):
        A, B = factors(form, d=6, k=5, r=3, seed=seed)
        x = tokens([size, 2 * size], d=6, seed=seed)
        found = hyperbolic_delta(x, A, B, K, form=form, norm_scale=c)
        assert apart(found, hyperbolic_delta(x, A, B, c * c * K, form=form) / c) < 1e-10


@given(size=sizes, K=curvatures, c=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_composition_of_the_maps(size: float, K: float, c: float, seed: int) -> None:
    if size / (c * math.sqrt(K)) > 300:
        size = 300 * c * math.sqrt(K)
    for form in ("space", "time"):
        A, B = factors(form, d=6, k=5, r=3, seed=seed)
        x = tokens([size, size / 2], d=6, seed=seed)
        point = lorentz.expmap0(x / c, K)
        for factor in (A, B):
            point = lorentz.lorentz_linear(point, factor, K, form=form)
        found = hyperbolic_delta(x, A, B, K, form=form, norm_scale=c)
        assert apart(found, lorentz.logmap0(point, K)) < 1e-10


@given(size=sizes, K=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_gate_times_lora(size: float, K: float, seed: int) -> None:
    for form in ("space", "simplified"):
        A, B = factors(form, d=6, k=5, r=3, seed=seed)
        x = tokens([size, 3 * size], d=6, seed=seed)
        expected = 1.5 * gate(x, A, B, K, form=form).unsqueeze(-1) * (x @ A.mT @ B.mT)
        assert apart(hyperbolic_delta(x, A, B, K, form=form, scaling=1.5), expected) < 1e-12


def test_gate_of_the_time_form() -> None:
    A, B = factors("time")
    x, K, c = tokens([0.5, 5.0]), 0.5, 2.0
    point = lorentz.expmap0(x / c, K)
    hidden = lorentz.lorentz_linear(point, A, K, form="time") / point[:, :1]
    expected = gate(x, A, B, K, form="time", norm_scale=c).unsqueeze(-1) * (hidden @ B.mT)
    assert apart(hyperbolic_delta(x, A, B, K, form="time", norm_scale=c), expected) < 1e-13


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1e-2, 1.0, 10.0])
def test_gradcheck(form: str, size: float) -> None:
    A, B = factors(form, d=5, k=4, r=3)
    inputs = leaves(tokens([size, 2 * size], d=5), A, B, number(0.7), number(1.3))

    def delta(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor) -> Tensor:
        return hyperbolic_delta(x, A, B, K, form=form, norm_scale=c, scaling=1.7)

    assert torch.autograd.gradcheck(delta, inputs, rtol=1e-5, atol=1e-7, eps=1e-6 * min(1.0, size))


# --------------------------------------------------------------------------------------------------- the work it spares


def kept(output: object) -> int:
    """Bytes of the storages that ``output()`` saves for backward."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = output()  # type: ignore[operator]
    assert held.requires_grad
    return sum(storages.values())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("of_x", "of_factors"),
    [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.bfloat16, torch.float32)],
)
def test_keeps_one_number_per_token_more_than_lora(form: str, of_x: torch.dtype, of_factors: torch.dtype) -> None:
    n, r = 500, 4
    x = torch.randn(n, 24).to(of_x)
    A, B = leaves(*factors(form, r=r), dtype=of_factors)
    lower, upper = leaves(*factors("space", r=r), dtype=of_factors)
    lora = kept(lambda: torch.nn.functional.linear(torch.nn.functional.linear(x.to(of_factors), lower), upper) * 2.0)
    ours = kept(lambda: hyperbolic_delta(x, A, B, 0.5, form=form, scaling=2.0))
    small = 8 * (r + 1) ** 2 + 2 * 8 + (A.numel() + B.numel()) * A.element_size()
    assert ours - lora <= 4 * n + small


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing(reentrant: bool) -> None:
    inputs = leaves(tokens([1.0, 5.0]), *factors("space"), number(0.5))
    plain = gradients(hyperbolic_delta(*inputs), inputs)
    again = leaves(*inputs)
    found = checkpoint(hyperbolic_delta, *again, use_reentrant=reentrant)
    found.backward(torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    for one, other in zip(plain, again, strict=True):
        assert torch.equal(one, other.grad)


@pytest.mark.parametrize("form", FORMS)
def test_autocast(form: str) -> None:
    inputs = leaves(tokens([1.0, 5.0]), *factors(form), number(0.5), dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = hyperbolic_delta(*inputs, form=form)
        weight = gate(*inputs, form=form)
    assert found.dtype == torch.bfloat16
    assert weight.dtype == torch.float32
    whole = hyperbolic_delta(*inputs, form=form)
    assert apart(found.detach(), whole.detach()) < 0.02
    by, expected = gradients(found.float(), inputs), gradients(whole, inputs)
    for mine, theirs in zip(by, expected, strict=True):
        assert mine.dtype == torch.float32
        assert float((mine - theirs).norm() / theirs.norm()) < (0.1 if mine is by[3] else 0.03)  # K's cancels


def test_other_dtype_of_x() -> None:
    A, B = leaves(*factors("space"), dtype=torch.float32)
    (x,) = leaves(tokens([1.0, 5.0]), dtype=torch.bfloat16)
    found = hyperbolic_delta(x, A, B, 0.5)
    assert found.dtype == torch.float32
    (wide,) = leaves(x, dtype=torch.float32)
    expected = hyperbolic_delta(wide, A, B, 0.5)
    assert torch.equal(found, expected)
    by, by_wide = gradients(found, [x])[0], gradients(expected, [wide])[0]
    assert by.dtype == torch.bfloat16
    assert torch.equal(by, by_wide.bfloat16())


@DYNAMO
@pytest.mark.parametrize("form", FORMS)
def test_compiles_in_one_graph(form: str) -> None:
    inputs = leaves(tokens([1.0, 5.0, 0.0]), *factors(form), number(0.5), number(2.0))

    def delta(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor) -> Tensor:
        return hyperbolic_delta(x, A, B, K, form=form, norm_scale=c, scaling=2.0)

    found = torch.compile(delta, fullgraph=True, backend="aot_eager")(*inputs)
    expected = delta(*inputs)
    torch.testing.assert_close(found, expected)
    for one, other in zip(gradients(found, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of what torch itself uses
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", FORMS)
def test_inductor(form: str, dtype: torch.dtype) -> None:
    inputs = leaves(tokens([1.0, 5.0, 0.0]), *factors(form), number(0.5), number(2.0), dtype=dtype)

    def delta(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor) -> Tensor:
        return hyperbolic_delta(x, A, B, K, form=form, norm_scale=c, scaling=2.0)

    found, expected = torch.compile(delta, fullgraph=True)(*inputs), delta(*inputs)
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    for one, other in zip(gradients(found, inputs), gradients(expected, inputs), strict=True):
        assert float((one - other).norm() / other.norm()) < tolerance


def test_gradient_of_the_gradient_is_refused() -> None:
    inputs = leaves(tokens([1.0]), *factors("space"))
    with pytest.raises(RuntimeError, match="can be differentiated once"):
        torch.autograd.grad(hyperbolic_delta(*inputs, 0.5).sum(), inputs[0], create_graph=True)


@pytest.mark.parametrize("form", FORMS)
def test_shapes_and_frozen_inputs(form: str) -> None:
    A, B = factors(form)
    x = tokens([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    flat = hyperbolic_delta(x, A, B, torch.tensor(0.5), form=form)
    assert torch.equal(hyperbolic_delta(x.reshape(2, 3, 24), A, B, 0.5, form=form), flat.reshape(2, 3, 20))
    turned = x.reshape(2, 3, 24).transpose(0, 1)
    torch.testing.assert_close(
        hyperbolic_delta(turned, A, B, 0.5, form=form), flat.reshape(2, 3, 20).transpose(0, 1), rtol=1e-13, atol=0
    )
    assert gate(x.reshape(2, 3, 24), A, B, 0.5, form=form).shape == (2, 3)
    # Any subset of the inputs may be frozen.
    everything = [x, A, B, number(0.5), number(2.0)]
    whole = leaves(*everything)
    expected = gradients(hyperbolic_delta(*whole[:4], form=form, norm_scale=whole[4]), whole)
    for index in range(5):
        some = [each.clone().requires_grad_(place == index) for place, each in enumerate(everything)]
        found = hyperbolic_delta(*some[:4], form=form, norm_scale=some[4])
        assert torch.equal(gradients(found, [some[index]])[0], expected[index])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_sum_with_the_layer(form: str, dtype: torch.dtype) -> None:
    inputs = leaves(tokens([0.5, 1.0, 3.0, 10.0]).reshape(2, 2, 24), *factors(form), dtype=dtype)
    onto = torch.randn(2, 2, 20, generator=torch.Generator().manual_seed(3)).to(dtype).requires_grad_()
    delta = hyperbolic_delta(*inputs, 0.5, form=form, scaling=1.5)
    expected = delta.double() + onto.double()
    found = hyperbolic_delta(*inputs, 0.5, form=form, scaling=1.5, onto=onto)
    assert found.dtype == dtype
    assert apart(found, expected) <= 4 * torch.finfo(dtype).eps
    for mine, theirs in zip(gradients(found, [*inputs, onto]), gradients(delta + onto, [*inputs, onto]), strict=True):
        assert torch.equal(mine, theirs)
    found = hyperbolic_delta(*inputs, 0.5, form=form, onto=onto)
    # Autograd adds in place to gradients that are no views; else it holds one of them twice.
    assert not gradients(found, inputs[:1])[0]._is_view()
    # What others do to it in place reaches the gradient.
    hyperbolic_delta(*inputs, 0.5, form=form, onto=onto).mul_(2.0).sum().backward()
    assert torch.equal(onto.grad, torch.full_like(onto, 2.0))
    # One that is spread out, as that of a layer that gives nothing; one of another dtype.
    spread = torch.full((1, 1, 1), 0.5, dtype=dtype).expand(2, 2, 20)
    assert apart(hyperbolic_delta(*inputs, 0.5, form=form, scaling=1.5, onto=spread), delta + spread) <= 0.01
    wide = hyperbolic_delta(*inputs, 0.5, form=form, scaling=1.5, onto=onto.double())
    assert wide.dtype == torch.float64
    torch.testing.assert_close(wide, expected, rtol=1e-14, atol=1e-14)


def test_learned_numbers_keep_their_shape_and_dtype() -> None:
    for shape in ((), (1,)):
        K, c = (torch.full(shape, value).requires_grad_() for value in (0.5, 4.0))
        x, A, B = tokens([1.0, 9.0]).bfloat16(), *(factor.bfloat16() for factor in factors("space"))
        for by in gradients(hyperbolic_delta(x, A, B, K, norm_scale=c), [K, c]):
            assert by.shape == shape
            assert by.dtype == torch.float32
            assert bool(by.abs().sum() > 0)


def test_bad_input() -> None:
    A, B = factors("space")
    x = tokens([1.0])
    with pytest.raises(ValueError, match="unknown form 'poincare'; choose one of: space, time, simplified"):
        hyperbolic_delta(x, A, B, 0.5, form="poincare")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"the form 'time' takes x .* A \(r, d \+ 1\), B \(k, r \+ 1\)"):
        hyperbolic_delta(x, A, B, 0.5, form="time")
    with pytest.raises(ValueError, match=r"A \(r, d\), B \(k, r\); got \(1, 24\), \(4, 24\), \(4, 20\)"):
        gate(x, A, B.mT, 0.5)
    with pytest.raises(ValueError, match=r"^x must be of a floating dtype, not torch.int64$"):
        hyperbolic_delta(torch.ones(1, 24, dtype=torch.long), A, B, 0.5)
    for on_two in ((x.to("meta"), A, B), (x, A.to("meta"), B), (x, A, B.to("meta"))):
        with pytest.raises(ValueError, match=r"^x, A and B must be on one device, not on (cpu|meta), (cpu|meta) and"):
            hyperbolic_delta(*on_two, 0.5)
    for scaling in (math.nan, math.inf, "1"):
        with pytest.raises(ValueError, match="scaling must be a finite number"):
            hyperbolic_delta(x, A, B, 0.5, scaling=scaling)  # type: ignore[arg-type]
    for value in (0.0, -1.0, math.inf, math.nan, True, "1"):
        with pytest.raises(ValueError, match="K must be positive and finite"):
            hyperbolic_delta(x, A, B, value)
        with pytest.raises(ValueError, match="norm_scale must be positive and finite"):
            hyperbolic_delta(x, A, B, 0.5, norm_scale=value)
    with pytest.raises(ValueError, match=r"K must be one number, not a tensor of shape \(2,\)"):
        hyperbolic_delta(x, A, B, torch.ones(2))
