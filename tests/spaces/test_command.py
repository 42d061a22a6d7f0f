"""``python -m embgeom.spaces`` as its users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from embgeom import cli
from embgeom.spaces import SPACES, SpaceMeasure, measure_space
from embgeom.spaces.__main__ import main


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    monkeypatch.setattr(sys, "argv", ["embgeom.spaces", *map(str, words)])
    with pytest.raises(SystemExit) as exit_:
        cli.run(main)
    return exit_.value.code


def test_table_json_and_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = tmp_path / "r.json", tmp_path / "r.png"
    code = run(monkeypatch, "--points", 12, "--draws", 2, "--seed", 3, "--json", files[0], "--figure", files[1], "-q")
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    records = [SpaceMeasure.from_dict(record) for record in json.loads(files[0].read_text(encoding="utf-8"))]
    assert [record.space for record in records] == list(SPACES)
    assert records[2] == measure_space(list(SPACES)[2], points=12, draws=2, seed=3)
    assert files[1].stat().st_size > 10_000
    lines = captured.out.splitlines()
    for record in records:
        (line,) = (line for line in lines if line.startswith(record.space + " "))
        assert f"{record.relative_delta.mean:.3f} ± {record.relative_delta.sd:.3f}" in line
        assert f"{record.mean_q.mean:.3f} ± {record.mean_q.sd:.3f}" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--points", 3), "got 3 points"),
        (("--draws", 0), "draws must be"),
        (("--seed", -1), "seed must be"),
        (("--figure", "x.bmp"), "must end in one of"),
        (("--json", "nowhere/x.json"), "there is no folder"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], message: str
) -> None:
    assert run(monkeypatch, *words) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_ctrl_c_keeps_what_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(n: int, seed: int) -> object:
        raise KeyboardInterrupt

    monkeypatch.setitem(SPACES, "Barabási–Albert, m = 2", interrupted)  # type: ignore[arg-type]
    assert run(monkeypatch, "--points", 8, "--draws", 1, "--json", tmp_path / "r.json", "-q") == 130
    assert len(json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))) == 2
    assert "random tree" in capsys.readouterr().out


def test_as_a_process() -> None:
    """--help imports nothing heavy; the command runs."""
    code = (
        "import sys, runpy; sys.argv = ['embgeom.spaces', '--help']\n"
        "try: runpy.run_module('embgeom.spaces', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'scipy', 'matplotlib', 'numba', 'networkx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.endswith("[]\n")
    command = [sys.executable, "-m", "embgeom.spaces", "--points", "6", "--draws", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert "sphere, geodesic" in done.stdout
