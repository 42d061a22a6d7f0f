"""The map and its derivative where each is one function: wide layers on processors that have tiles."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hyplora import _fused
from hyplora.gate import Learned, hyperbolic_delta
from hyplora.kernels import _tile, _whole, cpu
from hyplora.kernels._team import team
from tests.hyplora.kernel_cases import FORMS
from tests.hyplora.textbook import delta as textbook

# Float32 products, bfloat16 ones; and what is read in bfloat16 and multiplied in float32, as PEFT makes it.
KINDS = {
    "float32": (torch.float32, torch.float32),
    "bfloat16": (torch.bfloat16, torch.bfloat16),
    "mixed": (torch.bfloat16, torch.float32),
}
ERRORS = {"float32": 1e-5, "bfloat16": 0.01, "mixed": 0.005}

with_tiles = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.skipif(not cpu.has_tiles(dtype), reason=f"no tiles for {dtype} here"))
        for kind, (_, dtype) in KINDS.items()
    ],
)
takes_operators = pytest.mark.skipif(
    not hasattr(torch.compiler, "is_exporting"), reason="to this PyTorch, an exporter is a compiler"
)
DYNAMO = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    torch.compiler.reset()  # or there are too many kinds of one function


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has run in one function, in turn."""
    found: list[str] = []
    for name in ("forward", "backward"):
        does = getattr(_whole, name)
        monkeypatch.setattr(_whole, name, lambda *given, name=name, does=does: (found.append(name), does(*given))[1])
    return found


def leaves(form: str, kind: str, *shape: int, r: int = 8, d: int = 128, k: int = 96) -> list[Tensor]:
    """Return x, A, B and the weights of K and c, all to be differentiated by."""
    rng = torch.Generator().manual_seed(len(shape))
    of_x, of_factors = KINDS[kind]
    time = int(form == "time")
    x = 2.0 * torch.randn(*(shape or (70,)), d, generator=rng)
    A = torch.randn(r, d + time, generator=rng) / math.sqrt(d)
    B = torch.randn(k, r + time, generator=rng) / math.sqrt(r)
    weights = (torch.tensor([0.2]), torch.tensor([-0.1]))
    made = (x.to(of_x), A.to(of_factors), B.to(of_factors), *weights)
    return [each.clone().requires_grad_() for each in made]


def delta(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor, *, form: str, onto: Tensor | None = None) -> Tensor:
    scale = Learned(c, 10.0)
    return hyperbolic_delta(x, A, B, Learned(K, 0.5), form=form, norm_scale=scale, scaling=2.0, onto=onto)


def written(x: Tensor, A: Tensor, B: Tensor, K: Tensor, c: Tensor, *, form: str) -> Tensor:
    """Return the same by the formulas in the papers, in float64."""
    return textbook(x, A, B, 0.5 * K.exp(), 10.0 * c.exp(), form, 2.0)


def off(found: Tensor, expected: Tensor) -> float:
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).norm() / expected.norm())


@with_tiles
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("r", [7, 8, 33])
@pytest.mark.parametrize("shape", [(1,), (70,), (3, 5), (300,)])
def test_textbook(form: str, kind: str, r: int, shape: tuple[int, ...], calls: list[str]) -> None:
    inputs = leaves(form, kind, *shape, r=r)
    found = delta(*inputs, form=form)
    upstream = torch.randn(found.shape).to(found.dtype)
    by = torch.autograd.grad(found, inputs, upstream)
    assert calls == ["forward", "backward"]
    wide = [each.detach().double().requires_grad_() for each in inputs]
    expected = written(*wide, form=form)
    by_wide = torch.autograd.grad(expected, wide, upstream.double())
    assert found.dtype == inputs[1].dtype
    assert off(found, expected) < ERRORS[kind]
    for each, one, other in zip(inputs, by, by_wide, strict=True):
        assert one.dtype == each.dtype
        assert one.shape == each.shape
        # Sums over tokens of terms of either sign; in bfloat16 the terms have three digits.
        assert off(one, other) < (20 if each.numel() == 1 else 2) * ERRORS[kind]


