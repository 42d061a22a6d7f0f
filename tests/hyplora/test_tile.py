"""The product that ends in a sum, against float64 and against the way of processors that do not have it."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.errors import TypingError
from torch import Tensor

from hyplora.gate import hyperbolic_delta
from hyplora.kernels import _loops, _tile, cpu
from hyplora.kernels._team import team
from tests.hyplora.textbook import delta as textbook

with_tiles = pytest.mark.skipif(not _tile.available(), reason="this processor has no AVX512-BF16, or has AMX")


def some(tokens: int, rank: int, width: int, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rank (N, r), A (r, d), x (N, d) and numbers (N,)."""
    rng = torch.Generator().manual_seed(seed)
    made = [torch.randn(*shape, generator=rng) for shape in ((tokens, rank), (rank, width), (tokens, width), (tokens,))]
    return made[0].bfloat16(), made[1].bfloat16(), made[2].bfloat16(), made[3]


def tiled(rank: Tensor, A: Tensor, x: Tensor, numbers: Tensor, *, guard: int = 0) -> Tensor:
    """Return rank @ A + numbers · x, with rows around it that must stay as they are."""
    room = torch.full((len(x) + 2 * guard, x.shape[1]), 7.0).bfloat16()
    to = room[guard : guard + len(x)]
    words = (each.view(torch.uint16).numpy() for each in (to, rank, A, x))
    _loops.multiply_and_add(*words, numbers.numpy(), 0, 1)
    assert (room[:guard] == 7.0).all()
    assert (room[guard + len(x) :] == 7.0).all()
    return to


def check(rank: Tensor, A: Tensor, x: Tensor, numbers: Tensor) -> None:
    found = tiled(rank, A, x, numbers, guard=8).double()
    rank, A, x, numbers = rank.double(), A.double(), x.double(), numbers.double().unsqueeze(-1)
    # Sums in float32 of so many terms, then one rounding to the nearest of eight bits.
    sums = (len(A) + 1) * 2.0**-23 * (rank.abs() @ A.abs() + (numbers * x).abs())
    expected = rank @ A + numbers * x
    assert bool(((found - expected).abs() <= 2.0**-8 * 1.0001 * expected.abs() + 1.01 * sums).all())


# Around what tiles and blocks begin and end at.
@with_tiles
@pytest.mark.parametrize("tokens", [6, 7, 12, 13, 255, 256, 511, 517])
@pytest.mark.parametrize(("rank", "width"), [(2, 64), (4, 65), (32, 127), (32, 128), (6, 1000), (64, 1024), (2, 1601)])
def test_products_and_sums(tokens: int, rank: int, width: int) -> None:
    check(*some(tokens, rank, width))


@with_tiles
@given(
    tokens=st.integers(_tile.ROWS, 700),
    half=st.integers(1, 20),
    width=st.integers(_tile.COLUMNS, 1700),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=40)
def test_products_and_sums_of_any_shape(tokens: int, half: int, width: int, seed: int) -> None:
    check(*some(tokens, 2 * half, width, seed=seed))


@with_tiles
def test_whole_numbers_are_exact_and_rounded_to_the_nearest() -> None:
    rng = torch.Generator().manual_seed(0)
    rank, A, x = (torch.randint(-9, 10, shape, generator=rng).bfloat16() for shape in ((30, 32), (32, 300), (30, 300)))
    numbers = torch.randint(-9, 10, (30,), generator=rng).float()
    expected = (rank.double() @ A.double() + numbers.double().unsqueeze(-1) * x.double()).bfloat16()
    assert torch.equal(tiled(rank, A, x, numbers), expected)


@with_tiles
def test_what_is_not_finite_stays_where_it_is() -> None:
    rank, A, x, numbers = some(20, 4, 200)
    rank[3, 1], A[2, 150], x[9, 70], numbers[12], x[15, 199] = math.nan, math.nan, math.nan, math.nan, math.inf
    found = tiled(rank, A, x, numbers)
    bad = torch.zeros(20, 200, dtype=torch.bool)
    bad[3], bad[:, 150], bad[9, 70], bad[12] = True, True, True, True
    assert torch.equal(found.isnan(), bad)
    assert torch.equal(found.isinf().nonzero(), torch.tensor([[15, 199]]))
    # Any bits of a NaN stay one; a sum past the largest number is infinite.
    for bits in (-1, 0x7FFF, 0x7F81):
        x[0, 0] = torch.tensor([bits], dtype=torch.int16).view(torch.bfloat16)
        assert tiled(rank, A, x, numbers)[0, 0].isnan()
    x[0, 0], numbers[0] = 3e38, -1e30
    assert float(tiled(rank, A, x, numbers)[0, 0]) == -math.inf


