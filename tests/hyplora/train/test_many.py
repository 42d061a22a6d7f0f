"""Several processes, without code of ours: DDP has the losses of one process with the same batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hyplora.train import TrainingSummary, train
from hyplora.train.settings import to_yaml
from tests.hyplora.tiny import allow_third_party
from tests.hyplora.train.conftest import losses

pytestmark = [*allow_third_party, pytest.mark.slow]


def launch(*words: object, launcher: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *launcher, "-m", "hyplora.train", *map(str, words), "-q"],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def torchrun() -> list[str]:
    return ["torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]


@pytest.mark.parametrize("method", ["hyplora", "lora"])
def test_two_processes(small: Any, tmp_path: Path, method: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    common = {"method": method, "batch": 8, "steps": 4, "learning_rate": 3e-3}
    train(small(**common, micro_batch=4, output=str(one)))  # two micro-batches one after the other
    file = tmp_path / "options.yaml"
    file.write_text(to_yaml(small(**common, micro_batch=4, output=str(two))))  # one on each process
    out = launch("--config", file, launcher=torchrun())
    assert out.count("The adapter is in") == 1
    assert TrainingSummary.load(two / "summary.json").processes == 2
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)


def test_two_processes_resume(small: Any, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for output in (whole, halves):
        file = tmp_path / f"{output.name}.yaml"
        file.write_text(to_yaml(small(batch=8, micro_batch=4, dropout=0.1, output=str(output))))
        launch("--config", file, launcher=torchrun())
    expected = losses(halves)
    assert expected == losses(whole)
    # as if it had been killed after the first checkpoint
    for name in ("summary.json", "history.json", "checkpoint-4/whole"):
        (halves / name).unlink()
    launch("--resume", "--output", halves, launcher=torchrun())
    assert TrainingSummary.load(halves / "summary.json").resumed_from == 2
    assert losses(halves) == pytest.approx(expected, abs=1e-6)
