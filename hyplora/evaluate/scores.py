"""From predictions to accuracies: records of what was answered, and how many answers were right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from embgeom.results import Record, versions
from hyplora.contamination import Contamination

__all__ = ["Accuracy", "Evaluation", "Prediction", "TaskScore", "accuracy", "score_task"]


@dataclass(frozen=True)
class Prediction(Record):
    """What a model answered to one question.

    Attributes
    ----------
    index : int
        The question's place in the test set, from 0.
    prompt_hash : str
        The first 16 hexadecimal digits of the SHA-256 of the prompt, as the model was given it.
    completion : str
        What the model generated; with ``scoring="likelihood"`` the answer of the largest likelihood.
    extracted : float or str or None
        The answer in it; None is a miss.
    expected : float or str
    correct : bool
    log_likelihoods : tuple of float, optional
        Of each choice, in nats, with ``scoring="likelihood"``.
    too_long : bool
        Whether the prompt left no room in the model's context, so that nothing was asked: a miss.
    """

    index: int
    prompt_hash: str
    completion: str
    extracted: float | str | None
    expected: float | str
    correct: bool
    log_likelihoods: tuple[float, ...] | None = None
    too_long: bool = False


@dataclass(frozen=True)
class Accuracy(Record):
    """How many answers were right.

    Attributes
    ----------
    questions, correct, misses, too_long : int
        ``misses``: texts in which no answer was found, which count as wrong; ``too_long``: those of them whose prompt
        did not fit into the model's context.
    accuracy : float or None
        The share of right answers; None where there is no question.
    low, high : float or None
        Its 95 % interval (Wilson 1927).
    """

    questions: int
    correct: int
    misses: int
    too_long: int
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TaskScore(Record):
    """A model's score on one task.

    Attributes
    ----------
    task, source : str
    scored : Accuracy
        On the questions that were asked.
    clean : Accuracy or None
        On those of them that are not in the training data; None where no training data were named.
    contamination : Contamination or None
        Which questions are; their places are in the test set.
    settings : dict
        What the predictions depend on.
    """

    task: str
    source: str
    scored: Accuracy
    clean: Accuracy | None
    contamination: Contamination | None
    settings: dict[str, Any]


@dataclass(frozen=True)
class Evaluation(Record):
    """A model's scores, and the micro-average M.AVG: over all questions of all tasks, each counting the same.

    Attributes
    ----------
    model : str
    adapter : str or None
    scoring : str
    tasks : tuple of TaskScore
    average : Accuracy
    clean_average : Accuracy or None
    training_data : str or None
        What the questions were compared with.
    seed : int
    versions : dict
    remarks : tuple of str
        On what was not compared with the training data.
    """

    model: str
    adapter: str | None
    scoring: str
    tasks: tuple[TaskScore, ...]
    average: Accuracy
    clean_average: Accuracy | None
    training_data: str | None
    seed: int
    versions: dict[str, str]
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        tasks: Sequence[TaskScore],
        *,
        model: str,
        adapter: str | None,
        scoring: str,
        training_data: str | None,
        seed: int,
        remarks: tuple[str, ...] = (),
    ) -> Evaluation:
        """Return the evaluation with its averages."""
        clean = [task.clean for task in tasks if task.clean is not None]
        return cls(
            model,
            adapter,
            scoring,
            tuple(tasks),
            _together(task.scored for task in tasks),
            _together(clean) if clean else None,
            training_data,
            seed,
            versions(),
            remarks,
        )


def accuracy(predictions: Iterable[Prediction]) -> Accuracy:
    """Return how many of the predictions are right, with the 95 % Wilson interval of that share."""
    found = list(predictions)
    return _accuracy(
        len(found),
        sum(prediction.correct for prediction in found),
        sum(prediction.extracted is None for prediction in found),
        sum(prediction.too_long for prediction in found),
    )


def score_task(
    task: str,
    source: str,
    predictions: Sequence[Prediction],
    *,
    contamination: Contamination | None = None,
    settings: dict[str, Any] | None = None,
) -> TaskScore:
    """Return a task's score, on all predictions and on those of clean questions."""
    clean = None
    if contamination is not None:
        untouched = set(contamination.clean)
        clean = accuracy(prediction for prediction in predictions if prediction.index in untouched)
    return TaskScore(task, source, accuracy(predictions), clean, contamination, settings or {})


def _together(parts: Iterable[Accuracy]) -> Accuracy:
    found = list(parts)
    names = ("questions", "correct", "misses", "too_long")
    return _accuracy(*(sum(getattr(part, name) for part in found) for name in names))


def _accuracy(questions: int, correct: int, misses: int, too_long: int) -> Accuracy:
    from scipy.stats import binomtest

    if questions == 0:
        return Accuracy(0, 0, 0, 0, None, None, None)
    interval = binomtest(correct, questions).proportion_ci(0.95, method="wilson")
    return Accuracy(
        questions, correct, misses, too_long, correct / questions, float(interval.low), float(interval.high)
    )