@with_tiles
@pytest.mark.parametrize("form", FORMS)
def test_pieces(form: str, kind: str, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # As processors without tiles do it.
    inputs = leaves(form, kind)
    results = []
    for fits in (cpu.fits, lambda *_: False):
        monkeypatch.setattr(cpu, "fits", fits)
        found = delta(*inputs, form=form)
        results.append([found, *torch.autograd.grad(found.float().square().sum(), inputs)])
    assert calls == ["forward", "backward"]
    for one, other in zip(*results, strict=True):
        assert off(one, other) < ERRORS[kind]


@with_tiles
@pytest.mark.parametrize("form", FORMS)
def test_onto(form: str, kind: str, calls: list[str]) -> None:
    x, A, B, K, c = leaves(form, kind, 3, 20)
    own = torch.randn(3, 20, 96).to(A.dtype)
    row = own[:1, :1].expand(3, 20, 96)
    negated = torch._neg_view(own)
    for onto in (own, row, own.mT.contiguous().mT, negated):
        given = onto.detach().requires_grad_()
        found = delta(x, A, B, K, c, form=form, onto=given)
        apart = delta(x, A, B, K, c, form=form).double() + given.double()
        assert off(found, apart) < (2.0**-7 if A.dtype == torch.bfloat16 else 1e-6)
        assert (torch.autograd.grad(found.sum(), given)[0] == 1.0).all()
    assert calls.count("forward") == 7  # what is negated lazily goes the other way


@with_tiles
def test_only_what_is_wanted(kind: str, calls: list[str]) -> None:
    inputs = leaves("time", kind)
    expected = torch.autograd.grad(delta(*inputs, form="time").float().sum(), inputs)
    for place in range(len(inputs)):
        given = [each.detach().requires_grad_(at == place) for at, each in enumerate(inputs)]
        (found,) = torch.autograd.grad(delta(*given, form="time").float().sum(), [given[place]])
        assert torch.equal(found, expected[place])
    assert calls.count("backward") == 1 + len(inputs)


@with_tiles
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0.0, 1e-15, 1e-3, 1.0, 1e4])
def test_any_norm(form: str, kind: str, size: float, calls: list[str]) -> None:
    inputs = leaves(form, kind)
    x = inputs[0].detach()
    x = (x / x.double().norm(dim=-1, keepdim=True) * size).to(x.dtype).requires_grad_()
    found = hyperbolic_delta(x, *inputs[1:3], 0.1, form=form)
    by = torch.autograd.grad(found.float().sum(), (x, *inputs[1:3]))
    assert calls == ["forward", "backward"]
    assert all(each.isfinite().all() for each in (found, *by))
    wide = [each.detach().double().requires_grad_() for each in (x, *inputs[1:3])]
    expected = hyperbolic_delta(*wide, 0.1, form=form)
    if size and form != "time":
        assert off(found, expected) < 2 * ERRORS[kind]
    elif size == 0.0 and form != "time":
        assert not found.any()


@with_tiles
@pytest.mark.parametrize("form", FORMS)
def test_start_of_training(form: str, kind: str) -> None:
    x, A, B, K, c = leaves(form, kind)
    onto = torch.randn(70, 96).to(A.dtype)
    B = torch.zeros_like(B).requires_grad_()
    found = delta(x, A, B, K, c, form=form, onto=onto)
    assert torch.equal(found, onto)
    by_x, by_A, by_B = torch.autograd.grad(found.float().sum(), (x, A, B))
    assert not by_x.any()
    assert not by_A.any()
    assert by_B.isfinite().all()
    assert by_B.any()


@with_tiles
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("r", [7, 8])
def test_nan_stays_where_it_is(kind: str, form: str, r: int) -> None:
    x, A, B, K, c = leaves(form, kind, r=r)
    x.data[7, 5] = math.nan
    found = delta(x, A, B, K, c, form=form)
    by_x, by_A, by_B, by_K = torch.autograd.grad(found.float().sum(), (x, A, B, K))
    bad = torch.arange(70) == 7
    assert torch.equal(found.isnan(), bad.unsqueeze(-1).expand_as(found))
    assert torch.equal(by_x.isnan(), bad.unsqueeze(-1).expand_as(by_x))
    assert by_A.isnan().all()
    assert by_B.isnan().all()
    assert by_K.isnan().all()


@with_tiles
@pytest.mark.parametrize("form", FORMS)
def test_the_same_bytes_whoever_does_it(kind: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = leaves(form, kind, 300, r=33)
    results = []
    for threads in ((0, 1), (team()[0], 2), (team()[0], 7)):
        monkeypatch.setattr(cpu, "_team", lambda work, threads=threads: threads)
        found = delta(*inputs, form=form)
        results.append([found, *torch.autograd.grad(found.float().square().sum(), inputs)])
    for others in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], others, strict=True))


@DYNAMO
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("compiled", [False, True])
def test_tokens_wider_than_the_products(dtype: torch.dtype, compiled: bool) -> None:
    x, A, B, K, c = leaves("space", "float32")
    given = [x.detach().double().requires_grad_(), *(each.detach().to(dtype).requires_grad_() for each in (A, B))]

    def run(*factors: Tensor) -> Tensor:
        return delta(*factors, K, c, form="space")

    found = torch.compile(run, fullgraph=True, backend="aot_eager")(*given) if compiled else run(*given)
    wide = [each.detach().double().requires_grad_() for each in given]
    expected = delta(*wide, K.double(), c.double(), form="space")
    assert off(found, expected) < (0.02 if dtype == torch.bfloat16 else 1e-5)
    by = torch.autograd.grad(found.double().sum(), given)
    by_wide = torch.autograd.grad(expected.sum(), wide)
    for each, one, other in zip(given, by, by_wide, strict=True):
        assert one.dtype == each.dtype
        assert off(one, other) < (0.02 if dtype == torch.bfloat16 else 1e-5)