@with_tiles
def test_what_is_taken_for_nothing() -> None:
    # As by oneDNN's products on such processors.
    rank, A, x, numbers = some(6, 2, 64)
    x[:], numbers[:] = 5e-39, 1.0
    assert torch.equal(tiled(0 * rank, A, x, numbers), torch.zeros(6, 64).bfloat16())


@with_tiles
def test_the_same_bytes_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    given = some(600, 8, 700)
    expected = tiled(*given)
    for threads in ((0, 7), (team()[0], 2), (team()[0], 30)):
        monkeypatch.setattr(cpu, "_team", lambda work, threads=threads: threads)
        assert torch.equal(cpu.by_x(*given), expected)


@with_tiles
def test_arrays_that_would_be_misread_are_refused() -> None:
    rank, A, x, numbers = (each.float().numpy() for each in some(6, 4, 64))
    with pytest.raises(TypingError, match="write_tile"):
        _loops.multiply_and_add(x, rank, A, x, numbers, 0, 1)


def test_what_has_no_tiles_takes_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(_loops, "multiply_and_add", refuse)
    rank, A, x, numbers = some(64, 4, 64)
    others = [some(5, 4, 64), some(6, 4, 63), some(6, 3, 64), some(0, 4, 64), (rank, A, x.mT, numbers)]
    others += [(rank, A, x.to(dtype), numbers) for dtype in (torch.float16, torch.float32)]
    for rank, A, x, numbers in others:
        found = cpu.by_x(rank, A, x, numbers)
        expected = rank.double() @ A.double() + numbers.double().unsqueeze(-1) * x.double()
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), expected, rtol=2**-7, atol=0.05)
    if _tile.available():
        with pytest.raises(AssertionError):
            cpu.by_x(*some(6, 4, 64))


def test_processors_that_have_tiles() -> None:
    assert _tile.suited("+avx512f,+avx512bf16,-amx-bf16")
    assert not _tile.suited("+avx512f,+avx512bf16,+amx-bf16")
    assert not _tile.suited("+avx512f,-avx512bf16")
    assert not _tile.suited("+avx512bf16,-avx512bf16")  # as a user of numba's would take it away
    assert not _tile.suited("")


def test_a_processor_without_tiles() -> None:
    script = """
import torch
from hyplora.gate import hyperbolic_delta
from hyplora.kernels import _loops, _tile

torch.manual_seed(0)
x, A, B = (torch.randn(*shape, dtype=torch.float64) for shape in ((70, 128), (4, 128), (16, 4)))
found = []
for dtype in (torch.bfloat16, torch.float64):
    own = x.bfloat16().to(dtype).requires_grad_()
    hyperbolic_delta(own, A.bfloat16().to(dtype), B.bfloat16().to(dtype), 0.5, norm_scale=11.0).sum().backward()
    found.append(own.grad.double())
assert float((found[0] - found[1]).norm() / found[1].norm()) < 0.02
print(_tile.available(), len(_loops.multiply_and_add.signatures))
"""
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["False", "0"]), done.stderr


@pytest.mark.parametrize("form", ["space", "time", "simplified"])
def test_gradient_by_x(form: str) -> None:
    # The whole way, through factors that are not contiguous in the form ``time``; x is half of what it lies in.
    torch.manual_seed(0)
    extra = int(form == "time")
    x = torch.randn(4, 70, 700).bfloat16()[2:].requires_grad_()
    A, B = (torch.randn(8, 700 + extra) / 26).bfloat16(), (torch.randn(40, 8 + extra) / 3).bfloat16()
    upstream = torch.randn(2, 70, 40).bfloat16()
    hyperbolic_delta(x, A, B, 0.5, form=form, norm_scale=20.0, scaling=2.0).backward(upstream)
    wide = x.detach().double().requires_grad_()
    K, c = torch.tensor(0.5).double(), torch.tensor(20.0).double()
    textbook(wide, A.double(), B.double(), K, c, form, 2.0).backward(upstream.double())
    assert float((x.grad.double() - wide.grad).norm() / wide.grad.norm()) < 0.01
