"""``torchrun``: two processes find what one finds, and only one of them speaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed

# The command with the CPU kernels switched off, so that the work is shared as it is on GPUs.
PROGRAM = """
import sys
from embgeom import cli
from embgeom.delta import engine
from embgeom.delta.__main__ import main
engine.backend_of = lambda device: "torch"
sys.argv = ["embgeom.delta", *sys.argv[1:]]
cli.run(main)
"""


def run(command: list[str], out: Path, *words: str) -> tuple[list[dict[str, object]], str]:
    arguments = ["--points", "40", "--trials", "2", "--method", "exact", "--json", str(out), *words]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text(encoding="utf-8")), done.stdout


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")
def test_two_ranks_find_what_one_finds(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    one, said = run([sys.executable, str(program)], tmp_path / "one.json")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    two, said_by_two = run([*torchrun, str(program)], tmp_path / "two.json", "--quiet")
    assert two == one
    assert said_by_two == said  # once
    assert os.listdir(tmp_path).count("two.json") == 1


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")
def test_a_model_that_fails_does_not_stop_rank_0(tmp_path: Path) -> None:
    """The nulls are rank 0's alone: a rank that ends before it with a status of 1 would have torchrun end it."""
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    words = ["--model", str(tmp_path / "none"), "demo", "--points", "60", "--trials", "2", "--null", "permute"]
    done = subprocess.run(
        [*command, "-m", "embgeom.delta", *words, "--null-draws", "1500", "--json", str(out), "--quiet"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no such folder" in done.stderr
    assert "more tree-like than null permute" in done.stdout
    assert json.loads(out.read_text(encoding="utf-8"))[0]["calibration"]["draws"] == 1500
