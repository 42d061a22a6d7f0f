"""Progress, interruption, errors in threads, and the state of the cache of compiled kernels."""

from __future__ import annotations

import _thread
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from cpu_spaces import gaussian, tree

import embgeom
from embgeom.delta.cpu import brute_force, climb, fixed_base, fixed_base_batch, pruned_scan
from embgeom.delta.cpu.parallel import run_chunks

CALLS = {
    "brute": lambda d, p: brute_force(d, on_progress=p),
    "fixed": lambda d, p: fixed_base(d, 0, on_progress=p),
    "climb": lambda d, p: climb(d, 20_000, 0, on_progress=p),
    "pruned": lambda d, p: pruned_scan(d, on_progress=p),
}


@pytest.mark.parametrize("call", CALLS)
def test_progress_rises_to_one(call) -> None:
    seen: list[float] = []
    CALLS[call](gaussian(np.random.default_rng(0), 300), seen.append)
    assert seen == sorted(seen)
    assert seen[0] >= 0
    assert seen[-1] == 1


@pytest.mark.parametrize("call", CALLS)
def test_interrupt_stops_every_thread(call) -> None:
    before = _thread._count()

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CALLS[call](gaussian(np.random.default_rng(0), 300), interrupt)
    for _ in range(100):  # a thread that has nothing left to do may still be on its way out
        if _thread._count() <= before:
            return
        time.sleep(0.01)
    pytest.fail(f"{_thread._count() - before} threads are still there")


def test_no_thread_is_at_work_once_an_error_is_raised() -> None:
    working: set[int] = set()

    def task(index: int) -> None:
        working.add(index)
        time.sleep(0.01)
        working.discard(index)
        if index == 5:
            raise ZeroDivisionError

    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            run_chunks(task, 100, threads=4)
        assert not working


def test_nobody_waits_for_a_thread_that_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr("embgeom.delta.cpu.parallel._thread.start_new_thread", lambda *late: started.append(late))
        assert run_chunks(lambda index: index, 20, threads=3) == list(range(20))
    assert len(started) == 2
    for work, arguments in started:  # type: ignore[misc]
        work(*arguments)


def test_interrupt_of_prompts() -> None:
    rows = np.arange(4000) % 50

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fixed_base_batch(np.eye(50), rows, np.arange(0, 4001, 40), on_progress=interrupt)


@pytest.mark.parametrize("call", ["brute", "pruned"])
def test_long_work_comes_up_for_air_within_a_second(call) -> None:
    """A near-tree of 900 points keeps the cores busy for seconds; the first report comes soon, and ends it."""
    distances = tree(np.random.default_rng(0), 900, noise=1e-3)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    CALLS[call](distances[:40, :40].copy(), None)  # compiled
    begun = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        CALLS[call](distances, interrupt)
    assert time.perf_counter() - begun < 3  # one second, and room for busy cores


def test_chunks_keep_their_order_and_use_several_threads() -> None:
    names: set[int] = set()

    def task(index: int) -> int:
        names.add(threading.get_ident())
        time.sleep(0.005)
        return index**2

    assert run_chunks(task, 40, threads=3) == [index**2 for index in range(40)]
    assert len(names) == 3
    assert run_chunks(task, 0) == []


def test_an_error_in_any_thread_is_raised_here() -> None:
    def task(index: int) -> None:
        time.sleep(0.002)
        if index == 7:
            raise ZeroDivisionError("seven")

    for threads in (1, 2, 4):
        with pytest.raises(ZeroDivisionError, match="seven"):
            run_chunks(task, 1000, threads=threads)


def test_two_callers_at_once() -> None:
    """numba's own thread pools may abort the process here; plain threads do not."""
    distances = gaussian(np.random.default_rng(1), 150)
    expected = brute_force(distances)
    found: list[object] = []
    callers = [threading.Thread(target=lambda: found.append(brute_force(distances))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [expected] * 4


def test_cache_is_told_before_and_after_and_minds_every_file(tmp_path) -> None:
    """Fresh processes, empty cache: cold, then warm; cold again once a file is touched that others compile in."""
    package = Path(embgeom.__file__).parent
    copy = shutil.copytree(package, tmp_path / "embgeom", ignore=shutil.ignore_patterns("__pycache__", "demo"))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def told(program: str) -> list[str]:
        script = f"import numpy as np; from embgeom.delta.cpu import fixed_base, is_compiled; {program}"
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True, cwd=tmp_path
        )
        return run.stdout.split()

    state = "print(is_compiled('fixed_base'), is_compiled())"
    assert told(f"{state}; fixed_base(1 - np.eye(5), 0); {state}") == ["False", "False", "True", "False"]
    assert told(state) == ["True", "False"]
    (copy / "delta" / "cpu" / "simd.py").touch()
    assert told(state) == ["False", "False"]
