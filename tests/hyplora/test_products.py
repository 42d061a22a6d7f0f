"""The products made of tiles against float64, and against what processors without them do."""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hyplora.kernels import _products, _tile

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ALONE = (0, 1)
GUARD = 64  # entries around a result, which must stay as they are

with_tiles = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.skipif(not _tile.available(kind), reason=f"no tiles for {kind} here"))
        for kind in DTYPES
    ],
)


def some(*shape: int, kind: str, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DTYPES[kind])


def array(x: Tensor) -> np.ndarray:
    return x.view(torch.uint16).numpy() if x.dtype == torch.bfloat16 else x.numpy()


def narrow(x: Tensor) -> np.ndarray:
    """Return the array of a narrow factor, as the products want it."""
    return array(x if _tile.has_pairs() else x.float())


class Guarded:
    """An empty result, NaN, in memory of which nothing else may be written."""

    def __init__(self, *shape: int, dtype: torch.dtype) -> None:
        size = math.prod(shape)
        self._all = torch.full((size + 2 * GUARD,), 7.0, dtype=dtype)
        self.tensor = self._all[GUARD : GUARD + size].view(shape)
        self.tensor.fill_(math.nan)

    def checked(self) -> Tensor:
        assert (self._all[:GUARD] == 7.0).all()
        assert (self._all[len(self._all) - GUARD :] == 7.0).all()
        return self.tensor


def near(found: Tensor, one: Tensor, other: Tensor, added: Tensor | None = None) -> None:
    """Hold found against one @ other + added: sums in float32 of so many terms, then one rounding."""
    one, other = one.double(), other.double()
    expected, size = one @ other, one.abs() @ other.abs()
    if added is not None:
        expected, size = expected + added, size + added.abs()
    last = 2.0**-8 * 1.0001 if found.dtype == torch.bfloat16 else 2.0**-23
    sums = (1.01 * one.shape[1] + 2) * 2.0**-23 * size
    assert bool(((found.double() - expected).abs() <= last * expected.abs() + sums).all())


def into_rank(x: Tensor, A: Tensor, *, across: bool = False, time: int = 0, team: tuple[int, int] = ALONE) -> Tensor:
    """Return x Aᵀ, or x A, having checked the norms that come with it."""
    r = A.shape[1] if across else len(A)
    found, norms = Guarded(len(x), r, dtype=x.dtype), Guarded(len(x), dtype=torch.float32)
    _products.into_rank(array(x), array(A), time, across, norms.tensor.numpy(), array(found.tensor), *team)
    torch.testing.assert_close(norms.checked().double(), x.double().norm(dim=-1), rtol=1e-5, atol=0.0)
    return found.checked()


def out_of_rank(
    left: Tensor,
    A: Tensor,
    x: Tensor | None,
    numbers: Tensor,
    *,
    across: bool = False,
    time: int = 0,
    team: tuple[int, int] = ALONE,
) -> Tensor:
    """Return left A, or left Aᵀ, plus numbers · x."""
    width = len(A) if across else A.shape[1] - time
    found = Guarded(len(left), width, dtype=left.dtype)
    even = torch.nn.functional.pad(left, (0, left.shape[1] % 2))
    added = (None if x is None else array(x), numbers.numpy())
    _products.out_of_rank(narrow(even), array(A), time, across, *added, array(found.tensor), *team)
    return found.checked()


def by_right(left: Tensor, x: Tensor, *, time: int = 0, team: tuple[int, int] = ALONE) -> Tensor:
    found = Guarded(left.shape[1], time + x.shape[1], dtype=left.dtype)
    _products.by_right(array(left), array(x), time, array(found.tensor), *team)
    assert found.tensor[:, :time].isnan().all()  # somebody else's
    return found.checked()[:, time:]


def by_left(left: Tensor, x: Tensor, outer: Tensor, B: Tensor, *, team: tuple[int, int] = ALONE) -> Tensor:
    found = Guarded(x.shape[1], left.shape[1], dtype=left.dtype)
    _products.by_left(*(array(each) for each in (left, x, outer, B, found.tensor)), *team)
    return found.checked()


def gram(B: Tensor, *, team: tuple[int, int] = ALONE) -> Tensor:
    found = Guarded(B.shape[1], B.shape[1], dtype=torch.float32)
    _products.gram(array(B), 0.0, found.tensor.numpy(), *team)
    return found.checked()


