"""The sentence says what the p-values allow, corrected over the nulls, and nothing more."""

from __future__ import annotations

import pytest

from embgeom.calibration import NullComparison, StatisticCalibration, Verdict, holm
from embgeom.calibration.verdict import verdict_of

NAMES = ("gaussian", "directions", "permute", "vocabulary", "spectrum")


def judged(lower: list[float], pooled: list[float] | None = None, *, draws: int = 19) -> Verdict:
    """The verdict for these p lower of mean q (and of pooled q, the same if not given); p higher is the rest."""

    def entry(statistic: str, p_values: list[float]) -> StatisticCalibration:
        step = 1 / (1 + draws)
        nulls = tuple(
            NullComparison(
                null, 0.4 + k / 100, 0.1, 0.1, 0, 0, None, 0, p, round(min(1.0, 1 + step - p), 9), 0, 0, (), (), (), ()
            )
            for k, (null, p) in enumerate(zip(NAMES, p_values, strict=False))
        )
        return StatisticCalibration(statistic, 0.3, 0.1, nulls)

    statistics = [entry("mean_q", lower), entry("pooled_q", pooled or lower), entry("relative_delta", lower)]
    return verdict_of(statistics, NAMES[: len(lower)], what="9 prompts are", draws=draws, level=0.05)


def test_holm_on_known_values() -> None:
    """R: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm"), and Holm's own step-down by hand."""
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.04, 0.005, 0.03, 0.01]) == pytest.approx([0.06, 0.02, 0.06, 0.03])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_all_nulls_need_no_correction() -> None:
    verdict = judged([0.05] * 5)
    assert verdict.more == NAMES
    assert verdict.sentence == (
        "The 9 prompts are more tree-like than all 5 nulls (gaussian, directions, permute, vocabulary, spectrum). "
        "Mean q 0.300 against 0.400 to 0.440; pooled q 0.300 against 0.400 to 0.440; p ≤ 0.05 against each."
    )


def test_less_than_all() -> None:
    verdict = judged([1.0] * 5)
    assert (verdict.less, verdict.more, verdict.p_less) == (NAMES, (), 0.05)
    assert "are less tree-like than all 5 nulls" in verdict.sentence


def test_few_draws_leave_undecided_what_many_decide() -> None:
    few = judged([0.05, 0.05, 0.05, 0.05, 0.35])
    assert (few.more, few.neither) == ((), ("spectrum",))
    assert few.undecided == NAMES[:4]
    assert "no more tree-like than spectrum (spectrum p = 0.35)" in few.sentence
    assert "undecided against gaussian, directions, permute and vocabulary (lower q): p ≤ 0.05, but" in few.sentence
    assert "19 draws are too few to correct for 5 nulls" in few.sentence
    many = judged([0.01, 0.01, 0.01, 0.01, 0.35], draws=99)
    assert (many.more, many.undecided, many.neither) == (NAMES[:4], (), ("spectrum",))
    assert "more tree-like than gaussian, directions, permute and vocabulary, no more" in many.sentence


def test_no_more_than_any() -> None:
    verdict = judged([0.5] * 5)
    assert (verdict.more, verdict.less, verdict.neither) == ((), (), NAMES)
    assert "are no more tree-like than any of the 5 nulls (gaussian p = 0.5, directions p = 0.5" in verdict.sentence


def test_both_directions_at_once() -> None:
    verdict = judged([0.01, 0.01, 1.0, 0.5, 0.5], draws=99)
    assert verdict.more == NAMES[:2]
    assert verdict.less == ("permute",)
    assert verdict.neither == ("vocabulary", "spectrum")


def test_undecided_in_both_directions_says_which() -> None:
    """A null far above the data and one far below are not one finding."""
    verdict = judged([1.0, 0.05, 0.05, 0.5, 0.05])
    assert verdict.undecided == ("gaussian", "directions", "permute", "spectrum")
    assert "undecided against directions, permute and spectrum (lower q) and gaussian (higher q): p" in verdict.sentence
    assert "undecided against gaussian (higher q): p" in judged([1.0, 0.5]).sentence


def test_mean_q_and_pooled_q_must_agree() -> None:
    verdict = judged([0.05] * 5, [0.05, 0.05, 0.05, 0.05, 0.2])
    assert verdict.more == ()
    assert verdict.p_more == 0.2
    assert verdict.neither == ("spectrum",)


def test_one_null_without_spectrum() -> None:
    verdict = judged([0.05])
    assert "more tree-like than null gaussian." in verdict.sentence
    assert "p ≤ 0.05." in verdict.sentence
    assert "against each" not in verdict.sentence
    assert verdict.sentence.endswith("Null spectrum was not drawn, and few dimensions alone lower q.")


def test_both_nulls() -> None:
    assert "more tree-like than both nulls (gaussian, directions)." in judged([0.05, 0.05]).sentence


def test_delta_has_its_own_line() -> None:
    line = judged([0.05, 0.05, 1.0, 0.5, 0.5]).delta_sentence
    assert line == (
        "2δ/diameter, 0.300, is below gaussian (0.400) and directions (0.410), above permute (0.420), not to be told "
        "from vocabulary (0.430) and spectrum (0.440): it goes with how distances concentrate, and is no evidence for "
        "or against a tree."
    )
