"""What a training says of test questions in its data, and leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embgeom.errors import InputError, OptionError
from hyplora.train import DataOptions, TrainingSummary, resolve
from hyplora.train.contamination import ContaminationReport, check_contamination
from tests.hyplora.tiny import allow_third_party

pytestmark = allow_third_party

NAMES = {"gsm8k": "gsm8k", "aqua": "AQuA", "svamp": "SVAMP", "mawps": "mawps", "boolq": "boolq"}
NAMES["arc_challenge"] = "ARC-Challenge"


def held_out(assets: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = json.loads((assets / "data" / "heldout_not_in_math_train.json").read_text())[
        "indices"
    ]
    return found


@pytest.mark.parametrize("given", [{"data": "math_train", "data_root": "data"}, {"data": "data/math_train"}])
def test_math_train(assets: Path, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By name below a data root, and by path: the test sets are those beside it, and the others are named."""
    monkeypatch.chdir(assets)
    report = check_contamination(DataOptions(**given))
    clean = held_out(assets)
    assert {each.name: list(each.contamination.clean) for each in report.compared} == {
        task: clean[name] for task, name in NAMES.items()
    }
    counts = {each.name: len(each.contamination.same) for each in report.compared}
    assert counts == {"gsm8k": 1055, "aqua": 203, "svamp": 800, "mawps": 140, "boolq": 0, "arc_challenge": 0}
    lines = report.lines()
    assert lines[0].startswith("gsm8k: 1055 of 1319 test questions (80%) are in the training set")
    assert lines[-1].startswith("not compared with piqa, social_i_qa, hellaswag, winogrande, arc_easy, openbookqa: ")
    assert any(line.startswith("svamp: test 0: Matthew gave equal") for line in report.quotations())
    assert report.excluded == ()
    assert ContaminationReport.from_json(report.to_json()) == report


def test_records_in_a_test_set_are_left_out(assets: Path, tmp_path: Path, train_small: Any) -> None:
    """Of math_train's first records exactly those stay that are no question of gsm8k's."""
    data = assets / "data"
    leaked = json.loads((data / "math_train" / "train.json").read_text())[:10]
    asked = {record["instruction"] for record in json.loads((data / "gsm8k" / "test.json").read_text())}
    stays = [record for record in leaked if record["instruction"] not in asked]
    assert 0 < len(stays) < 10
    file = tmp_path / "mixed.jsonl"
    file.write_text("\n".join(map(json.dumps, leaked)))
    said: list[str] = []
    given = {"data": str(file), "data_root": str(data), "check_against": ["gsm8k"], "validation": 0}
    given |= {"steps": 1, "cutoff": 512}
    summary = train_small(**given, announce=said.append)
    assert summary.records == 10
    assert said[0].startswith(f"gsm8k: {10 - len(stays)} of 1319 test questions")
    folder = tmp_path / "run"
    assert ContaminationReport.load(folder / "contamination.json").lines() == summary.contamination == tuple(said[:1])
    summary = train_small(**given, exclude_contaminated=True, overwrite=True)
    assert summary.records == len(stays)
    assert f"{10 - len(stays)} training records left out" in summary.contamination[1]
    report = ContaminationReport.load(folder / "contamination.json")
    assert [leaked[place] for place in range(10) if place not in report.excluded] == stays
    written = resolve({}, config=folder / "training.yaml").data
    assert (written.check_against, written.exclude_contaminated) == (("gsm8k",), True)
    assert TrainingSummary.load(folder / "summary.json").contamination == summary.contamination
    file.write_text("\n".join(json.dumps(record) for record in leaked if record not in stays))
    with pytest.raises(InputError, match="no records to learn from: all of them are in a test set"):
        train_small(**given, exclude_contaminated=True, overwrite=True)