def test_what_does_not_fit_goes_the_other_way(calls: list[str]) -> None:
    few = _tile.COLUMNS - 1
    others = [leaves("space", "float32", d=few), leaves("space", "float32", k=few), leaves("space", "float32", 0)]
    others += [leaves("space", "bfloat16", d=65), leaves("space", "bfloat16", k=65)]
    others += [[each.to(dtype) for each in leaves("space", "float32")] for dtype in (torch.float16, torch.float64)]
    for inputs in others:
        found = delta(*inputs, form="space")
        wide = delta(*(each.detach().double() for each in inputs), form="space")
        torch.testing.assert_close(found.double(), wide, rtol=0.05, atol=0.1)
        torch.autograd.grad(found.float().sum(), inputs)
    assert calls == []


@with_tiles
def test_rows_that_are_not_side_by_side(kind: str, calls: list[str]) -> None:
    _, A, B, K, c = leaves("space", kind)
    whole = torch.randn(40, 6, 256).to(KINDS[kind][0])
    for part in (whole[..., :128].transpose(0, 1), whole[:, ::2, 128:], whole[..., ::2], whole[1:, 1, 3:131]):
        found = []
        for x in (part, part.contiguous()):
            leaf = x.detach().requires_grad_()
            delta(leaf, A, B, K, c, form="space").float().sum().backward()
            found.append(leaf.grad)
        assert torch.equal(*found)
    assert len(calls) == 16


@with_tiles
@pytest.mark.parametrize("form", FORMS)
def test_what_is_kept_comes_back_otherwise(form: str, kind: str, calls: list[str]) -> None:
    inputs = leaves(form, kind)
    expected = torch.autograd.grad(delta(*inputs, form=form).float().sum(), inputs)

    def scattered(x: Tensor) -> Tensor:
        wide = torch.full((*x.shape, 3), math.nan, dtype=x.dtype)
        wide[..., 1] = x
        return wide[..., 1]

    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, scattered):
        found = delta(*inputs, form=form)
    by = torch.autograd.grad(found.float().sum(), inputs)
    assert calls == ["forward", "backward"] * 2
    for one, other in zip(by, expected, strict=True):
        assert torch.equal(one, other)


@with_tiles
@pytest.mark.parametrize("which", ["x", "A", "B", "onto", "upstream", "kept"])
def test_tensors_without_memory(kind: str, which: str) -> None:
    tensors = dict(zip("xABKc", leaves("space", kind), strict=True))
    tensors["onto"] = torch.zeros(70, 96, dtype=tensors["A"].dtype)
    tensors["upstream"] = torch.ones(70, 96, dtype=tensors["A"].dtype)

    def run() -> None:
        found = delta(*(tensors[name] for name in "xABKc"), form="space", onto=tensors["onto"])
        if which == "kept":
            tensors["x"].untyped_storage().resize_(0)
        found.backward(tensors["upstream"])

    if which in tensors:
        tensors[which].untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match=r"no memory behind a tensor of shape|data is not allocated"):
        run()


@with_tiles
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("size", [1.0, 1e6, 1e30])
def test_slopes_by_numbers(kind: str, dtype: torch.dtype, shape: tuple[int, ...], size: float) -> None:
    x, A, B, *_ = leaves("space", kind)
    upstream = torch.full((70, 96), size / 70).to(A.dtype)
    results = []
    for given in ((x, A, B), [each.detach().double() for each in (x, A, B)]):
        weight, scale = (torch.full(shape, 2.0, dtype=dtype, requires_grad=True) for _ in range(2))
        found = hyperbolic_delta(*given, Learned(weight, 0.5), norm_scale=scale, scaling=1e3)
        results.append(torch.autograd.grad(found, (weight, scale), upstream.to(found.dtype)))
    for one, other in zip(*results, strict=True):
        assert one.dtype == dtype
        assert one.shape == shape
        if other.isfinite().all():
            assert off(one, other) < 20 * ERRORS[kind]
        else:
            assert torch.equal(one, other)