def check(kind: str, tokens: int, rank: int, width: int, time: int, seed: int = 0) -> None:
    """Check every product at one shape."""
    x, A = some(tokens, width, kind=kind, seed=seed), some(rank, time + width, kind=kind, seed=seed + 1)
    B, left = some(width, rank, kind=kind, seed=seed + 2), some(tokens, rank, kind=kind, seed=seed + 3)
    numbers, half = some(tokens, kind="float32", seed=seed + 4), some(rank, rank, kind=kind, seed=seed + 5)
    outer = half + half.mT
    near(into_rank(x, A, time=time), x, A[:, time:].mT)
    near(into_rank(x, B, across=True), x, B)
    multiples = numbers.double().unsqueeze(-1) * x.double()
    near(out_of_rank(left, A, x, numbers, time=time), left, A[:, time:], multiples)
    near(out_of_rank(left, B, None, numbers, across=True), left, B.mT)
    near(out_of_rank(left, B, x[:1], torch.ones(tokens), across=True), left, B.mT, x[:1].double())
    near(by_right(left, x, time=time), left.mT, x)
    near(by_left(left, x, outer, B), torch.cat((x.mT, B), dim=1), torch.cat((left, outer)))
    near(gram(B), B.mT, B)


# Around what tiles, panels and blocks begin and end at.
@with_tiles
@pytest.mark.parametrize("tokens", [1, 5, 11, 12, 13, 255, 256, 257, 530])
@pytest.mark.parametrize(
    ("rank", "width", "time"),
    [(1, 64, 0), (2, 66, 1), (5, 130, 0), (16, 128, 1), (31, 1000, 0), (32, 512, 0), (33, 1026, 1), (49, 514, 0)],
)
def test_every_product(kind: str, tokens: int, rank: int, width: int, time: int) -> None:
    check(kind, tokens, rank, width, time)


@with_tiles
@given(
    tokens=st.integers(1, 600),
    rank=st.integers(1, 100),
    half=st.integers(32, 700),
    time=st.integers(0, 1),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=25)
def test_every_product_of_any_shape(kind: str, tokens: int, rank: int, half: int, time: int, seed: int) -> None:
    check(kind, tokens, rank, 2 * half, time, seed)


@pytest.mark.skipif(not _tile.available("float32"), reason="no tiles for float32 here")
@pytest.mark.parametrize("width", [65, 129, 1001])
def test_numbers_need_no_partner(width: int) -> None:
    check("float32", 40, 7, width, 1)


@pytest.mark.skipif(not _tile.available("float32"), reason="no tiles for float32 here")
def test_tokens_narrower_than_factors() -> None:
    left, A, x = some(50, 6, kind="float32"), some(6, 200, kind="float32"), some(50, 200, kind="bfloat16")
    numbers = some(50, kind="float32")
    near(by_right(left, x), left.mT, x)
    near(out_of_rank(left, A, x, numbers), left, A, numbers.double().unsqueeze(-1) * x.double())