def test_a_test_set_of_one_s_own(problems: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in problems.read_text().splitlines()]
    mine = tmp_path / "mine.jsonl"
    mine.write_text(json.dumps({"question": records[7]["instruction"].upper()}) + '\n{"question": "Why?"}')
    report = check_contamination(DataOptions(data=str(problems), check_against=(str(mine),)))
    (found,) = report.compared
    assert (found.name, found.source, found.contamination.same) == ("mine", str(mine), (0,))
    assert 7 in found.contamination.training_same
    chat = tmp_path / "chat.jsonl"
    turns = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "So."}]
    chat.write_text(json.dumps({"messages": turns}))
    report = check_contamination(DataOptions(data=str(chat), check_against=(str(mine),)))
    assert report.compared[0].contamination.same == (1,)


@pytest.mark.parametrize("layout", ["input", "messages", "prompt"])
def test_a_test_set_is_read_as_the_training_data_are(tmp_path: Path, layout: str) -> None:
    """A question is the instruction with its input, the turns of the user, or the prompt, on both sides."""
    animals = ["cat", "dog", "cow", "owl"]

    def record(animal: str) -> dict[str, object]:
        said = f"Where does the {animal} live?"
        if layout == "input":
            return {"instruction": "Answer the question.", "input": said, "output": "Here."}
        if layout == "prompt":
            return {"prompt": said, "completion": "Here."}
        return {"messages": [{"role": "user", "content": said}, {"role": "assistant", "content": "Here."}]}

    files = []
    for name, some in (("train", animals[:3]), ("asked", animals[1:])):
        files.append(tmp_path / f"{name}.jsonl")
        files[-1].write_text("\n".join(json.dumps(record(animal)) for animal in some))
    report = check_contamination(DataOptions(data=str(files[0]), check_against=(str(files[1]),)))
    found = report.compared[0].contamination
    assert (report.compared[0].name, found.questions) == ("asked", 3)
    assert (found.same, found.training_same) == ((0, 1), (1, 2))


def test_what_was_not_compared_is_said(problems: Path, tmp_path: Path) -> None:
    def lines(**given: Any) -> tuple[str, ...]:
        return check_contamination(DataOptions(**({"data": str(problems)} | given))).lines()

    (line,) = lines()
    assert line.startswith("compared with no test set: there is no --data-root")
    (line,) = lines(check_against="none")
    assert line.startswith("compared with no test set, as --check-against none says")
    (line,) = lines(data="arithmetic")
    assert line == "arithmetic: its test problems have other pairs of numbers, by construction"
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.json").write_text('[{"question": "Why?"}]')
    fault, absent = lines(data_root=str(tmp_path))
    assert fault.startswith("not compared with gsm8k: ")
    assert "has no answer to score against" in fault
    assert absent.startswith("not compared with aqua, svamp, mawps")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"check_against": ("none",), "exclude_contaminated": True}, "no test set to compare the training data with"),
        ({"exclude_contaminated": True}, "no test set to compare the training data with"),
        ({"check_against": ("auto", "gsm8k")}, "auto says it all"),
        ({"check_against": ("arithmetic",)}, "numbers are masked to compare"),
        ({"check_against": ("gsm9k",)}, "no file, folder or data set 'gsm9k'; did you mean 'gsm8k'"),
        ({"check_against": ("/no/such.jsonl",)}, "no such file or folder"),
    ],
)
def test_at_fault(problems: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_contamination(DataOptions(data=str(problems), **given))


def test_naming_nothing() -> None:
    with pytest.raises(OptionError, match="check_against is to name test sets"):
        DataOptions(check_against=())


def test_a_resumed_training_leaves_out_what_it_left_out_before(
    problems: Path, tmp_path: Path, train_small: Any
) -> None:
    """Even if the test set has gone in the meantime."""
    mine = tmp_path / "mine.jsonl"
    mine.write_text(problems.read_text().splitlines()[3])
    given = {"check_against": [str(mine)], "exclude_contaminated": True, "steps": 2}
    before = train_small(**given)
    (tmp_path / "run" / "summary.json").unlink()
    mine.unlink()
    after = train_small(**given, resume=True)
    assert (after.records, after.contamination) == (before.records, before.contamination)
    assert before.records < 36
