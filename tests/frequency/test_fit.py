from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom.corpus import load_texts
from embgeom.counts import TokenCounts, token_counts
from embgeom.errors import CountsError, InputError, OptionError
from embgeom.frequency import PowerLawFit, fit_power_law

COUNTS = np.random.default_rng(0).zipf(2.2, 500)


def counted(frequencies: list[int]) -> TokenCounts:
    return TokenCounts(
        token_ids=tuple(range(len(frequencies))),
        frequencies=tuple(frequencies),
        texts=1,
        vocabulary_size=len(frequencies),
        special_tokens=True,
        special_token_ids=(),
        tokenizer="some tokenizer",
        data="some data",
        provenance={"field": "question"},
    )


def numbers(fit: PowerLawFit) -> PowerLawFit:
    return replace(fit, tokenizer=None, data=None, provenance={})


# Measured with the package powerlaw 2.0, exact discrete likelihood, BOS counted, on the test sets; to the third digit.
MEASURED = {
    "llama3": {"AQuA": 1.975, "SVAMP": 2.155, "boolq": 1.979, "gsm8k": 1.944, "mawps": 2.050},
    "llama2": {"AQuA": 1.932, "SVAMP": 2.069, "boolq": 1.951, "gsm8k": 1.965, "mawps": 2.060},
}


@pytest.mark.parametrize("tokenizer", list(MEASURED))
def test_gamma_of_the_papers_data_sets(assets: Path, tokenizer: str) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(assets / "tokenizers" / tokenizer)
    for data, gamma in MEASURED[tokenizer].items():
        texts = load_texts(str(assets / "data" / data / "test.json"))
        fit = fit_power_law(token_counts(texts, loaded, special_tokens=True), alternatives=False)
        assert fit.gamma == pytest.approx(gamma, abs=1e-3), data
        assert fit.data is not None


@given(st.lists(st.integers(0, 60), min_size=8, max_size=60), st.randoms())
@settings(max_examples=25, deadline=None)
def test_order_zeros_and_container_of_the_counts_do_not_matter(counts: list[int], random) -> None:
    if len({count for count in counts if count}) < 3:
        return
    fit = fit_power_law(counts, alternatives=False, goodness_of_fit=3, seed=1)
    shuffled = counts.copy()
    random.shuffle(shuffled)
    positive = [count for count in shuffled if count]
    for same in (shuffled, np.array(positive, float), counted(positive)):
        assert numbers(fit_power_law(same, alternatives=False, goodness_of_fit=3, seed=1)) == fit


def test_the_record_says_what_was_fitted() -> None:
    fit = fit_power_law(counted(COUNTS.tolist()), goodness_of_fit=10, seed=7)
    assert (fit.tokenizer, fit.data, fit.provenance) == ("some tokenizer", "some data", {"field": "question"})
    assert (fit.types, fit.tokens) == (500, COUNTS.sum())
    assert fit.tail_size == (fit.k_min <= COUNTS).sum()
    assert dict(zip(fit.frequency_values, fit.frequency_types, strict=True)) == {
        value: (value == COUNTS).sum() for value in np.unique(COUNTS).tolist()
    }
    assert fit.zipf_exponent == pytest.approx(1 / (fit.gamma - 1))
    assert not fit.k_min_given
    assert fit.goodness is not None
    assert fit.goodness.seed == 7
    assert [found.alternative for found in fit.comparisons] == [
        "log-normal",
        "exponential",
        "stretched exponential",
        "truncated power law",
    ]
    assert PowerLawFit.from_json(fit.to_json()) == fit
    json.loads(fit.to_json(), parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def test_the_zipf_exponent_is_that_of_ranks() -> None:
    # Frequencies r^(−s) over ranks r: the γ of their counts gives s back. An exact quantile sample, so no noise.
    for exponent in (0.8, 1.0, 1.25):
        counts = np.floor(1e7 * np.arange(1, 200_001, dtype=float) ** -exponent)
        fit = fit_power_law(counts, k_min=1000, alternatives=False)
        assert fit.zipf_exponent == pytest.approx(exponent, rel=0.02)


def test_a_given_k_min_is_kept() -> None:
    fit = fit_power_law(COUNTS, k_min=4, alternatives=False)
    assert (fit.k_min, fit.k_min_given, fit.comparisons, fit.goodness) == (4, True, (), None)
    free = fit_power_law(COUNTS, alternatives=False)
    again = fit_power_law(COUNTS, k_min=free.k_min, alternatives=False)
    assert again.gamma == pytest.approx(free.gamma, rel=1e-9)
    assert again.ks_distance == pytest.approx(free.ks_distance, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], "no token was seen"),
        ([0, 0], "no token was seen"),
        ([9], "one token type"),
        ([0, 9, 0], r"seen 9 times.*give more text"),
        ([4, 4, 4], r"all 3 token types occur equally often \(4 times\)"),
        ([1, 1, 2], "at least 3 different frequencies"),
        ([1, -2, 3], r"-2 \(negative\) at index 1"),
        ([1, 2.5, 3], r"2\.5 \(fractional\) at index 1"),
        ([1, np.nan, 3], r"nan \(not finite\) at index 1"),
        ([1, np.inf, 3], r"inf \(not finite\)"),
        ([[1, 2], [3, 4]], r"shape \(2, 2\)"),
        ([[1, 2], [3]], "different lengths"),
        (5, r"shape \(\)"),
        (["the", "a"], "whole numbers"),
        ([True, False], "whole numbers"),
        ([None, 1, 2], "whole numbers"),
        ([1j, 2, 3], "whole numbers"),
    ],
)
def test_bad_counts_get_one_clear_line(counts: object, message: str) -> None:
    with pytest.raises(CountsError, match=message) as raised:
        fit_power_law(counts)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, InputError)


@pytest.mark.parametrize(
    "options",
    [
        {"k_min": 0},
        {"k_min": 2.5},
        {"k_min": True},
        {"goodness_of_fit": -1},
        {"goodness_of_fit": "many"},
        {"seed": -1},
        {"threads": 0},
    ],
)
def test_bad_options_get_one_clear_line(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        fit_power_law(COUNTS, **options)  # type: ignore[arg-type]


def test_a_k_min_above_the_counts_is_refused() -> None:
    with pytest.raises(CountsError, match="k_min of at most 2"):
        fit_power_law([1, 1, 2, 3], k_min=3)


def test_nothing_is_printed_and_progress_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    fit_power_law(COUNTS, goodness_of_fit=20)
    assert capfd.readouterr() == ("", "")
    fit_power_law(COUNTS, goodness_of_fit=20, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "goodness of fit" in shown.err


def test_a_script_without_a_main_guard_runs_it() -> None:
    script = "from embgeom.frequency import fit_power_law as fit; print(fit([1]*9+[2,2,3,5], goodness_of_fit=9).k_min)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 1


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1], r"one token type \(seen once\)"),
        ([1, 1, 1], r"all 3 token types occur equally often \(once\)"),
        ([4, 4], r"occur equally often \(4 times\)"),
        ([1, 1, 2], r"got only 1 and 2; give more text \(or, in Python, a k_min\)"),
    ],
)
def test_too_little_text(counts: list[int], message: str) -> None:
    with pytest.raises(CountsError, match=message):
        fit_power_law(counts)
