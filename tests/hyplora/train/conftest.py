"""Small trainings of the demo model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hyplora.arithmetic import arithmetic_problems
from hyplora.train import TrainingSummary, TrainOptions, resolve, train


@pytest.fixture(scope="session")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty problems in a file."""
    file = tmp_path_factory.mktemp("data") / "problems.jsonl"
    file.write_text("\n".join(json.dumps(problem) for problem in arithmetic_problems("train", 40)))
    return file


@pytest.fixture
def small(problems: Path, tmp_path: Path) -> Any:
    """Return options of a training of four steps, but for what is named."""

    def options(**given: Any) -> TrainOptions:
        shared = {
            "data": str(problems),
            "validation": 4,
            "steps": 4,
            "batch": 4,
            "micro_batch": 2,
            "rank": 4,
            "warmup_steps": 0,
            "save_every": 2,
            "log_every": 1,
            "output": str(tmp_path / "run"),
        }
        return resolve(shared | given, preset=["demo"])

    return options


@pytest.fixture
def train_small(small: Any) -> Any:
    """Train for four steps, with other options where they are named."""

    def run(
        *, resume: bool = False, overwrite: bool = False, announce: Any = lambda line: None, **given: Any
    ) -> TrainingSummary:
        return train(small(**given), resume=resume, overwrite=overwrite, announce=announce)

    return run


def losses(folder: Path) -> dict[int, float]:
    """Return the loss of every step of a finished training."""
    history = json.loads((folder / "history.json").read_text())
    return {entry["step"]: entry["loss"] for entry in history if "loss" in entry}