def fenced(x: Tensor) -> Tensor:
    """Return a copy behind which memory ends: who reads on is killed."""
    page = mmap.PAGESIZE
    whole = -(-x.nbytes // page) * page
    memory = mmap.mmap(-1, whole + page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    no_access = 0
    assert ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(start + whole), page, no_access) == 0
    found = torch.frombuffer(memory, dtype=x.dtype, count=x.numel(), offset=whole - x.nbytes).view(x.shape)
    return found.copy_(x)


def check_between_fences(kind: str) -> None:
    for tokens, rank, width, time in ((1, 1, 64, 1), (13, 31, 128, 0), (37, 33, 194, 1), (257, 8, 514, 0)):
        x, A = fenced(some(tokens, width, kind=kind)), fenced(some(rank, time + width, kind=kind))
        B, numbers = fenced(some(width, rank, kind=kind)), fenced(some(tokens, kind="float32"))
        left, outer = fenced(some(tokens, rank + rank % 2, kind=kind)), fenced(some(rank, rank, kind=kind))
        left[:, rank:] = 0.0
        found, tall, small = (
            fenced(torch.empty(*shape, dtype=x.dtype)) for shape in (x.shape, A.shape, (tokens, rank))
        )
        none = np.empty(0, np.float32)
        _products.into_rank(array(x), array(A), time, False, none, array(small), *ALONE)
        _products.into_rank(array(x), array(B), 0, True, none, array(small), *ALONE)
        _products.out_of_rank(narrow(left), array(A), time, False, array(x), numbers.numpy(), array(found), *ALONE)
        _products.out_of_rank(narrow(left), array(B), 0, True, array(x[-1:]), numbers.numpy(), array(found), *ALONE)
        _products.by_right(array(left), array(x), time, array(tall), *ALONE)
        _products.by_left(array(left), array(x), array(outer), array(B), array(fenced(B)), *ALONE)
        _products.gram(array(B), 0.0, fenced(torch.empty(rank, rank)).numpy(), *ALONE)


@with_tiles
@pytest.mark.skipif(sys.platform != "linux", reason="fences are made by mprotect")
def test_nothing_past_the_end_is_read(kind: str) -> None:
    script = f"from tests.hyplora import test_products; test_products.check_between_fences({kind!r}); print('done')"
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@with_tiles
def test_whole_numbers_are_exact_and_rounded_to_the_nearest(kind: str) -> None:
    rng = torch.Generator().manual_seed(0)

    def whole(*shape: int) -> Tensor:
        return torch.randint(-9, 10, shape, generator=rng).to(DTYPES[kind])

    x, A, B, left = whole(70, 300), whole(33, 300), whole(300, 33), whole(70, 33)
    numbers, outer = whole(70).float(), torch.ones(33, 33).to(DTYPES[kind])
    wide = {name: each.double() for name, each in {"x": x, "A": A, "B": B, "left": left, "n": numbers}.items()}
    for found, expected in (
        (into_rank(x, A), wide["x"] @ wide["A"].mT),
        (out_of_rank(left, A, x, numbers), wide["left"] @ wide["A"] + wide["n"].unsqueeze(-1) * wide["x"]),
        (by_right(left, x), wide["left"].mT @ wide["x"]),
        (by_left(left, x, outer, B), wide["x"].mT @ wide["left"] + wide["B"] @ outer.double()),
        (gram(B), wide["B"].mT @ wide["B"]),
    ):
        assert torch.equal(found, expected.to(found.dtype))


@with_tiles
def test_what_is_not_finite_stays_where_it_is(kind: str) -> None:
    x, A, left = some(30, 200, kind=kind), some(7, 200, kind=kind), some(30, 7, kind=kind)
    B, outer, numbers = some(200, 7, kind=kind), torch.zeros(7, 7).to(DTYPES[kind]), torch.ones(30)
    x[29, 199] = math.nan
    rows, columns = torch.zeros(30, dtype=torch.bool), torch.zeros(200, dtype=torch.bool)
    rows[29] = columns[199] = True
    found = torch.empty(30, 7, dtype=x.dtype)
    _products.into_rank(array(x), array(A), 0, False, np.empty(0, np.float32), array(found), *ALONE)
    assert torch.equal(found.isnan(), rows.unsqueeze(-1).expand(30, 7))
    assert torch.equal(out_of_rank(left, A, x, numbers).isnan(), rows.unsqueeze(-1) & columns)
    assert torch.equal(by_right(left, x).isnan(), columns.expand(7, 200))
    assert torch.equal(by_left(left, x, outer, B).isnan(), columns.unsqueeze(-1).expand(200, 7))
    x[29, 199], numbers[3] = math.inf, math.nan
    found = out_of_rank(left, A, x, numbers)
    assert torch.equal(found.isnan().nonzero()[:, 0].unique(), torch.tensor([3]))
    assert torch.equal(found.isinf().nonzero(), torch.tensor([[29, 199]]))
    x[0, 0], numbers[0] = 3e38, -1e30
    assert float(out_of_rank(left, A, x, numbers)[0, 0]) == -math.inf
    # Past the end of rows and columns lies nothing that could get in.
    B[199, 6] = math.nan
    bad = gram(B).isnan()
    assert torch.equal(bad, (torch.arange(7) == 6).unsqueeze(-1) | (torch.arange(7) == 6))


@pytest.mark.skipif(not _tile.available("bfloat16"), reason="no tiles for bfloat16 here")
def test_what_is_taken_for_nothing() -> None:
    # As by oneDNN's products on such processors.
    x, zero = torch.full((12, 64), 5e-39).bfloat16(), torch.zeros(2, 64).bfloat16()
    found = out_of_rank(torch.zeros(12, 2).bfloat16(), zero, x, torch.ones(12))
    assert torch.equal(found, zero[:1].expand(12, 64) if _tile.has_pairs() else x)


@with_tiles
def test_rounding_to_bfloat16(kind: str) -> None:
    # Halfway between two, to either side of it, at the end of the range, and what is no number.
    bits = torch.tensor([0x3F808000, 0x3F818000, 0x3F808001, 0x3F817FFF, 0x7F7F8000, 0x7F7F7FFF, 0x7F800001, -1])
    numbers = bits.to(torch.int32).view(torch.float32)
    zeros, one = (torch.zeros(8, 2).to(DTYPES[kind]), torch.ones(8, 64).to(DTYPES[kind]))
    found = out_of_rank(zeros, zeros.new_zeros(2, 64), one, numbers)
    expected = numbers.to(found.dtype).unsqueeze(-1).expand(8, 64)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=0.0, equal_nan=True)


