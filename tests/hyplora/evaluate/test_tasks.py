"""Tasks: the questions and answers are those of their files; originals are worded as LLM-Adapters words them."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from embgeom.corpus import DATASETS
from embgeom.corpus.hub import HubRecords
from embgeom.errors import CorpusError, OptionError
from hyplora.arithmetic import arithmetic_problems
from hyplora.evaluate import TASKS, load_task, tasks
from hyplora.evaluate.originals import ORIGINALS, from_original

LOCAL = ["gsm8k", "AQuA", "SVAMP", "mawps", "boolq", "ARC-Challenge"]


@pytest.mark.parametrize("name", LOCAL)
def test_the_files_of_the_paper(assets: Path, name: str) -> None:
    records = json.loads((assets / "data" / name / "test.json").read_text(encoding="utf-8"))
    task = load_task(name, data_root=assets / "data")
    assert task.name in TASKS
    assert len(task.questions) == len(records)
    for question, record in zip(task.questions, records, strict=True):
        assert question.record.question == record["instruction"].strip()
        assert question.is_right(question.extract(f"the correct answer is {record['answer']}"))
        if question.kind == "number":
            assert question.expected == float(record["answer"])
        else:
            wrong = [choice for choice in question.choices if choice != record["answer"]]
            assert len(wrong) == len(question.choices) - 1 > 0
            assert not any(question.is_right(question.extract(question.sentence(choice))) for choice in wrong)
            assert question.extract(question.sentence(record["answer"])) == record["answer"]


def test_choices_are_those_that_the_question_lists(assets: Path) -> None:
    task = load_task("arc_challenge", data_root=assets / "data")
    assert Counter(len(question.choices) for question in task.questions) == {4: 1165, 3: 4, 5: 3}


def test_the_built_in_task() -> None:
    task = load_task("arithmetic", limit=30, seed=3)
    assert len(task.questions) == 30
    assert task.questions == load_task("arithmetic", seed=3).questions[:30]
    assert task.questions != load_task("arithmetic", limit=30, seed=4).questions
    for question in task.questions:
        assert question.is_right(question.extract(question.record.output))
        assert not question.is_right(question.extract(""))
        assert question.extract("I do not know") is None


def test_the_built_in_test_is_distinct_and_was_never_trained_on() -> None:
    """Read from the texts alone, which is what a model is given."""

    def pair(text: str) -> tuple[bool, str, str]:
        a, b = re.findall(r"\d+", text)
        return bool(re.search(r"gets|another|Monday", text)), a, b

    for seed in (0, 1):
        asked = [
            pair(question.record.question) for question in load_task("arithmetic", limit=1000, seed=seed).questions
        ]
        assert len(asked) == len(set(asked)) == 122
        learned = {pair(problem["instruction"]) for problem in arithmetic_problems("train", 10_000, seed=seed)}
        held = {pair(problem["instruction"]) for problem in arithmetic_problems("validation", 120, seed=seed)}
        assert len(learned) == 648
        assert not set(asked) & (learned | held)


def test_limit_and_environment(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBGEOM_DATA", str(assets / "data"))
    task = load_task("gsm8k", limit=3)
    assert [question.index for question in task.questions] == [0, 1, 2]
    assert task.source.endswith("gsm8k/test.json")
    with pytest.raises(OptionError, match="limit must be at least 1, not 0"):
        load_task("gsm8k", limit=0)


QUESTION = "Which is it?"
ROWS: dict[str, tuple[dict[str, Any], str, str]] = {
    "gsm8k": ({"question": QUESTION, "answer": "1,000 + 5 = <<1000+5=1005>>\n#### 1,005"}, QUESTION, "1005"),
    "aqua": (
        {"question": QUESTION, "options": ["A)21", "B)21.5", "C)22", "D) 22.5", "E)23"], "correct": "E"},
        "Which is it? Answer Choices: (A) 21 (B) 21.5 (C) 22 (D) 22.5 (E) 23",
        "E",
    ),
    "svamp": (
        {"Body": "Each pack costs 76 dollars", "Question": QUESTION, "Answer": "51.0"},
        "Each pack costs 76 dollars. Which is it?",
        "51.0",
    ),
    "mawps": ({"question": QUESTION, "result_float": 0.75}, QUESTION, "0.75"),
    "boolq": (
        {"question": "does ethanol take more energy make that produces", "answer": False},
        "Please answer the following question with true or false, question: does ethanol take more energy make that "
        "produces?\n\nAnswer format: true/false",
        "false",
    ),
    "piqa": (
        {"goal": "Retain study notes in brain.", "sol1": "One week before.", "sol2": "One day before.", "label": 1},
        "Please choose the correct solution to the question: Retain study notes in brain.\n\n"
        "Solution1: One week before.\n\nSolution2: One day before.\n\nAnswer format: solution1/solution2",
        "solution2",
    ),
    "social_i_qa": (
        {"context": "Carson moved.", "question": "How?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "1"},
        "Please choose the correct answer to the question: Carson moved. How?\n\nAnswer1: a Answer2: b Answer3: c\n\n"
        "Answer format: answer1/answer2/answer3",
        "answer1",
    ),
    "hellaswag": (
        {"activity_label": "Drums", "ctx": "A man", "endings": ["a.", "b.", "c.", "d."], "label": "3"},
        "Please choose the correct ending to complete the given sentence: Drums: A man\n\nEnding1: a. Ending2: b. "
        "Ending3: c. Ending4: d.\n\nAnswer format: ending1/ending2/ending3/ending4",
        "ending4",
    ),
    "winogrande": (
        {"sentence": "The _ fit worse.", "option1": "jeans", "option2": "shirt", "answer": "2"},
        "Please choose the correct answer to fill in the blank to complete the given sentence: The _ fit worse.\n\n"
        "Option1: jeans Option2: shirt\n\nAnswer format: option1/option2",
        "option2",
    ),
    "arc_easy": (
        {"question": QUESTION, "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "3"},
        "Please choose the correct answer to the question: Which is it?\n\nAnswer1: a Answer2: b Answer3: c\n\n"
        "Answer format: answer1/answer2/answer3",
        "answer3",
    ),
    "openbookqa": (
        {"question_stem": "A fish", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"},
        "Please choose the correct answer to the question: A fish\n\nAnswer1: a Answer2: b\n\n"
        "Answer format: answer1/answer2",
        "answer1",
    ),
}
ROWS["arc_challenge"] = ROWS["arc_easy"]


@pytest.mark.parametrize("name", [name for name in TASKS if name != "arithmetic"])
def test_originals(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, instruction, answer = ROWS[name]
    assert set(ORIGINALS[name][0]) == set(row)
    assert from_original(name, row) == (instruction, answer)

    def records_from_hub(hub_id: str, config: str | None, **options: Any) -> HubRecords:
        assert (hub_id, config, options["split"]) == (
            DATASETS[name].hub_id,
            DATASETS[name].config,
            DATASETS[name].split,
        )
        return HubRecords(lambda: iter([("record 1", row)]), options["fields"], "test", "abc")

    monkeypatch.delenv("EMBGEOM_DATA", raising=False)
    monkeypatch.setattr(tasks, "records_from_hub", records_from_hub)
    task = load_task(name)
    assert task.revision == "abc"
    (question,) = task.questions
    assert question.record.instruction == instruction
    assert question.is_right(question.extract(answer))


def test_an_original_that_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = HubRecords(lambda: iter([("record 1", {"question": "a", "answer": None})]), (), "test", None)
    monkeypatch.setattr(tasks, "records_from_hub", lambda *_, **__: rows)
    monkeypatch.delenv("EMBGEOM_DATA", raising=False)
    with pytest.raises(CorpusError, match=r"openai/gsm8k:main: record 1 is not as gsm8k was known \(AttributeError"):
        load_task("gsm8k")


@pytest.mark.parametrize(
    ("name", "record", "message"),
    [
        ("gsm8k", {"instruction": "a", "answer": "none"}, "record 1: the answer 'none' is no number"),
        ("gsm8k", {"instruction": "a", "output": "5"}, "no answer to score against; its fields are: instruction, out"),
        ("gsm8k", {"prompt": "a", "completion": "5"}, "expected the fields instruction and answer"),
        ("gsm8k", "a", "expected the fields instruction and answer"),
        ("gsm8k", {"instruction": " ", "answer": "5"}, "expected the fields instruction"),
        ("aqua", {"instruction": "a", "answer": "F"}, "the answer 'F' is none of: A, B, C, D, E"),
        ("boolq", {"instruction": "a", "answer": "yes"}, "the answer 'yes' is none of: true, false"),
    ],
)
def test_records_at_fault(tmp_path: Path, name: str, record: object, message: str) -> None:
    (tmp_path / f"{name}.json").write_text(json.dumps([record]), encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        load_task(name, data_root=tmp_path)


def test_tasks_at_fault(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"unknown task 'mmlu'; choose one of: gsm8k, .*arithmetic"):
        load_task("mmlu")
    with pytest.raises(OptionError, match="unknown task 'math10k'"):  # a training set
        load_task("math10k")
    with pytest.raises(CorpusError, match="no such folder"):
        load_task("gsm8k", data_root=tmp_path / "none")
    (tmp_path / "gsm8k.json").write_text("[]")
    with pytest.raises(CorpusError, match="no questions"):
        load_task("gsm8k", data_root=tmp_path)
