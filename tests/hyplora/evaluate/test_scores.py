"""Accuracies and their intervals."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyplora.contamination import find_contamination
from hyplora.evaluate import Evaluation, Prediction, accuracy, score_task


def predictions(correct: int, wrong: int = 0, missed: int = 0, start: int = 0) -> list[Prediction]:
    kinds = [(5.0, True)] * correct + [(6.0, False)] * wrong + [(None, False)] * missed
    return [
        Prediction(index, "abc", str(answer), answer, 5.0, right)
        for index, (answer, right) in enumerate(kinds, start=start)
    ]


def wilson(correct: int, n: int) -> tuple[float, float]:
    """Wilson (1927): the p for which |p̂ - p| ≤ z √(p(1-p)/n)."""
    z, share = 1.959963984540054, correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_accuracy(correct: int, wrong: int, missed: int) -> None:
    found = accuracy(predictions(correct, wrong, missed))
    n = correct + wrong + missed
    assert (found.questions, found.correct, found.misses) == (n, correct, missed)
    if n == 0:
        assert (found.accuracy, found.low, found.high) == (None, None, None)
        return
    assert found.accuracy == correct / n
    assert (found.low, found.high) == pytest.approx(wilson(correct, n), abs=1e-9)


def test_a_published_interval() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611."""
    found = accuracy(predictions(81, 182))
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    found = accuracy(predictions(0, 20))
    assert (found.low, found.high) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_clean_part_and_micro_average() -> None:
    test = ["One cat?", "Two dogs?", "Three birds?", "Four fish?"]
    found = find_contamination(test, ["one cat", "four fish!"])
    first = score_task("gsm8k", "here", predictions(3, 1), contamination=found)
    assert first.clean is not None
    assert (first.clean.questions, first.clean.correct) == (2, 2)
    second = score_task("svamp", "there", predictions(0, 2, 14), contamination=find_contamination(["x"] * 16, []))
    evaluation = Evaluation.of(
        [first, second], model="demo", adapter=None, scoring="generate", training_data="t.json", seed=0
    )
    assert (evaluation.average.questions, evaluation.average.correct, evaluation.average.misses) == (20, 3, 14)
    assert evaluation.average.accuracy == 3 / 20  # of the questions, not of the tasks: (3/4 + 0)/2
    assert evaluation.clean_average is not None
    assert (evaluation.clean_average.questions, evaluation.clean_average.correct) == (18, 2)
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_without_training_data_nothing_is_called_clean() -> None:
    score = score_task("gsm8k", "here", predictions(1))
    assert score.clean is None
    evaluation = Evaluation.of([score], model="demo", adapter=None, scoring="generate", training_data=None, seed=0)
    assert evaluation.clean_average is None


@pytest.mark.parametrize("extracted", [5.0, "B", None])
def test_predictions_survive_json(extracted: float | str | None) -> None:
    made = Prediction(3, "0" * 16, "so\nit is “5”", extracted, "B", False, log_likelihoods=(-1.5, -2.25))
    assert Prediction.from_json(json.dumps(made.to_dict())) == made
