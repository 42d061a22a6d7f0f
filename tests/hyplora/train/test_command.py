"""``python -m hyplora.train`` as its users run it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from embgeom import cli
from hyplora.train import TrainingSummary, TrainOptions, resolve
from hyplora.train.__main__ import main
from hyplora.train.flags import with_flags
from tests.hyplora.tiny import allow_third_party

pytestmark = allow_third_party


class Outcome:
    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def command(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["hyplora.train", *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            cli.run(with_flags(main))
        captured = capsys.readouterr()
        return Outcome(exit_.value.code, captured.out, captured.err)

    return command


def small(problems: Path, output: Path) -> list[object]:
    sizes = {"steps": 2, "batch": 4, "micro-batch": 4, "rank": 4, "validation": 4, "log-every": 1}
    words = [word for name, size in sizes.items() for word in (f"--{name}", size)]
    return ["--preset", "demo", "--data", problems, "--output", output, *words]


def test_a_training(command: Any, problems: Path, tmp_path: Path) -> None:
    done = command(
        *small(problems, tmp_path / "run"), "--method", "hyplora-time", "--targets", "q_proj", "v_proj", "-q"
    )
    assert (done.code, done.err) == (0, "")
    summary = TrainingSummary.load(tmp_path / "run" / "summary.json")
    assert (summary.method, summary.steps, summary.data) == ("hyplora-time", 2, str(problems))
    assert {name.rpartition(".")[2] for name in summary.curvatures} == {"q_proj", "v_proj"}
    assert f"{summary.validation_loss:.4f}" in done.out
    assert f"python -m hyplora.evaluate --adapter {tmp_path / 'run'}" in done.out
    written = resolve({}, config=tmp_path / "run" / "training.yaml")
    assert (written.adapter.targets, written.run.steps, written.model.model) == (("q_proj", "v_proj"), 2, "demo")
    again = command(*small(problems, tmp_path / "run"))
    assert (again.code, again.out) == (1, "")
    assert again.err.count("\n") == 1
    assert again.err.startswith(f"error: output {tmp_path / 'run'} holds a finished training; --overwrite starts anew")


def test_resuming_takes_the_options_from_the_folder(command: Any, problems: Path, tmp_path: Path) -> None:
    words = small(problems, tmp_path / "whole")
    assert command(*words, "-q").code == 0
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "training.yaml").write_bytes((tmp_path / "whole" / "training.yaml").read_bytes())
    refused = command("--output", tmp_path / "killed", "-q")
    assert refused.err == (
        f"error: output {tmp_path / 'killed'} holds an unfinished training (--resume goes on with it); "
        "--overwrite starts anew, or name another folder\n"
    )
    assert command("--resume", "--output", tmp_path / "killed", "-q").code == 0
    whole, resumed = (TrainingSummary.load(tmp_path / name / "summary.json") for name in ("whole", "killed"))
    assert (resumed.steps, resumed.train_loss) == (whole.steps, whole.train_loss)
    assert resumed.output == str(tmp_path / "killed")


def test_progress_goes_to_standard_error(command: Any, problems: Path, tmp_path: Path) -> None:
    done = command(*small(problems, tmp_path / "run"), "--save-every", 1)
    assert done.code == 0
    assert "validation loss" in done.err
    assert "K 0.5" in done.err
    assert "it/s" not in done.out


def test_the_skipped_are_counted(command: Any, problems: Path, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text(problems.read_text() + "\n{}\n" + json.dumps({"instruction": "What?", "output": ""}))
    words = [file if word is problems else word for word in small(problems, tmp_path / "run")]
    refused = command(*words, "-q")
    assert refused.code == 1
    assert "some.jsonl: record 41 (line 41): expected the fields instruction" in refused.err
    done = command(*words, "-q", "--skip-bad")
    assert done.code == 0
    assert "2 left out: they cannot be used" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rank", "0"], "rank is to be a whole number of at least 1, not '0'"),
        (["--curvature", "-1"], "curvature is to be a number above 0, or 'auto', not '-1'"),
        (["--method", "adalora"], "unknown method 'adalora'; choose one of: hyplora,"),
        (["--preset", "math"], "unknown preset 'math'; choose one of:"),
        (["--config", "/no/such.yaml"], "/no/such.yaml: cannot be read: No such file or directory"),
        (["--resume", "--output", "/no/such"], "output /no/such holds no training to resume"),
        (["--data", "/no/such.jsonl"], "no such file or folder: /no/such.jsonl"),
    ],
)
def test_one_line_for_input_at_fault(command: Any, words: list[str], message: str, tmp_path: Path) -> None:
    output = [] if "--output" in words else ["--output", tmp_path / "run"]
    done = command("-q", *words, *output)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {message}")
    assert done.err.count("\n") == 1


def test_every_option_has_a_name_of_its_own_and_a_flag(command: Any) -> None:
    kinds = get_type_hints(TrainOptions).values()
    names = [option.name for kind in kinds for option in dataclasses.fields(kind)]
    assert len(names) == len(set(names))
    assert not {"preset", "config", "resume", "overwrite", "quiet"} & set(names)
    parameters = __import__("inspect").signature(with_flags(main)).parameters
    assert set(names) < set(parameters)
    for name in ("--learning-rate", "--micro-batch", "--no-skip-bad"):
        assert command(name, "x", "--help").code == 0


def test_help_needs_no_torch() -> None:
    script = (
        "import sys, runpy\n"
        "sys.argv = ['hyplora.train', '--help']\n"
        "sys.orig_argv = ['python', '-m', 'hyplora.train', '--help']\n"
        "try:\n    runpy.run_module('hyplora.train', run_name='__main__')\n"
        "except SystemExit as exit_:\n    code = exit_.code\n"
        "heavy = {'torch', 'transformers', 'peft', 'accelerate', 'scipy', 'matplotlib', 'datasets', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)), code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert "--curvature" in done.stdout
