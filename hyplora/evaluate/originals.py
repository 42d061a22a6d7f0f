"""The original data sets on the Hub, put into the wording of LLM-Adapters, which the paper's figures are of.

LLM-Adapters (arXiv 2304.01933) wraps a question of common sense in an instruction that ends with the answers there are,
"Answer format: answer1/answer2", and leaves an arithmetic question as it is. Its own test files, in a data root, are
the ones to compare figures with: the originals are other splits here and there (SVAMP: 300 questions for 1000).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["ORIGINALS", "from_original"]

_Row = Mapping[str, Any]


def from_original(name: str, row: _Row) -> tuple[str, str]:
    """Return the instruction and the answer of a row of a data set's original; what it lacks is a ``KeyError``."""
    return ORIGINALS[name][1](row)


def _gsm8k(row: _Row) -> tuple[str, str]:
    return row["question"], row["answer"].rpartition("####")[2].strip().replace(",", "")


def _aqua(row: _Row) -> tuple[str, str]:
    options = " ".join(f"({option[0]}) {option[2:].strip()}" for option in row["options"])
    return f"{row['question']} Answer Choices: {options}", row["correct"]


def _svamp(row: _Row) -> tuple[str, str]:
    body = row["Body"].strip()
    return f"{body if body.endswith(('.', '?', '!')) else body + '.'} {row['Question'].strip()}", str(row["Answer"])


def _mawps(row: _Row) -> tuple[str, str]:
    return row["question"], str(row["result_float"])


def _boolq(row: _Row) -> tuple[str, str]:
    question = f"Please answer the following question with true or false, question: {row['question'].rstrip('?')}?"
    return f"{question}\n\nAnswer format: true/false", str(bool(row["answer"])).lower()


def _piqa(row: _Row) -> tuple[str, str]:
    question = f"Please choose the correct solution to the question: {row['goal']}"
    return _choices(question, "solution", (row["sol1"], row["sol2"]), int(row["label"]), "\n\n")


def _social_i_qa(row: _Row) -> tuple[str, str]:
    question = f"Please choose the correct answer to the question: {row['context']} {row['question']}"
    return _choices(question, "answer", [row[f"answer{letter}"] for letter in "ABC"], int(row["label"]) - 1)


def _hellaswag(row: _Row) -> tuple[str, str]:
    question = (
        "Please choose the correct ending to complete the given sentence: " + f"{row['activity_label']}: {row['ctx']}"
    )
    return _choices(question, "ending", row["endings"], int(row["label"]))


def _winogrande(row: _Row) -> tuple[str, str]:
    question = (
        f"Please choose the correct answer to fill in the blank to complete the given sentence: {row['sentence']}"
    )
    return _choices(question, "option", (row["option1"], row["option2"]), int(row["answer"]) - 1)


def _arc(row: _Row) -> tuple[str, str]:
    return _with_key(row["question"], row)


def _openbookqa(row: _Row) -> tuple[str, str]:
    return _with_key(row["question_stem"], row)


def _with_key(question: str, row: _Row) -> tuple[str, str]:
    choices = row["choices"]
    right = list(choices["label"]).index(row["answerKey"])
    return _choices(f"Please choose the correct answer to the question: {question}", "answer", choices["text"], right)


def _choices(question: str, kind: str, texts: Sequence[str], right: int, between: str = " ") -> tuple[str, str]:
    labels = [f"{kind}{number}" for number in range(1, len(texts) + 1)]
    listed = between.join(f"{label.capitalize()}: {text}" for label, text in zip(labels, texts, strict=True))
    return f"{question}\n\n{listed}\n\nAnswer format: {'/'.join(labels)}", labels[right]


_ARC = (("question", "choices", "answerKey"), _arc)

ORIGINALS: Mapping[str, tuple[tuple[str, ...], Callable[[_Row], tuple[str, str]]]] = {
    "gsm8k": (("question", "answer"), _gsm8k),
    "aqua": (("question", "options", "correct"), _aqua),
    "svamp": (("Body", "Question", "Answer"), _svamp),
    "mawps": (("question", "result_float"), _mawps),
    "boolq": (("question", "answer"), _boolq),
    "piqa": (("goal", "sol1", "sol2", "label"), _piqa),
    "social_i_qa": (("context", "question", "answerA", "answerB", "answerC", "label"), _social_i_qa),
    "hellaswag": (("activity_label", "ctx", "endings", "label"), _hellaswag),
    "winogrande": (("sentence", "option1", "option2", "answer"), _winogrande),
    "arc_easy": _ARC,
    "arc_challenge": _ARC,
    "openbookqa": (("question_stem", "choices", "answerKey"), _openbookqa),
}
"""For each task, the columns to read and what makes an instruction and an answer of a row."""
