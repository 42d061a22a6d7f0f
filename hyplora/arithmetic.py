"""The built-in task: word problems of one addition or subtraction, with computed answers.

Each problem has a two-digit number and a one-digit number, and no digit to carry or borrow: the tables of the digits
are what the demo model can learn within minutes on a CPU, carrying takes it much longer. Training, validation and test
share no pair of numbers with its operation, so that a test problem cannot be answered from memory: ``43 + 5`` is in one
of the three, whatever the story around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

__all__ = ["arithmetic_problems", "pairs_of"]

SHARES = {"test": 0.15, "validation": 0.05, "train": 0.8}
"""Of all pairs of numbers, how many are kept for what."""

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
    split : {"train", "validation", "test"}
        Which of three disjoint sets of number pairs to draw from; the sets do not depend on the seed.
    count : int
        How many. No two have the same numbers and operation while there are pairs left (:func:`pairs_of`); after
        that the same come in other stories.
    seed : int

    Returns
    -------
    list of dict
        ``instruction``, ``input`` (empty), ``output`` and ``answer`` (``"48"``).

    Raises
    ------
    ValueError
        If ``split`` is none of the three.
    """
    pairs = pairs_of(split)
    random = Random(f"{split} {seed}")
    problems: list[dict[str, str]] = []
    while len(problems) < count:
        random.shuffle(pairs)
        problems += [_problem(random, *pair) for pair in pairs[: count - len(problems)]]
    return problems


def pairs_of(split: str) -> list[tuple[str, int, int]]:
    """Return the operations with their numbers that are kept for a split: 122 for the test, each a problem of its own.

    Raises
    ------
    ValueError
        If ``split`` is none of the three.
    """
    if split not in SHARES:
        raise ValueError(f"split must be one of {', '.join(SHARES)}, not {split!r}")
    pairs = list(_pairs())
    Random(0).shuffle(pairs)
    start = 0
    for name, share in SHARES.items():
        stop = start + round(share * len(pairs))
        if name == split:
            break
        start = stop
    return pairs[start:stop]


def _pairs() -> Iterator[tuple[str, int, int]]:
    for a in range(10, 100):
        units = a % 10
        for b in range(1, 10):
            if units + b <= 9:
                yield "+", a, b
            if units >= b:
                yield "-", a, b


def _problem(random: Random, operation: str, a: int, b: int) -> dict[str, str]:
    story = random.choice(_STORIES[operation])
    question = story.format(name=random.choice(_NAMES), things=random.choice(_THINGS), a=a, b=b)
    answer = str(a + b if operation == "+" else a - b)
    return {"instruction": question, "input": "", "output": answer, "answer": answer}
