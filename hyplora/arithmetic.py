"""The built-in task: word problems of one addition or subtraction, with computed answers.

Each problem has a two-digit number and a one-digit number. Training and test share no pair of numbers with its
operation, so that a test problem cannot be answered from memory: ``47 + 5`` is in the one or in the other, whatever the
story around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

__all__ = ["arithmetic_problems"]

TEST_SHARE = 0.15
"""Of all pairs of numbers, how many are kept for the test."""

_NAMES = ("Ann", "Ben", "Carl", "Dora", "Eva", "Finn", "Gus", "Hana", "Ivan", "Jane", "Kai", "Lena")
_THINGS = ("books", "files", "lines", "names", "values", "items", "objects", "words", "numbers", "keys", "lists")
_STORIES = {
    "+": (
        "{name} has {a} {things} and gets {b} more. How many {things} does {name} have now?",
        "There are {a} {things} in one box and {b} in another. How many {things} are there in all?",
        "{name} read {a} {things} on Monday and {b} on Tuesday. How many {things} did {name} read?",
    ),
    "-": (
        "{name} has {a} {things} and gives away {b}. How many {things} are left?",
        "Of {a} {things}, {b} are removed. How many {things} are left?",
        "There were {a} {things}. Then {name} lost {b} of them. How many {things} remain?",
    ),
}


def arithmetic_problems(split: str, count: int, *, seed: int = 0) -> list[dict[str, str]]:
    """Return word problems, the same ones for the same seed.

    Parameters
    ----------
    split : {"train", "test"}
        Which of two disjoint sets of number pairs to draw from; the sets do not depend on the seed.
    count : int
        How many. In ``"test"`` no two have the same numbers and operation while there are pairs left.
    seed : int

    Returns
    -------
    list of dict
        ``instruction``, ``input`` (empty), ``output`` (``"The answer is 52."``) and ``answer`` (``"52"``).

    Raises
    ------
    ValueError
        If ``split`` is neither.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")
    pairs = list(_pairs())
    Random(0).shuffle(pairs)
    border = round(TEST_SHARE * len(pairs))
    pairs = pairs[:border] if split == "test" else pairs[border:]
    random = Random(f"{split} {seed}")
    problems: list[dict[str, str]] = []
    while len(problems) < count:
        random.shuffle(pairs)
        problems += [_problem(random, *pair) for pair in pairs[: count - len(problems)]]
    return problems


def _pairs() -> Iterator[tuple[str, int, int]]:
    for a in range(10, 100):
        for b in range(1, 10):
            yield "+", a, b
            yield "-", a, b


def _problem(random: Random, operation: str, a: int, b: int) -> dict[str, str]:
    story = random.choice(_STORIES[operation])
    question = story.format(name=random.choice(_NAMES), things=random.choice(_THINGS), a=a, b=b)
    answer = str(a + b if operation == "+" else a - b)
    return {"instruction": question, "input": "", "output": f"The answer is {answer}.", "answer": answer}
