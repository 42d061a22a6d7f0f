"""The two commands without options: the demo model learns arithmetic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hyplora.evaluate import Evaluation


def accuracy(file: Path, *words: object) -> float:
    command = [sys.executable, "-m", "hyplora.evaluate", "--json", file, "-q", *words]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    (evaluation,) = Evaluation.load_all(file)
    found = evaluation.average.accuracy
    assert found is not None
    return found


@pytest.mark.slow
def test_the_default(tmp_path: Path) -> None:
    output = tmp_path / "run"
    subprocess.run([sys.executable, "-m", "hyplora.train", "--output", output, "-q"], check=True, capture_output=True)
    assert accuracy(tmp_path / "before.json") < 0.05
    assert accuracy(tmp_path / "after.json", "--adapter", output) >= 0.6
