"""A killed run goes on where it was and ends as if it had never been killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from embgeom.errors import CorpusError, InputError, OptionError
from hyplora.evaluate import Loaded, Prediction, Settings, Task, evaluate_task, load_task, run
from hyplora.evaluate.predictions import PredictionFile

SETTINGS = Settings(batch_size=4, max_new_tokens=6)
COUNT = 13


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("arithmetic", limit=COUNT)


@pytest.fixture(scope="module")
def expected(demo: Loaded, task: Task) -> list[Prediction]:
    return evaluate_task(demo, task, SETTINGS)


@pytest.fixture(scope="module")
def streamed(demo: Loaded, task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    evaluate_task(demo, task, SETTINGS, file=file(folder, demo, task))
    return folder


@pytest.fixture
def finished(streamed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(streamed, tmp_path / "finished")


def file(folder: Path, demo: Loaded, task: Task, resume: bool | None = None, **changes: object) -> PredictionFile:
    return PredictionFile(folder, task.name, {**SETTINGS.of(task, demo), **changes}, resume=resume)


def test_streamed_as_they_come(demo: Loaded, task: Task, expected: list[Prediction], tmp_path: Path) -> None:
    seen: list[int] = []
    path = tmp_path / "scores" / "arithmetic.jsonl"

    def on_done(count: int) -> None:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        seen.append(count)
        assert len(lines) == sum(seen)

    assert evaluate_task(demo, task, SETTINGS, file=file(path.parent, demo, task), on_done=on_done) == expected
    assert [count for count in seen if count] == [4, 4, 4, 1]
    written = [Prediction.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert sorted(written, key=lambda each: each.index) == expected
    assert {"index", "prompt_hash", "completion", "extracted", "expected", "correct"} <= set(written[0].to_dict())


@pytest.mark.parametrize("cut", ["nothing", "a batch", "within a batch", "half a line", "all"])
def test_goes_on_after_any_end(
    demo: Loaded, task: Task, expected: list[Prediction], finished: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = finished / "arithmetic.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    kept = {"nothing": 0, "a batch": 4, "within a batch": 6, "half a line": 8, "all": COUNT}[cut]
    path.write_bytes(b"".join(lines[:kept]) + (lines[kept][:-9] if cut == "half a line" else b""))

    asked: list[int] = []
    generate = run.generate
    monkeypatch.setattr(
        run, "generate", lambda *args, **kwargs: asked.append(len(args[1])) or generate(*args, **kwargs)
    )
    found = file(finished, demo, task, resume=True)
    assert len(found.found) == kept
    assert evaluate_task(demo, task, SETTINGS, file=found) == expected
    # The batches are those of the first run, whole ones too of which a part was done.
    assert asked == {"nothing": [4, 4, 4, 1], "a batch": [4, 4, 1], "all": []}.get(cut, [4, 4, 1][kept // 4 - 1 :])
    assert sorted(path.read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_killed_for_real(demo: Loaded, tmp_path: Path) -> None:
    folder = tmp_path / "scores"
    words = [
        sys.executable,
        "-m",
        "hyplora.evaluate",
        "--limit",
        "120",
        "--batch-size",
        "1",
        "--output",
        str(folder),
        "-q",
    ]
    path = folder / "arithmetic.jsonl"
    process = subprocess.Popen([*words, "--device", "cpu"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            if path.exists() and path.read_bytes().count(b"\n") >= 3:
                break
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = path.read_bytes()
    assert 3 <= before.count(b"\n") < 120

    small = load_task("arithmetic", limit=120)
    settings = Settings(batch_size=1)
    resumed = PredictionFile(folder, small.name, settings.of(small, demo), resume=True)
    done = dict(resumed.found)
    last = max(done) if len(done) > 118 else next(i for i in range(120) if i not in done)
    only = [*done, last]  # what was done, and one more
    found = evaluate_task(demo, small, settings, only=only, file=resumed)
    assert path.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert found == evaluate_task(demo, small, settings, only=only)


def test_batch_size_is_that_of_the_earlier_run(demo: Loaded, task: Task, finished: Path) -> None:
    assert json.loads((finished / "arithmetic.settings.json").read_text())["batch_size"] == 4
    assert file(finished, demo, task, resume=True).batch_size == 4


def test_an_earlier_run_is_neither_mixed_nor_lost(demo: Loaded, task: Task, finished: Path) -> None:
    content = (finished / "arithmetic.jsonl").read_bytes()
    with pytest.raises(OptionError, match="--resume goes on with them, --overwrite starts anew"):
        file(finished, demo, task)
    with pytest.raises(OptionError, match=r"other settings \(beams was 1, is 4; dtype was 'float32', is 'bfloat16'\)"):
        file(finished, demo, task, resume=True, beams=4, dtype="bfloat16")
    assert (finished / "arithmetic.jsonl").read_bytes() == content
    anew = file(finished, demo, task, resume=False, beams=4)
    assert anew.found == {}
    assert not (finished / "arithmetic.jsonl").exists()


def test_a_prompt_that_has_changed(demo: Loaded, task: Task, finished: Path) -> None:
    other = load_task("arithmetic", limit=COUNT, seed=1)
    with pytest.raises(CorpusError, match="question 0 had another prompt"):
        evaluate_task(demo, other, SETTINGS, file=file(finished, demo, task, resume=True))


def test_an_answer_that_has_changed(demo: Loaded, task: Task, finished: Path) -> None:
    """What was right by the old answer is not counted by the new one."""
    first, *others = task.questions
    corrected = replace(task, questions=(replace(first, expected=-1.0), *others))
    with pytest.raises(CorpusError, match=r"question 0 had the answer .* and has -1\.0: the data have changed"):
        evaluate_task(demo, corrected, SETTINGS, file=file(finished, demo, task, resume=True))


def test_files_at_fault(demo: Loaded, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "arithmetic.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"arithmetic.settings.json does not say of what; --overwrite"):
        file(tmp_path, demo, task, resume=True)
    file(tmp_path, demo, task, resume=False).begin(4)
    for line in ("{}", "nonsense", "[1]"):
        path.write_text(line + "\n", encoding="utf-8")
        with pytest.raises(InputError, match="line 1 is no prediction"):
            file(tmp_path, demo, task, resume=True)
    with pytest.raises(InputError, match="cannot write"):
        file(path / "below", demo, task)
