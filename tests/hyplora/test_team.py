"""Loops that are shared out among PyTorch's threads."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
import torch
from numba import njit

from hyplora.kernels import _loops, cpu
from hyplora.kernels._team import share, team
from tests.hyplora.kernel_cases import FORMS, NARROW, case


@njit(nogil=True)
def _count(part: int, times: np.ndarray, by: int) -> None:
    times[part] += by


@njit(nogil=True)
def _fail(part: int, wrong: int) -> None:
    if part == wrong:
        raise ValueError


@njit
def count(times, by, parts, entry, threads):  # type: ignore[no-untyped-def]
    share(_count, (times, by), parts, entry, threads)


@njit
def fail(wrong, parts, entry, threads):  # type: ignore[no-untyped-def]
    share(_fail, (wrong,), parts, entry, threads)


@pytest.fixture(params=["alone", 1, 2, 5])
def some(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Return what :func:`team` might, here with more threads than there are cores, too."""
    return (0, 8) if request.param == "alone" else (team()[0], request.param)


@pytest.mark.parametrize("parts", [0, 1, 2, 1000])
def test_every_part_is_done_once(some: tuple[int, int], parts: int) -> None:
    times = np.zeros(1000, np.int64)
    for _ in range(20):
        count(times, 3, parts, *some)
    assert (times[:parts] == 60).all()
    assert not times[parts:].any()


def test_what_fails_is_said_afterwards(some: tuple[int, int]) -> None:
    fail(50, 50, *some)
    with pytest.raises(MemoryError, match="loop"):
        fail(49, 50, *some)


def test_several_threads_of_python_at_once() -> None:
    times = [np.zeros(100, np.int64) for _ in range(4)]
    count(times[0], 0, 100, *team())

    def work(own: np.ndarray) -> None:
        for _ in range(200):
            count(own, 1, 100, *team())

    threads = [threading.Thread(target=work, args=(own,)) for own in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((own == 200).all() for own in times)


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings GNU's OpenMP on Linux")
def test_pytorchs_threads_are_found() -> None:
    assert team() == (team()[0], torch.get_num_threads())
    assert team()[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
def test_results_are_the_same_whoever_does_it(form: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    options, inputs, upstream = case(form, dtype, torch.logspace(-3, 0.5, 300), r=8)
    B, x = torch.randn(5000, 8).to(dtype), torch.randn(300, 2000).bfloat16()

    def found() -> list[torch.Tensor]:
        slopes = cpu.slopes(options, inputs, upstream)
        to = x.flip(0)
        cpu.add_multiples(to, x, inputs.norm)
        several = [cpu.weigh(options, inputs), cpu.norms(x), to, cpu.gram_of(B, inputs.gram.dtype, dtype)]
        several.append(cpu.by_x(inputs.u.bfloat16(), B[:2000].mT.bfloat16(), x, inputs.norm))
        return [*several, *(each for each in slopes if each is not None)]

    results = []
    for threads in ((0, 1), (team()[0], 2), (team()[0], 7)):
        monkeypatch.setattr(cpu, "_team", lambda work, threads=threads: threads)
        results.append(found())
    for others in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], others, strict=True))


def test_sums_of_the_parts_are_those_of_the_tokens() -> None:
    # More parts than one, the last not full.
    torch.manual_seed(0)
    B = torch.randn(2 * 4 * _loops._ROWS + 33, 5, dtype=torch.float32)
    expected = (B.double().mT @ B.double()).numpy()
    np.testing.assert_allclose(cpu.gram_of(B, torch.float64, torch.float32).numpy(), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("r", [1, 8, 64, 512, 4096])
def test_sums_take_a_bounded_place(r: int) -> None:
    parts = _loops._parts(10**6, 1, r)
    assert 1 <= parts <= 64
    assert parts == 1 or parts * r * r <= 2**18
