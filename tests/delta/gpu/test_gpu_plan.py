"""What needs neither Triton nor a GPU: imports, refusals, and the plan of the launches."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from embgeom.delta.gpu import available
from embgeom.delta.gpu import device as gpu_device
from embgeom.delta.gpu.device import to_single
from embgeom.delta.gpu.four_point import four_point
from embgeom.delta.gpu.search import Tiling, _launches
from embgeom.errors import OptionError, PointsError

MODULES = ["fixed_base", "four_point", "prompts", "sampling", "search", "sharded"]


def test_importing_needs_no_triton():
    imports = ", ".join(f"embgeom.delta.gpu.{name}" for name in MODULES)
    code = f"import sys; sys.modules['triton'] = None; import {imports}"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_triton_or_a_device_nothing_is_available(monkeypatch):
    monkeypatch.setattr(gpu_device, "find_spec", lambda name: None)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert not available()
    with pytest.raises(OptionError, match="install triton"):
        four_point(torch.zeros((5, 5), dtype=torch.float64))


def test_the_interpreter_counts_as_a_device(monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert available()
    monkeypatch.delenv("TRITON_INTERPRET")
    assert available() == torch.cuda.is_available()


def test_too_little_memory_is_said_before_the_start(monkeypatch):
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**10))
    gpu_device.require_memory(10**9, torch.device("cuda"))
    with pytest.raises(PointsError, match=r"needs 3\.00 GB on cuda, 1\.00 GB are free"):
        gpu_device.require_memory(3 * 10**9, torch.device("cuda"))


@pytest.mark.parametrize("chunk_steps", [1.0, 5e3, 1e5, 1e12])
@pytest.mark.parametrize("bases", [[40], [39, 38, 20, 20, 9, 8, 7, 3], [], list(range(60, 2, -1))])
def test_every_tile_of_every_job_is_launched_once(bases, chunk_steps):
    tiling, bases = Tiling(4, 8, 2), np.array(bases, dtype=np.int64)
    seen, fractions = Counter(), [0.0]
    for start, stop, first, count, fraction in _launches(bases, tiling, chunk_steps):
        seen.update((job, tile) for job in range(start, stop) for tile in range(first, first + count))
        fractions.append(fraction)
    assert set(seen.values()) <= {1}
    needed = {(job, tile) for job, count in enumerate(tiling.count(bases)) for tile in range(count)}
    assert needed <= set(seen)
    assert fractions == sorted(fractions)
    assert not needed or fractions[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("n", [4, 8, 9, 31])
def test_the_tiles_before_a_base_hold_all_its_pairs(n):
    tiling = Tiling(4, 8, 2)
    table = tiling.table(n)
    for base in range(n + 1):
        count = int(tiling.count(np.array([base]))[0])
        assert count <= len(table)
        pairs = set()
        for row, col in table[:count] * (4, 8):
            pairs |= {(i, j) for i in range(row, row + 4) for j in range(col, col + 8)}
        assert {(i, j) for j in range(base) for i in range(j)} <= pairs


def test_scaling_to_single_precision():
    cloud = torch.tensor([[[0.0, 3.0], [3.0, 0.0]], [[0.0, 1e-300], [1e-300, 0.0]], [[0.0, 5e-324], [5e-324, 0.0]]])
    distances = cloud.double()
    distances[1, 0, 1] = distances[1, 1, 0] = 1.1e-300
    distances[2, 0, 1] = distances[2, 1, 0] = 5e-324
    single, scale, error = to_single(distances, 4, 8)
    assert single.shape == (3, 4, 8)
    assert single[0, 0, 1] == 0.75
    assert 0.5 <= single[1].max() < 1
    assert torch.isfinite(scale).all()
    assert (scale[:2].log2() == scale[:2].log2().round()).all()
    assert error[0] == 0
    assert error[1] > 0
    assert not single[:, 2:].any()
    assert not single[:, :, 2:].any()
