"""A training that is killed goes on as if it had not been."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from embgeom.errors import OptionError
from hyplora.train import train
from hyplora.train.folder import WHOLE, OutputFolder
from hyplora.train.settings import to_yaml
from tests.hyplora.tiny import allow_third_party
from tests.hyplora.train.conftest import losses

pytestmark = allow_third_party

SETTINGS = {"steps": 12, "save_every": 3, "dropout": 0.1, "learning_rate": 3e-3}


def test_killed_and_resumed(small: Any, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    train(small(**SETTINGS, output=str(whole)))
    killed = tmp_path / "killed"
    options = small(**SETTINGS, output=str(killed))
    file = tmp_path / "options.yaml"
    file.write_text(to_yaml(options))
    process = subprocess.Popen(
        [sys.executable, "-m", "hyplora.train", "--config", file, "-q"],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (killed / "checkpoint-6" / WHOLE).exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    # what a kill within the next checkpoint would have left
    shutil.copytree(killed / "checkpoint-6", killed / "checkpoint-9", dirs_exist_ok=True)
    (killed / "checkpoint-9" / WHOLE).unlink(missing_ok=True)
    (killed / "checkpoint-9" / "optimizer.pt").write_bytes(b"half")
    assert not OutputFolder(killed).is_finished

    summary = train(options, resume=True)
    assert summary.resumed_from == 6
    assert losses(killed).keys() == losses(whole).keys()
    assert losses(killed) == pytest.approx(losses(whole), abs=1e-6)
    for name in ("adapter_model.safetensors", "tokenizer.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_resuming_before_the_first_checkpoint(train_small: Any, small: Any, tmp_path: Path) -> None:
    train_small(steps=2, output=str(tmp_path / "whole"))
    folder = OutputFolder(tmp_path / "run")
    folder.prepare(to_yaml(small(steps=2)), overwrite=False)
    assert train_small(steps=2, resume=True).resumed_from is None
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_resuming_after_the_last_step(train_small: Any, small: Any, tmp_path: Path) -> None:
    """Killed when all steps were done and the summary was not: no step is taken again, or beyond."""
    before = train_small(learning_rate=3e-3, output=str(tmp_path / "whole"))
    killed = tmp_path / "run"
    shutil.copytree(tmp_path / "whole", killed)
    for name in ("summary.json", "history.json", "adapter_model.safetensors"):
        (killed / name).unlink()
    OutputFolder(killed).config.write_text(to_yaml(small(learning_rate=3e-3)))
    summary = train_small(learning_rate=3e-3, resume=True)
    assert summary.resumed_from == summary.steps == before.steps == 4
    assert (summary.train_loss, summary.validation_loss) == (before.train_loss, before.validation_loss)
    assert (summary.epochs, summary.curvatures) == (before.epochs, before.curvatures)
    assert losses(killed) == losses(tmp_path / "whole")
    weights = (killed / "adapter_model.safetensors").read_bytes()
    assert weights == (tmp_path / "whole" / "adapter_model.safetensors").read_bytes()


def test_resuming_with_other_options(train_small: Any, small: Any, tmp_path: Path) -> None:
    OutputFolder(tmp_path / "run").prepare(to_yaml(small()), overwrite=False)
    with pytest.raises(OptionError, match=r"--resume goes on with what .*training\.yaml has, rank: 4, and not 8"):
        train_small(resume=True, rank=8)


def test_the_last_whole_checkpoint(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    assert folder.last_checkpoint() is None
    for step in (2, 10, 30):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert folder.last_checkpoint() is None
    folder.seal(2)
    folder.seal(10)
    assert folder.last_checkpoint() == tmp_path / "checkpoint-10"
    folder.clear()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-2"]
