"""The Lorentz model against 50-digit values, mpmath, geoopt, and its own laws."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hyplora.lorentz import (
    distance,
    expmap0,
    logmap0,
    lorentz_linear,
    minkowski_inner,
    project,
    stereographic_lift,
    stereographic_project,
)

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
curvatures = st.floats(-2, 2).map(lambda power: 10.0**power)


def vectors(*norms: float, n: int = 5, seed: int = 0) -> Tensor:
    x = torch.randn(len(norms), n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True) * torch.tensor(norms, dtype=torch.float64).unsqueeze(-1)


def apart(found: Tensor, expected: Tensor) -> float:
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def mp_vector(x: Tensor) -> list:
    return [mpmath.mpf(float(value)) for value in x]


# ----------------------------------------------------------------------------------------------------------- the values


@pytest.mark.parametrize("name", ["K0.5_std", "K1.0_std", "K1.0_xl"])
def test_golden_maps(assets: Path, name: str) -> None:
    stored = np.load(assets / "golden" / f"expmap0_logmap0_{name}.npz")
    K = float(stored["K"])
    given = {key: torch.from_numpy(stored[key]) for key in stored.files}
    point = expmap0(given["x"], K)
    assert apart(point[:, :1], given["y_time"]) < 1e-13
    assert apart(point[:, 1:], given["y_space"]) < 1e-13
    assert apart(logmap0(point, K), given["x_back"]) < 1e-14
    assert apart(logmap0(torch.cat((given["z_time"], given["z_space"]), dim=-1), K), given["z_log"]) < 1e-14
    assert apart(project(given["z_space"], K)[:, :1], given["z_time"]) < 1e-15


@pytest.mark.parametrize("name", ["K0.5_std", "K1.0_std", "K1.0_xl"])
def test_golden_linear_maps(assets: Path, name: str) -> None:
    for form in ("space", "time"):
        stored = np.load(assets / "golden" / f"llr_{form}_{name}.npz")
        K = float(stored["K"])
        given = {key: torch.from_numpy(stored[key]) for key in stored.files}
        point = expmap0(given["x"], K)
        for factor in (given["A"], given["B"]):
            point = lorentz_linear(point, factor, K, form=form)  # type: ignore[arg-type]
        assert apart(point[:, :1], given["y_time"]) < 1e-12
        assert apart(point[:, 1:], given["y_space"]) < 1e-12
        assert apart(logmap0(point, K), given["delta_out"]) < 1e-14


@pytest.mark.parametrize("name", ["K0.5_std", "K1.0_std", "K1.0_xl"])
def test_golden_stereographic(assets: Path, name: str) -> None:
    stored = np.load(assets / "golden" / f"stereo_{name}.npz")
    K = float(stored["K"])
    given = {key: torch.from_numpy(stored[key]) for key in stored.files}
    y = stereographic_lift(given["x"], K)
    assert apart(y, given["y"]) < 1e-14
    assert apart(stereographic_project(y @ given["A"].mT @ given["B"].mT, K), given["out"]) < 1e-14


@pytest.mark.parametrize("name", ["K0.5", "K1.0"])
def test_golden_limits(assets: Path, name: str) -> None:
    stored = np.load(assets / "golden" / f"limits_{name}.npz")
    K = float(stored["K"])
    point = expmap0(torch.from_numpy(stored["x"]), K)
    expected = np.concatenate((stored["expmap0_time"], stored["expmap0_space"]), axis=-1)
    np.testing.assert_allclose(point.numpy(), expected, rtol=1e-15, atol=0)
    assert torch.equal(logmap0(point, K), torch.from_numpy(stored["logmap0_of_origin"]))


@pytest.mark.parametrize("K", [0.3, 1.0, 4.0])
def test_geoopt(K: float) -> None:
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):  # of torch.jit, which geoopt uses
            warnings.simplefilter("ignore", kind)
        import geoopt
    # geoopt's k is the squared radius, our K.
    theirs = geoopt.Lorentz(k=torch.tensor(K, dtype=torch.float64))
    x, z = vectors(0.3, 1.0, 3.0), vectors(0.7, 1.0, 2.0, seed=1)
    tangent = torch.nn.functional.pad(x, (1, 0))
    point, other = expmap0(x, K), expmap0(z, K)
    torch.testing.assert_close(point, theirs.expmap0(tangent), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(logmap0(point, K), theirs.logmap0(point)[:, 1:], rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(distance(point, other, K), theirs.dist(point, other), rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(project(x, K), theirs.projx(tangent), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(minkowski_inner(point, other), theirs.inner(None, point, other), rtol=1e-12, atol=1e-12)


@given(
    sizes=st.tuples(st.floats(-8, 8), st.floats(-8, 8)),
    closeness=st.floats(-8, 1),
    K=curvatures,
    kind=st.sampled_from(["apart", "radial", "near"]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=150)
def test_distance_against_mpmath(sizes: tuple[float, float], closeness: float, K: float, kind: str, seed: int) -> None:
    a = vectors(10.0 ** sizes[0], n=3, seed=seed)[0]
    if kind == "apart":
        b = vectors(10.0 ** sizes[1], n=3, seed=seed + 100)[0]
    elif kind == "radial":
        b = a * (1 + 10.0**closeness)
    else:
        b = a + vectors(10.0**closeness, n=3, seed=seed + 100)[0] * a.norm()
    with mpmath.workdps(80):
        s, t = mp_vector(a), mp_vector(b)
        times = [mpmath.sqrt(mpmath.fsum(v * v for v in w) + mpmath.mpf(K)) for w in (s, t)]
        inner = times[0] * times[1] - mpmath.fsum(v * w for v, w in zip(s, t, strict=True))
        expected = float(mpmath.sqrt(K) * mpmath.acosh(inner / K))
    found = distance(project(a, K), project(b, K), K)
    # Moving the points by a rounding moves the distance by eps times this.
    moved = 2**-53 * float(torch.maximum(a.norm(), b.norm()))
    assert abs(float(found) - expected) <= 1e-13 * expected + 20 * moved
    assert float(distance(project(b, K), project(a, K), K)) == pytest.approx(float(found), rel=1e-12, abs=20 * moved)


# --------------------------------------------------------------------------------------------------------------- range


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_overflow_where_the_result_is_finite(dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    for K in (1e-6, 1.0, 1e4):
        root = math.sqrt(K)
        # cosh's argument at which the result is a tenth of the largest number.
        theta = math.log(largest / 10) - math.log(root) + math.log(2)
        x = (vectors(theta * root)).to(dtype)
        point = expmap0(x, K)
        if float(x.double().norm()) / root < theta + math.log(5):
            assert bool(point.isfinite().all()), (dtype, K)
        far = torch.full((1, 4), largest / 4, dtype=dtype)
        assert bool(project(far, K).isfinite().all())
        log = logmap0(project(far, K), K).double()
        expected = root * (math.log(2) + math.log(largest / 4) + math.log(2) - math.log(root)) / 2
        torch.testing.assert_close(log, torch.full_like(log, expected), rtol=8 * torch.finfo(dtype).eps, atol=0)
        lifted = stereographic_lift(far, K).double()
        assert bool(stereographic_project(far, K).isfinite().all())
        torch.testing.assert_close(
            lifted,
            torch.full_like(lifted, 2 / (K * largest)),
            rtol=4 * torch.finfo(dtype).eps,
            atol=torch.finfo(dtype).tiny,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [0.1, 1.0, 10.0])
def test_rounding_is_the_dtypes(dtype: torch.dtype, K: float) -> None:
    x = vectors(1e-3, 0.1, 1.0, 5.0 * math.sqrt(K)).to(dtype)
    eps = torch.finfo(dtype).eps
    point, exact = expmap0(x, K), expmap0(x.double(), K)
    assert point.dtype == dtype
    assert apart(point.double(), exact) < 4 * eps
    assert apart(logmap0(point, K).double(), logmap0(point.double(), K)) < 4 * eps
    assert minkowski_inner(point, point).dtype == dtype


# ---------------------------------------------------------------------------------------------------------------- laws


@given(power=st.floats(-15, 2.5), K=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=100)
def test_log_undoes_exp(power: float, K: float, seed: int) -> None:
    x = vectors(10.0**power * math.sqrt(K), seed=seed)
    assert apart(logmap0(expmap0(x, K), K), x) < 1e-14


@given(power=st.floats(-15, 1), K=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=100)
def test_points_are_on_the_manifold(power: float, K: float, seed: int) -> None:
    x = vectors(10.0**power * math.sqrt(K), seed=seed)
    weight = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for point in (expmap0(x, K), project(x, K), lorentz_linear(expmap0(x, K), weight, K)):
        assert abs(float(minkowski_inner(point, point)) + K) < 1e-13 * (K + float(point[:, 0].square()))
        assert bool((point[:, 0] >= math.sqrt(K) * (1 - 1e-15)).all())


@given(power=st.floats(-8, 2), K=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_distance_from_the_origin_is_the_norm(power: float, K: float, seed: int) -> None:
    x = vectors(10.0**power * math.sqrt(K), seed=seed)
    origin = expmap0(torch.zeros_like(x), K)
    found = distance(origin, expmap0(x, K), K)
    torch.testing.assert_close(found, x.norm(dim=-1), rtol=1e-13, atol=0)
    assert torch.equal(distance(expmap0(x, K), expmap0(x, K), K), torch.zeros(1, dtype=torch.float64))


@given(K=curvatures, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_triangle(K: float, seed: int) -> None:
    a, b, c = (expmap0(x.unsqueeze(0) * math.sqrt(K), K) for x in vectors(0.1, 2.0, 9.0, seed=seed))
    assert float(distance(a, c, K)) <= float(distance(a, b, K) + distance(b, c, K)) * (1 + 1e-12)


def test_space_linear_maps_compose() -> None:
    rng = torch.Generator().manual_seed(0)
    A, B = (torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in ((3, 5), (4, 3)))
    point = expmap0(vectors(0.5, 2.0), 0.7)
    one, two = lorentz_linear(point, B @ A, 0.7), lorentz_linear(lorentz_linear(point, A, 0.7), B, 0.7)
    torch.testing.assert_close(one, two, rtol=1e-13, atol=0)


def test_stereographic_lift_is_on_a_sphere() -> None:
    # Of curvature K: with the coordinate that is left out, (1 - K‖x‖²) / (√K (1 + K‖x‖²)), the radius is 1/√K.
    K, x = 0.4, vectors(0.1, 1.0, 1.6, 40.0)
    square = K * x.square().sum(-1)
    last = (1 - square) / (math.sqrt(K) * (1 + square))
    radius = (stereographic_lift(x, K).square().sum(-1) + last.square()).sqrt()
    torch.testing.assert_close(radius, torch.full_like(radius, 1 / math.sqrt(K)), rtol=1e-14, atol=0)
    # Its projection back is that of the hyperboloid for K = 1.
    ball = stereographic_project(expmap0(x[:3], 1.0)[:, 1:], 1.0)
    torch.testing.assert_close(ball.norm(dim=-1), torch.tanh(x[:3].norm(dim=-1) / 2), rtol=1e-14, atol=0)


# ----------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("size", [0.0, 1e-15, 1e-8, 1e-3, 0.049, 0.051, 0.99, 1.01, 30.0, 300.0])
def test_derivative_of_log_after_exp_is_the_identity(size: float) -> None:
    x = vectors(1.0)[0] * size
    found = torch.autograd.functional.jacobian(lambda v: logmap0(expmap0(v, 0.7), 0.7), x)
    torch.testing.assert_close(found, torch.eye(5, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0.0, 1e-15, 1e-10, 1e-5, 1.0, 100.0, 1e4])
def test_gradients_are_finite(dtype: torch.dtype, size: float) -> None:
    # Of what is finite itself: the point exp(x) is not, past ‖x‖ = 10 in float16.
    for work in (
        lambda v: project(v, 0.5),
        lambda v: logmap0(project(v, 0.5), 0.5),
        lambda v: stereographic_lift(v, 0.5),
        lambda v: stereographic_project(v, 0.5),
        lambda v: distance(project(v, 0.5), project(2 * v.flip(-1), 0.5), 0.5),
        lambda v: expmap0(v, 0.5),
    ):
        x = (vectors(1.0) * size).to(dtype).requires_grad_()
        value = work(x)
        if bool(value.isfinite().all()):
            (by,) = torch.autograd.grad(value.double().sum(), x)
            assert bool(by.isfinite().all())


def test_derivatives_at_the_origin() -> None:
    zero, eye = torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    upright = torch.cat((torch.zeros(1, 3, dtype=torch.float64), eye))
    jacobian = torch.autograd.functional.jacobian
    assert torch.equal(jacobian(lambda x: expmap0(x, 0.5), zero), upright)
    assert torch.equal(jacobian(lambda x: project(x, 0.5), zero), upright)
    assert torch.equal(jacobian(lambda x: logmap0(project(x, 0.5), 0.5), zero), eye)
    assert torch.equal(jacobian(lambda x: stereographic_lift(x, 0.5), zero), 2 * eye)
    torch.testing.assert_close(jacobian(lambda x: stereographic_project(x, 0.5), zero), eye / 1.5)


@pytest.mark.parametrize("size", [0.03, 0.4, 3.0])
def test_gradcheck(size: float) -> None:
    x, y = (v.requires_grad_() for v in (vectors(size, 2 * size), vectors(1.5 * size, size, seed=1)))
    K = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    check = torch.autograd.gradcheck
    assert check(expmap0, (x, K))
    assert check(project, (x, K))
    assert check(lambda s, k: logmap0(project(s, k), k), (x, K))
    assert check(lambda s, w, k: lorentz_linear(project(s, k), w, k), (x, weight, K))
    assert check(lambda a, b, k: distance(project(a, k), project(b, k), k), (x, y, K))
    assert check(lambda a, b: minkowski_inner(a, b), (x, y))
    assert check(stereographic_lift, (x, K))
    assert check(stereographic_project, (x, K))


def test_nan_propagates_and_empty_stays_empty() -> None:
    x = vectors(1.0, 2.0)
    x[0, 2] = math.nan
    for work in (expmap0, project, stereographic_lift, stereographic_project):
        found = work(x, 0.5)
        assert bool(found[0].isnan().any())
        assert bool(found[1].isfinite().all())
        assert work(x[:0], 0.5).shape[0] == 0
    point = project(x, 0.5)
    assert bool(logmap0(point, 0.5)[0].isnan().all())
    assert distance(point, project(vectors(1.0), 0.5), 0.5).isnan().tolist() == [True, False]


def test_unknown_form() -> None:
    with pytest.raises(ValueError, match="unknown form 'both'; choose one of: space, time"):
        lorentz_linear(torch.ones(1, 3), torch.ones(2, 2), 1.0, form="both")  # type: ignore[arg-type]


@pytest.mark.parametrize("K", [1e-10, 0.5, 1e10])
@pytest.mark.parametrize("size", [1e-300, 1e-5, 1.0, 1e101, 1e155, 1e305, 1e308])
def test_stereographic_maps_of_extreme_norms(size: float, K: float) -> None:
    x = (torch.tensor([0.7, -0.4, 0.9, -1.0], dtype=torch.float64) * size).requires_grad_()
    number = torch.tensor(K, dtype=torch.float64, requires_grad=True)
    with mpmath.workdps(700):
        values, k = mp_vector(x.detach()), mpmath.mpf(K)
        square = mpmath.fsum(v * v for v in values)
        lifted = [float(2 * v / (1 + k * square)) for v in values]
        projected = [float(v / (1 + mpmath.sqrt(k) * mpmath.sqrt(square + k))) for v in values]
    for work, expected in ((stereographic_lift, lifted), (stereographic_project, projected)):
        found = work(x, number)
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-14, atol=1e-307)
        assert all(bool(by.isfinite().all()) for by in torch.autograd.grad(found.sum(), (x, number)))


def test_whole_numbers_are_of_the_default_dtype() -> None:
    x = torch.tensor([[1, 2, 3], [0, 0, 1]])
    for work in (expmap0, project, stereographic_lift, stereographic_project):
        assert work(x, 0.5).dtype == torch.float32
        assert torch.equal(work(x, 0.5), work(x.float(), 0.5))
    assert torch.equal(logmap0(x, 0.5), logmap0(x.float(), 0.5))
    assert torch.equal(distance(x, x.flip(0), 0.5), distance(x.float(), x.flip(0).float(), 0.5))
    assert torch.equal(minkowski_inner(x, x), torch.tensor([12.0, 1.0]))
    assert torch.equal(lorentz_linear(x, torch.eye(2), 0.5), project(x[:, 1:].float(), 0.5))


@pytest.mark.parametrize("K", [0.0, -1.0, math.inf, math.nan, True, "1"])
def test_numbers_that_are_no_curvature(K: float) -> None:
    x = vectors(1.0)
    maps = (expmap0, logmap0, project, stereographic_lift, stereographic_project)
    for work in (*maps, lambda x, K: distance(x, x, K), lambda x, K: lorentz_linear(x, torch.eye(4), K)):
        with pytest.raises(ValueError, match=r"^K must be positive and finite, not "):
            work(x, K)
