"""Answers are read from texts as a careful reader would; nothing is guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyplora.answers import extract_label, extract_letter, extract_number, same_number

NUMBERS = [
    ("The answer is 42.", 42),
    ("The answer is 42", 42),
    ("the answer is: 42.", 42),
    ("Answer: 42", 42),
    ("The final answer is 7 apples.", 7),
    ("The correct answer is -3.", -3),
    ("She has 5 cats and 3 dogs, so 8 animals.", 8),
    ("5 + 3 = 8", 8),
    ("The answer is 5 + 3 = 8", 8),
    ("8 - 3 = 5", 5),
    ("8-3", 3),
    ("8 -3", -3),
    ("x = -3", -3),
    ("x = − 3", -3),
    ("It fell to −12.5 degrees", -12.5),
    ("It fell to -12.5°C", -12.5),
    ("from 3–5", 5),
    ("1,234", 1234),
    ("1,234,567.89", 1234567.89),
    ("$1,000", 1000),
    ("$ 1,000.50", 1000.5),
    ("-$20", -20),
    ("$-20", -20),
    ("€15", 15),
    ("£3.20 in total", 3.2),
    ("20 $", 20),
    ("He pays 20 dollars.", 20),
    ("The answer is $18.", 18),
    ("The answer is \\$18.", 18),
    ("1, 2, 3", 3),
    ("1,2,3", 3),
    ("12,34", 34),
    ("2.5", 2.5),
    (".5", 0.5),
    ("0.125", 0.125),
    ("It is 3.", 3),
    ("It is 3.0", 3),
    ("3/4", 0.75),
    ("The answer is 3/4", 0.75),
    ("3 / 4", 0.75),
    ("-3/4", -0.75),
    ("1 1/2", 1.5),
    ("The answer is 2 3/4 cups", 2.75),
    ("\\frac{3}{4}", 0.75),
    ("\\boxed{\\frac{3}{4}}", 0.75),
    ("\\boxed{\\dfrac{1}{8}}", 0.125),
    ("-\\frac{1}{2}", -0.5),
    ("25%", 25),
    ("The answer is 25%.", 25),
    ("25 percent", 25),
    ("12.5\\%", 12.5),
    ("1.2e5", 120000),
    ("1.2E-3", 0.0012),
    ("3e8 m/s", 3e8),
    ("1.2 × 10^5", 120000),
    ("1.2 \\times 10^{5}", 120000),
    ("6 x 10^-3", 0.006),
    ("2 * 10**3", 2000),
    ("#### 42", 42),
    ("6 * 7 = 42\n#### 42", 42),
    ("#### -7", -7),
    ("#### 1,200", 1200),
    ("#### $5", 5),
    ("#### 10\nQuestion: how many of 3?", 10),
    ("\\boxed{42}", 42),
    ("So \\boxed{-1,000}.", -1000),
    ("$\\boxed{5}$ after 6 steps", 5),
    ("\\boxed{1} then \\boxed{2}", 2),
    ("\\boxed{\\text{5}}", 5),
    ("\\boxed{x = 5}", 5),
    ("\\boxed {9}", 9),
    ("\\fbox{9}", 9),
    ("The answer is 4. The answer is 5.", 5),
    ("The answer is 4. We used 3 steps.", 4),
    ("Answer: 6\n\n### Instruction: what is 2 + 2?", 6),
    ("\nA: He needs 24 tiles. The answer is 576.", 576),
    ("42 is the answer", 42),
    ("Day 1: 5, day 2: 6", 6),
    ("2024-11-21", 21),
    ("ratio 3:4", 4),
    ("3x + 4", 4),
    ("It takes 5h", 5),
    ("No. 7", 7),
    ("version 1.2.3", 0.3),
    ("0", 0),
    ("-0", 0),
    ("007", 7),
    ("1e400 and 5", 5),
    ("5/0 is undefined, so 3", 3),
    ("+5", 5),
    ("the total is (12)", 12),
    ("[12]", 12),
    ("The answers are 3", 3),
    ("answer=12", 12),
    ("answer is **12**", 12),
    ("The answer is *$12*", 12),
    ("The answer would be 15 km.", 15),
    ("The answer is one hundred, that is 100.", 100),
]

NO_NUMBER = ["", " ", "no idea", "The answer is unknown.", "twelve", "-", "$", "\\boxed{}", "####", "1/0", "½", "∞"]

LETTERS = [
    ("A", "A"),
    ("b", "B"),
    ("(C)", "C"),
    ("C)", "C"),
    ("D.", "D"),
    ("E:", "E"),
    ("**B**", "B"),
    (" B \n", "B"),
    ("The answer is C", "C"),
    ("The answer is C.", "C"),
    ("the answer is c", "C"),
    ("The answer is (c).", "C"),
    ("answer is C", "C"),
    ("Answer: D", "D"),
    ("Answer: (D) 15 km", "D"),
    ("The answer is option B.", "B"),
    ("The correct option is B", "B"),
    ("The correct choice is (E)", "E"),
    ("\\boxed{B}", "B"),
    ("\\boxed{\\text{B}}", "B"),
    ("\\boxed{\\mathrm{(B)}}", "B"),
    ("\\boxed{\\textbf{(D)}\\ 5}", "D"),
    ("#### A", "A"),
    ("#### (E)", "E"),
    ("The answer is A.", "A"),
    ("The answer is A", "A"),
    ("So it must be (B), as shown.", "B"),
    ("B) 12", "B"),
    ("B. 12 because 6 + 6 = 12", "B"),
    ("(A) is wrong. The answer is (B).", "B"),
    ("The answer is (A). No, the answer is (B).", "B"),
    ("Option C is right", "C"),
    ("We choose option D", "D"),
    ("The sum is 12, which is C", "C"),
    ("A man walks 3 miles. The answer is E.", "E"),
    ("The answer is a man's age, (C)", "C"),
    ("Rationale: 1022. The answer is A.", "A"),
    ("C\nbecause of the area", "C"),
    ("Let's see. A train goes fast, so (D)", "D"),
]

NO_LETTER = [
    "",
    "I do not know",
    "A man walks home.",
    "Either (A) or (B)",
    "A or B",
    "The answer is 12",
    "F",
    "The answer is unclear: (A) or (C)",
    "Apples",
    "B2B and C3PO",
    "don't",
    "The answer is A or B",
]

LABELS = [
    ("the correct answer is true", ("true", "false"), "true"),
    ("The correct answer is False.", ("true", "false"), "false"),
    ("true", ("true", "false"), "true"),
    ("TRUE", ("true", "false"), "true"),
    ("False, because it is untrue", ("true", "false"), "false"),
    ("It may seem true, but the answer is false", ("true", "false"), "false"),
    ("#### false", ("true", "false"), "false"),
    ("\\boxed{\\text{True}}", ("true", "false"), "true"),
    ("the correct answer is solution2", ("solution1", "solution2"), "solution2"),
    ("Solution 1", ("solution1", "solution2"), "solution1"),
    ("solution_1", ("solution1", "solution2"), "solution1"),
    ("the correct answer is answer3", tuple(f"answer{i}" for i in range(1, 6)), "answer3"),
    ("Answer5 fits best", tuple(f"answer{i}" for i in range(1, 6)), "answer5"),
    ("Answer: answer 4", tuple(f"answer{i}" for i in range(1, 6)), "answer4"),
    ("the correct answer is option2", ("option1", "option2"), "option2"),
    ("Option1.", ("option1", "option2"), "option1"),
    ("the correct answer is ending4", tuple(f"ending{i}" for i in range(1, 5)), "ending4"),
    ("not ending1: the answer is ending2, not ending3", tuple(f"ending{i}" for i in range(1, 5)), "ending2"),
    ("ending1 ending1", tuple(f"ending{i}" for i in range(1, 5)), "ending1"),
]

NO_LABEL = [
    ("", ("true", "false")),
    ("yes", ("true", "false")),
    ("true or false", ("true", "false")),
    ("untrue", ("true", "false")),
    ("truely", ("true", "false")),
    ("solution3", ("solution1", "solution2")),
    ("solution12", ("solution1", "solution2")),
    ("answer", ("answer1", "answer2")),
    ("between answer1 and answer2", ("answer1", "answer2")),
]


def test_there_are_enough_examples() -> None:
    assert sum(map(len, (NUMBERS, NO_NUMBER, LETTERS, NO_LETTER, LABELS, NO_LABEL))) >= 150


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_number(text: str, expected: float) -> None:
    found = extract_number(text)
    assert found is not None
    assert found == pytest.approx(expected, rel=1e-12)
    assert same_number(found, expected)


@pytest.mark.parametrize("text", NO_NUMBER)
def test_no_number(text: str) -> None:
    assert extract_number(text) is None
    assert not same_number(extract_number(text), 0.0)


@pytest.mark.parametrize(("text", "expected"), LETTERS)
def test_letter(text: str, expected: str) -> None:
    assert extract_letter(text) == expected


@pytest.mark.parametrize("text", NO_LETTER)
def test_no_letter(text: str) -> None:
    assert extract_letter(text) is None


def test_letters_of_a_task_with_fewer_choices() -> None:
    assert extract_letter("The answer is E", "ABCD") is None
    assert extract_letter("(D)", "ABCD") == "D"


@pytest.mark.parametrize(("text", "labels", "expected"), LABELS)
def test_label(text: str, labels: tuple[str, ...], expected: str) -> None:
    assert extract_label(text, labels) == expected


@pytest.mark.parametrize(("text", "labels"), NO_LABEL)
def test_no_label(text: str, labels: tuple[str, ...]) -> None:
    assert extract_label(text, labels) is None


def test_tolerance_is_the_fields() -> None:
    assert same_number(1.8333, 1.8333333333333335)
    assert not same_number(1.83, 1.8333333333333335)
    assert same_number(1e12, 1e12)
    assert not same_number(3.01, 3.0)


@given(st.integers(-(10**9), 10**9), st.sampled_from(["", "The answer is ", "so it is ", "#### ", "$"]))
def test_every_integer_is_read_back(value: int, before: str) -> None:
    assert extract_number(f"{before}{value}") == value
    assert extract_number(f"{before}{value:,}.") == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back(value: float) -> None:
    assert extract_number(f"x = {value!r}") == value


@given(st.text(max_size=200))
def test_any_text_is_read_without_failure(text: str) -> None:
    number = extract_number(text)
    assert number is None or math.isfinite(number)
    assert extract_letter(text) in (None, *"ABCDE")
    assert extract_label(text, ("true", "false")) in (None, "true", "false")
