"""``python -m embgeom.report`` as its users run it: killed and run again, by two processes, from a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch.distributed

from embgeom import cli
from embgeom.errors import InputError
from embgeom.report import read_sweep
from embgeom.report.__main__ import main
from embgeom.report.measure import measure_cell
from tests.report.made import FEW, command, files, put_ruler, run, stored, write_prompts


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four cells."""
    data = write_prompts(tmp_path_factory.mktemp("data"))
    return ["--model", "demo", "--data", *data, "--layer", "input", "hidden:1", *FEW]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Path:
    """The report of a sweep that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(*words, "--output", folder)
    assert done.stderr == ""
    assert "demo   one   hidden:1" in done.stdout
    assert {"index.html", "table.csv", "table.json", "figures/overview.svg"} <= set(files(folder))
    return folder


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, words: list[str], whole: Path) -> None:
    process = subprocess.Popen(
        command(*words, "--output", put_ruler(tmp_path)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        while not (kept := stored(tmp_path)) and process.poll() is None:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    kept = stored(tmp_path)
    assert kept, "it was to be killed after its first cell"
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "table.csv").exists(), "it was to be killed before its end"
    run(*words, "--output", tmp_path)
    cells = stored(tmp_path)
    assert {name: cells[name] for name in kept} == kept
    assert set(cells) == set(stored(whole))
    assert files(tmp_path) == files(whole)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")
@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"), id="torchrun"),
        pytest.param(
            ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"),
            id="accelerate",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_two_processes_write_what_one_writes(
    tmp_path: Path, words: list[str], whole: Path, launcher: tuple[str, ...]
) -> None:
    pytest.importorskip(launcher[1].partition(".")[0])
    done = run(*words, "--output", put_ruler(tmp_path), launcher=launcher)
    assert done.stdout.count("Report in") == 1
    assert files(tmp_path) == files(whole)
    assert set(stored(tmp_path)) == set(stored(whole))


def run_here(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    """Run the command in this process, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["embgeom.report", *map(str, words)])
    with pytest.raises(SystemExit) as exit_:
        cli.run(main)
    return exit_.value.code


def test_failures_are_listed_and_the_status_is_1(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "--data",
        words[3],
        words[4],
        "nowhere.jsonl",
        "--null",
        "none",
        "--output",
        put_ruler(tmp_path / "out"),
        "-q",
    ]
    assert run_here(monkeypatch, "--model", "demo", tmp_path, *asked) == 1
    done = capsys.readouterr()
    assert done.err.count("error: ") == 2
    assert f"{tmp_path.name} · one · input and 1 more: model '{tmp_path}' has no config.json" in done.err
    assert "demo · nowhere.jsonl · input and 1 more: no such file or folder: nowhere.jsonl" in done.err
    assert "demo   one   input" in done.out
    assert "no such file or folder: nowhere.jsonl" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_only_the_first_of_several_processes_ends_with_status_1(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Launchers end all processes when one fails, and the first may be writing its page still."""
    asked = ["--model", "nowhere/at-all", "--data", words[3], "--null", "none", "-q", "--output", tmp_path / "out"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run_here(monkeypatch, *asked) == 1
    monkeypatch.setattr(cli, "join_ranks", lambda: 1)
    assert run_here(monkeypatch, *asked) == 0


def test_a_sweep_from_a_file(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(f"data: [{words[3]}]\nnull: none\nlimit: 3\nseed: 7\n", encoding="utf-8")
    assert run_here(monkeypatch, "--sweep", path, "--limit", 2, "--output", tmp_path / "out", "-q") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("demo "))
    assert line.split()[:4] == ["demo", "one", "input", "2"]  # the command line wins over the file


def test_ctrl_c_keeps_what_is_measured(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(model: str, corpus: Any, **known: Any) -> Any:
        if corpus.name == "two":
            raise KeyboardInterrupt
        return measure_cell(model, corpus, **known)

    monkeypatch.setattr("embgeom.report.running.measure_cell", interrupted)
    asked = ["--data", words[3], words[4], "--null", "none", "--output", tmp_path, "-q"]
    assert run_here(monkeypatch, *asked) == 130
    assert capsys.readouterr().err.endswith("error: interrupted\n")
    assert len(stored(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_every_key_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "models: [a, b]\ndata: c\nlayers: [input, hidden:3]\nnull: [permute, spectrum]\nnull-draws: 39\nlimit: 5\n"
        "field: text\ndata-root: folder\nseed: 1\n",
        encoding="utf-8",
    )
    assert read_sweep(path) == {
        "models": ("a", "b"),
        "data": ("c",),
        "layers": ("input", "hidden:3"),
        "null": ("permute", "spectrum"),
        "null_draws": 39,
        "limit": 5,
        "field": "text",
        "data_root": "folder",
        "seed": 1,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model: demo\n", "unknown key 'model'; choose from: models, data"),
        ("data: [1]\n", "key 'data': expected a name or a list of names"),
        ("null-draws: many\n", "key 'null-draws': expected a whole number, got 'many'"),
        ("limit: true\n", "key 'limit': expected a whole number"),
        ("- demo\n", "expected keys and values"),
        ("", "expected keys and values"),
        ("models: [demo\n", "line 2: not YAML"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_sweep(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_sweep(tmp_path / "none.yaml")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy; sys.argv = ['embgeom.report', '--help']\n"
        "try: runpy.run_module('embgeom.report', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'scipy', 'matplotlib', 'numba', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.endswith("[]\n")