# Of processors that have less, what this one does not use otherwise.
LESS = {
    "no pairs": ("skylake-avx512", r"\+(?=avx512bf16)", "bfloat16"),
    "AVX2": ("haswell", r"\+(?=avx512|avx10|avxvnni|vaes|vpclmulqdq|gfni)", "float32 or bfloat16"),
}


def on_a_processor_with_less(which: str, *command: str) -> None:
    """Run Python's ``command`` with numba told to compile for one."""
    name, gone, _ = LESS[which]
    features = re.sub(gone, "-", llvmlite.binding.get_host_cpu_features().flatten())
    environment = {**os.environ, "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


with_less = pytest.mark.parametrize("which", LESS)
can_do_with_less = pytest.mark.skipif(not _tile.has_pairs(), reason="this processor has less itself")


@can_do_with_less
@with_less
def test_processors_with_less(which: str) -> None:
    script = """
from hyplora.kernels import _tile
from tests.hyplora.test_products import check, check_between_fences

assert _tile.available("bfloat16") and not _tile.has_pairs()
for tokens, rank, width, time in ((1, 1, 64, 0), (13, 33, 194, 1), (257, 32, 514, 0), (530, 17, 1026, 1)):
    check("bfloat16", tokens, rank, width, time)
check_between_fences("bfloat16")
"""
    on_a_processor_with_less(which, "-c", script)


@can_do_with_less
@with_less
@pytest.mark.slow
def test_all_of_it_on_processors_with_less(which: str) -> None:
    tests = [f"tests/hyplora/test_{name}.py" for name in ("products", "whole", "kernels")]
    on_a_processor_with_less(which, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", LESS[which][2], *tests)


def test_processors_that_have_tiles() -> None:
    assert _tile.suited("bfloat16", "+avx512f,+avx512bf16,-amx-bf16")
    assert not _tile.suited("bfloat16", "+avx512f,+avx512bf16,+amx-bf16")
    assert _tile.suited("bfloat16", "+avx512f,-avx512bf16")
    assert not _tile.suited("bfloat16", "+avx512f,-avx512f")  # as a user of numba's would take it away
    assert _tile.suited("float32", "+avx512f,+amx-bf16")
    assert _tile.suited("float32", "+avx2,+fma,-avx512f")
    assert _tile.suited("bfloat16", "+avx2,+fma")
    assert not _tile.suited("float32", "+avx2")
    assert not _tile.suited("float32", "+avx,+fma")
    assert not any(_tile.suited(kind, "") for kind in DTYPES)


def test_a_processor_without_tiles() -> None:
    script = """
import torch
from hyplora.gate import hyperbolic_delta
from hyplora.kernels import _tile, _whole

torch.manual_seed(0)
x, A, B = (torch.randn(*shape, dtype=torch.float64) for shape in ((70, 128), (4, 128), (96, 4)))
for dtype, tolerance in ((torch.bfloat16, 0.02), (torch.float32, 1e-5)):
    found = []
    for own in (dtype, torch.float64):
        given = [each.to(dtype).to(own).requires_grad_() for each in (x, A, B)]
        hyperbolic_delta(*given, 0.5, norm_scale=11.0).sum().backward()
        found.append([each.grad.double() for each in given])
    for one, other in zip(*found):
        assert float((one - other).norm() / other.norm()) < tolerance
print(_tile.available("bfloat16"), _tile.available("float32"), len(_whole.forward.signatures))
"""
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["False", "False", "0"]), done.stderr