@pytest.mark.skipif(not cpu.has_tiles(torch.bfloat16), reason="no tiles for bfloat16 here")
@pytest.mark.parametrize("form", FORMS)
def test_autocast(form: str, calls: list[str]) -> None:
    inputs = leaves(form, "float32")
    expected = torch.autograd.grad(delta(*inputs, form=form).sum(), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        found = delta(*inputs, form=form)
    assert found.dtype == torch.bfloat16
    by = torch.autograd.grad(found.float().sum(), inputs)
    assert calls == ["forward", "backward"] * 2
    for each, one, other in zip(inputs, by, expected, strict=True):
        assert one.dtype == each.dtype
        assert off(one, other) < 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_counted(dtype: torch.dtype) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    x, A, B, K, c = (each.detach().to(dtype) for each in leaves("space", "float32", 10))
    with FlopCounterMode(display=False) as counter:
        delta(x.requires_grad_(), A, B, K, c, form="space").sum().backward()
    products = 2 * 10 * 8 * (128 + 96)
    assert counter.get_total_flops() >= 2 * products


@takes_operators
@with_tiles
@DYNAMO
@pytest.mark.parametrize("form", FORMS)
def test_compilers_take_it_as_it_is(form: str, kind: str, calls: list[str]) -> None:
    inputs = leaves(form, kind, 3, 20)
    onto = torch.randn(3, 20, 96).to(inputs[1].dtype)

    def added(*given: Tensor) -> Tensor:
        return delta(*given, form=form, onto=onto)

    compiled = torch.compile(added, fullgraph=True, backend="aot_eager")
    results = []
    for run in (added, compiled):
        found = run(*inputs)
        results.append([found, *torch.autograd.grad(found.float().square().sum(), inputs)])
    assert calls == ["forward", "backward"] * 2
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


@takes_operators
@with_tiles
@DYNAMO
def test_compilers_and_what_is_not_wanted(kind: str) -> None:
    inputs = leaves("time", kind)
    compiled = torch.compile(lambda *given: delta(*given, form="time"), fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(delta(*inputs, form="time").float().sum(), inputs)
    for place in range(len(inputs)):
        torch.compiler.reset()
        given = [each.detach().requires_grad_(at == place) for at, each in enumerate(inputs)]
        assert torch.equal(torch.autograd.grad(compiled(*given).float().sum(), given[place])[0], expected[place])


@with_tiles
@DYNAMO
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of what torch itself uses
@pytest.mark.parametrize("form", FORMS)
def test_inductor(form: str, kind: str, calls: list[str]) -> None:
    inputs = leaves(form, kind)
    compiled = torch.compile(lambda *given: 2.0 * delta(*given, form=form), fullgraph=True, dynamic=True)
    for tokens in (70, 30):
        given = [inputs[0].detach()[:tokens].requires_grad_(), *inputs[1:]]
        found, expected = compiled(*given), 2.0 * delta(*given, form=form)
        assert torch.equal(found, expected)
        for one, other in zip(
            torch.autograd.grad(found.float().sum(), given),
            torch.autograd.grad(expected.float().sum(), given),
            strict=True,
        ):
            assert off(one, other) < 1e-6
    assert calls


@pytest.mark.skipif(not cpu.has_tiles(torch.bfloat16), reason="no tiles for bfloat16 here")
def test_some_of_what_numba_kept_is_gone(tmp_path: Path) -> None:
    script = """
import torch
from hyplora.gate import hyperbolic_delta

x, A, B = (torch.ones(*shape).bfloat16().requires_grad_() for shape in ((8, 64), (4, 64), (64, 4)))
hyperbolic_delta(x, A, B, 0.5)
"""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        gone = [*tmp_path.rglob("_whole.*")]
        assert gone
        for path in gone:
            path.unlink()


@DYNAMO
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_exported_is_made_of_pytorchs_own_operators(strict: bool) -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: Tensor, A: Tensor, B: Tensor) -> Tensor:
            return hyperbolic_delta(x, A, B, 0.5)

    given = tuple(each.detach() for each in leaves("space", "float32")[:3])
    program = torch.export.export(Layer(), given, strict=strict)
    assert not [node for node in program.graph.nodes if "hyplora" in str(node.target)]
    torch.testing.assert_close(program.module()(*given), Layer()(*given), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not cpu.has_tiles(torch.float32), reason="no tiles for float32 here")
@DYNAMO
def test_operators_keep_what_they_promise() -> None:
    from hyplora import _operators

    x, A, B, K, c = (each.detach() for each in leaves("time", "float32"))
    options = ("time", 2.0, torch.float32, 0.5, 10.0)
    forward = (x, x, A, B, K, c, None, *options)
    torch.library.opcheck(_operators.forward, forward)
    _, u, norm, gram = _fused.forward(*forward)
    backward = (torch.randn(70, 96), x, A, B, K, c, u, norm, gram, *options, torch.float32, [True] * 5)
    torch.library.opcheck(_operators.backward, backward)
