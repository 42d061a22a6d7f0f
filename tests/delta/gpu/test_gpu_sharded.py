"""Two processes find what one finds, and both know it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gpu_oracle import brute_force, clouds

from embgeom.delta.gpu import sharded
from embgeom.delta.gpu.search import Tiling

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, device):
    """What each of two gloo processes got."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
    processes = [
        subprocess.Popen(
            [sys.executable, str(HERE / "gpu_ranks.py"), str(folder / "store"), str(folder / f"{rank}.json")],
            env={**environment, "RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    # Both must be heard before either is judged: a rank that waits for a dead one must not outlive the test.
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_both_ranks_get_the_result_of_one(ranks, device):
    assert ranks[0] == ranks[1]
    distances = clouds(12, seed=2)["normal"]
    one = sharded.four_point(torch.from_numpy(distances).to(device), tiling=Tiling(4, 8, 2))
    assert ranks[0]["two_delta"] == one.two_delta == brute_force(distances)
    assert tuple(ranks[0]["witness"]) == one.witness
    assert ranks[0]["certificate"] == one.certificate
    assert ranks[0]["work"]["quadruples"] == one.work["quadruples"] == 495


def test_both_ranks_get_the_sample_of_one(ranks, device):
    one = sharded.sample(torch.from_numpy(clouds(12, seed=2)["normal"]).to(device), 5_001, seed=4)
    assert ranks[0]["count"] == one.count
    assert ranks[0]["total"] == pytest.approx(one.total, rel=1e-13)
    assert ranks[0]["histogram"] == one.histogram.tolist()
    assert ranks[0]["largest"] == [one.largest.two_delta, *one.largest.witness]
