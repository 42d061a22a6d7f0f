"""What the command lines share: names in tables, standard output that cannot be written, help that can be read."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embgeom import cli


def test_folders_are_called_by_a_name_that_says_something(tmp_path: Path) -> None:
    parts = {
        "mistral-7b": "mistral-7b",
        "tuned/model": "tuned/model",
        "runs/lora/checkpoint-500": "lora/checkpoint-500",
        f"models--org--name/snapshots/{'0a' * 20}": "org/name",
    }
    folders = {tmp_path / part: name for part, name in parts.items()}
    for folder in folders:
        folder.mkdir(parents=True)
    expected = {str(folder): name for folder, name in folders.items()}
    assert cli.short_names(list(expected)) == expected
    assert cli.short_names(["org/model", "demo"]) == {"org/model": "org/model", "demo": "demo"}


def test_folders_of_the_same_name_keep_their_paths(tmp_path: Path) -> None:
    folders = [str(tmp_path / part) for part in ("a/tuned/model", "b/tuned/model")]
    for folder in folders:
        Path(folder).mkdir(parents=True)
    assert cli.short_names(folders) == {folder: folder for folder in folders}


def test_a_folder_within_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tuned" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "tuned" / "model")
    assert cli.short_names(["."]) == {".": "tuned/model"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is always full")
@pytest.mark.parametrize("words", [[], ["--help"]], ids=["table", "help"])
def test_a_full_disk_is_one_line(words: list[str]) -> None:
    command = [sys.executable, "-m", "embgeom.frequency", "--limit", "30", "-q", *words]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: cannot write to standard output: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "embgeom.frequency", "--limit", "30", "-q"]
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_errors_of_the_system_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "a file of ours")

    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(OSError, match="a file of ours"):
        cli.run(fails)


@pytest.mark.parametrize("module", ["frequency", "norms"])
def test_no_option_is_cut_off_in_a_narrow_help(module: str) -> None:
    command = [sys.executable, "-m", f"embgeom.{module}", "--help"]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert "--no-special-tokens" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("│ -") and "…" in line.split("<")[0]]
