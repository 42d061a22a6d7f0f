"""``python -m hyplora.evaluate`` as its users run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from embgeom import cli
from hyplora.answers import extract_number
from hyplora.evaluate import Evaluation, run
from hyplora.evaluate.__main__ import main
from hyplora.train import resolve
from hyplora.train.contamination import ContaminationReport
from hyplora.train.settings import to_yaml


class Outcome:
    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def command(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["hyplora.evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            cli.run(main)
        captured = capsys.readouterr()
        return Outcome(exit_.value.code, captured.out, captured.err)

    return command


def load(path: Path) -> Evaluation:
    (evaluation,) = Evaluation.load_all(path)
    return evaluation


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """In place of a model, something that answers 5 to everything; the list fills with the sizes of the batches."""
    sizes: list[int] = []

    def generate(loaded: object, prompts: Sequence[object], **_: object) -> list[str]:
        sizes.append(len(prompts))
        return [" The answer is 5."] * len(prompts)

    monkeypatch.setattr(run, "generate", generate)
    return sizes


def test_the_default(command: Any, tmp_path: Path) -> None:
    done = command("--limit", 6, "--json", tmp_path / "out.json", "--output", tmp_path / "out", "-q", "--device", "cpu")
    assert (done.code, done.err) == (0, "")
    evaluation = load(tmp_path / "out.json")
    (score,) = evaluation.tasks
    assert (evaluation.model, score.task, score.scored.questions) == ("demo", "arithmetic", 6)
    lines = [json.loads(line) for line in (tmp_path / "out" / "arithmetic.jsonl").read_text().splitlines()]
    assert sorted(line["index"] for line in lines) == list(range(6))
    assert sum(line["correct"] for line in lines) == score.scored.correct
    assert all(line["correct"] == (extract_number(line["completion"]) == line["expected"]) for line in lines)
    assert "arithmetic" in done.out
    assert f"{score.scored.accuracy:.1%}" in done.out


NAMES = {
    "gsm8k": "gsm8k",
    "aqua": "AQuA",
    "svamp": "SVAMP",
    "mawps": "mawps",
    "boolq": "boolq",
    "arc_challenge": "ARC-Challenge",
}


@pytest.mark.usefixtures("oracle")
def test_contamination(command: Any, assets: Path, tmp_path: Path) -> None:
    """Every number from the files: a model that answers 5 is right where the answer is 5."""
    data = assets / "data"
    words = ["--tasks", *NAMES.values(), "--data-root", data, "--training-data", "math_train", "-q", "--device", "cpu"]
    done = command(*words, "--json", tmp_path / "all.json")
    assert done.code == 0
    clean_only = command(*words, "--exclude-contaminated", "--json", tmp_path / "clean.json")
    assert clean_only.code == 0
    held_out = json.loads((data / "heldout_not_in_math_train.json").read_text())["indices"]
    everything, clean = load(tmp_path / "all.json"), load(tmp_path / "clean.json")
    assert [task.task for task in everything.tasks] == list(NAMES)
    right_in_all = 0
    for task, only in zip(everything.tasks, clean.tasks, strict=True):
        name = NAMES[task.task]
        answers = [record["answer"] for record in json.loads((data / name / "test.json").read_text())]
        indices = held_out[name]
        right = [answer in ("5.0", "5") for answer in answers]
        assert task.contamination is not None
        assert list(task.contamination.clean) == indices
        assert (task.scored.questions, task.scored.correct) == (len(answers), sum(right))
        assert task.clean is not None
        assert (task.clean.questions, task.clean.correct) == (len(indices), sum(right[index] for index in indices))
        assert only.scored == only.clean == task.clean
        right_in_all += sum(right)
        assert f"{task.task}: " in done.out
    assert everything.average.correct == right_in_all
    assert everything.clean_average == clean.average
    assert "1055 of 1319 test questions (80%) are in the training set" in done.out
    assert "clean accuracy" in done.out
    assert "clean accuracy" not in clean_only.out
    assert "only questions that are not in the training data" in clean_only.out


@pytest.fixture
def trained(adapter: Path, tmp_path: Path) -> Any:
    """Return an adapter with the settings of a training beside it, as hyplora.train leaves them."""

    def trained(data: object, excluded: tuple[int, ...] = ()) -> Path:
        folder = tmp_path / "trained"
        shutil.copytree(adapter, folder)
        (folder / "training.yaml").write_text(to_yaml(resolve({"data": str(data), "model": "demo"})))
        ContaminationReport(excluded=excluded).save(folder / "contamination.json")
        return folder

    return trained


@pytest.mark.usefixtures("oracle")
def test_questions_are_compared_with_what_the_adapter_learned(
    command: Any, trained: Any, assets: Path, tmp_path: Path
) -> None:
    data = assets / "data" / "math_train"
    records = json.loads((data / "train.json").read_text())
    clean = json.loads((assets / "data" / "heldout_not_in_math_train.json").read_text())["indices"]["mawps"]
    words = ["--tasks", "mawps", "arithmetic", "--data-root", assets / "data", "-q", "--json", tmp_path / "out.json"]
    folder = trained(data)
    done = command("--adapter", folder, *words, "--exclude-contaminated")
    assert (done.code, done.err) == (0, "")
    evaluation = load(tmp_path / "out.json")
    first = evaluation.tasks[0]
    assert (first.scored.questions, evaluation.training_data) == (len(clean), str(data))
    assert first.contamination is not None
    assert list(first.contamination.clean) == clean
    assert evaluation.remarks == (
        "arithmetic: not compared: numbers are masked to compare, and it is nothing but numbers",
    )
    assert evaluation.remarks[0] in done.out
    # a training that left the records out has nothing in common with the questions
    ContaminationReport(excluded=tuple(range(len(records)))).save(folder / "contamination.json")
    assert command("--adapter", folder, *words).code == 0
    found = load(tmp_path / "out.json").tasks[0].contamination
    assert found is not None
    assert (found.same, found.training_questions) == ((), 0)
    assert command("--adapter", folder, *words, "--training-data", "none").code == 0
    assert load(tmp_path / "out.json").tasks[0].contamination is None


@pytest.mark.usefixtures("oracle")
def test_training_data_that_are_not_here_are_named(command: Any, trained: Any, tmp_path: Path) -> None:
    folder = trained("/gone/mine.jsonl")
    words = ["--adapter", folder, "--limit", 2, "-q"]
    done = command(*words)
    assert done.code == 0
    assert "not compared with /gone/mine.jsonl, which the adapter was trained on: not found here" in done.out
    refused = command(*words, "--exclude-contaminated")
    assert refused.code == 1
    assert refused.err.startswith("error: --exclude-contaminated needs --training-data, to compare with; not compared")


@pytest.mark.usefixtures("oracle")
def test_the_built_in_problems_are_disjoint_by_construction(command: Any, trained: Any) -> None:
    done = command("--adapter", trained("arithmetic"), "--limit", 2, "-q")
    assert done.code == 0
    assert done.out.startswith("arithmetic: its problems have other pairs of numbers than those to train on")


def test_likelihood(command: Any, assets: Path, tmp_path: Path) -> None:
    words = ["--tasks", "arc_challenge", "--data-root", assets / "data", "--limit", 6, "--scoring", "likelihood"]
    done = command(*words, "--output", tmp_path, "-q", "--batch-size", 2, "--device", "cpu")
    assert done.code == 0
    assert "by the likeliest of the answers there are" in done.out
    for line in map(json.loads, (tmp_path / "arc_challenge.jsonl").read_text().splitlines()):
        found = line["log_likelihoods"]
        assert line["extracted"] == f"answer{found.index(max(found)) + 1}"
        assert line["correct"] == (line["extracted"] == line["expected"])
        assert all(value < 0 for value in found)
    refused = command("--scoring", "likelihood", "-q")
    assert refused.code == 1
    assert "arithmetic has no closed set of answers" in refused.err


def test_out_of_memory_is_announced(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = command("--limit", 7, "--batch-size", 3, "--json", tmp_path / "small.json", "-q")
    generate = run.generate

    def narrow(loaded: object, prompts: Sequence[object], **options: object) -> list[str]:
        if len(prompts) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(loaded, prompts, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "generate", narrow)
    done = command("--limit", 7, "--batch-size", 7, "--json", tmp_path / "halved.json", "-q")
    assert (expected.code, done.code) == (0, 0)
    assert done.err == "note: out of memory with a batch of 7 questions: going on with 3\n"
    small, halved = load(tmp_path / "small.json"), load(tmp_path / "halved.json")
    assert small.average == halved.average
    assert done.out == expected.out


def test_resume_and_overwrite(command: Any, tmp_path: Path, oracle: list[int]) -> None:
    words = ["--limit", 5, "--batch-size", 2, "--output", tmp_path / "out", "-q"]
    first = command(*words)
    assert first.code == 0
    assert oracle == [2, 2, 1]
    again = command(*words)
    assert again.code == 1
    assert again.err.startswith("error: ")
    assert "--resume goes on with them, --overwrite starts anew" in again.err
    resumed = command(*words, "--resume")
    assert (resumed.code, resumed.out) == (0, first.out)
    assert oracle == [2, 2, 1]  # nothing was asked again
    other = command(*words, "--resume", "--beams", 2)
    assert other.code == 1
    assert "beams was 1, is 2" in other.err
    anew = command(*words, "--overwrite", "--beams", 2)
    assert anew.code == 0
    assert oracle == [2, 2, 1, 2, 2, 1]


@pytest.mark.usefixtures("oracle")
def test_one_task_at_fault_does_not_lose_the_others(command: Any, tmp_path: Path) -> None:
    done = command("--tasks", "mmlu", "arithmetic", "--limit", 3, "--json", tmp_path / "out.json", "-q")
    assert done.code == 1
    assert "unknown task 'mmlu'" in done.err
    assert [task.task for task in load(tmp_path / "out.json").tasks] == ["arithmetic"]
    assert "arithmetic" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scoring", "guess"], "unknown scoring 'guess'"),
        (["--template", "vicuna"], "unknown template 'vicuna'"),
        (["--dtype", "int4"], "unknown dtype 'int4'"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--beams", "0"], "beams must be at least 1, not 0"),
        (["--batch-size", "0"], "batch_size must be at least 1"),
        (["--max-new-tokens", "-1"], "max_new_tokens must be at least 1"),
        (["--limit", "0"], "limit must be at least 1"),
        (["--beams", "4", "--scoring", "likelihood"], "beams are of scoring 'generate'"),
        (["--resume"], "--resume needs --output"),
        (["--overwrite"], "--overwrite needs --output"),
        (["--exclude-contaminated"], "needs --training-data"),
        (["--training-data", "nothing.json"], "no such file or folder"),
        (["--json", "/nowhere/out.json"], "there is no folder /nowhere"),
        (["--model", "/nowhere"], "there is no such folder"),
        (["--adapter", "/nowhere"], "there is no such folder"),
        (["--tasks", "gsm8k", "--data-root", "/nowhere"], "no such folder"),
    ],
)
def test_bad_input_is_one_line(command: Any, words: list[str], message: str) -> None:
    done = command(*words, "-q")
    assert done.code == 1
    assert message in done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    assert done.out == ""


def test_output_that_is_a_file(command: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command("--output", tmp_path / "file")
    assert (done.code, done.out) == (1, "")
    assert "it is no folder" in done.err


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys\nsys.argv = ['hyplora.evaluate', '--help']\nsys.orig_argv = ['python', '-m', 'hyplora.evaluate']\n"
        "import runpy\n"
        "try:\n    runpy.run_module('hyplora.evaluate', run_name='__main__')\n"
        "finally:\n    heavy = {'torch', 'transformers', 'peft', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=wide
    )
    assert done.returncode == 0, done.stderr
    assert "--exclude-contaminated" in done.stdout


def test_as_a_process(adapter: Path) -> None:
    """The method is registered by the command itself: nothing else imports it here."""
    words = ["--adapter", str(adapter), "--limit", "2", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "hyplora.evaluate", *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Accuracy of demo with {adapter.name}, by answers" in done.stdout
    assert "Traceback" not in done.stderr
