"""Frequency against norm: planted trends, golden numbers by hand, what is left out, and what is refused."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embgeom import InputError, ModelError, OptionError, PointsError, load_embeddings, load_texts
from embgeom.counts import token_counts
from embgeom.errors import CountsError
from embgeom.norms import NormAnalysis, RankCorrelation, TokenNorms, frequency_norms, norms_csv, token_norms
from embgeom.norms.measure import row_norms
from embgeom.norms.verdict import verdict
from tests.norms.made import counts_of, norms_of
from tests.test_token_classes import byte_level, sentencepiece

FAST = {"resamples": 100}


def planted(signs: dict[str, int], *, n: int = 200, seed: int = 0) -> tuple[TokenNorms, np.ndarray]:
    """Within each class the norm grows (sign 1) or falls (−1) with log frequency; classes lie apart as given."""
    rng = np.random.default_rng(seed)
    norms, classes, frequencies = [], [], []
    for place, (name, sign) in enumerate(signs.items()):
        f = np.exp(rng.uniform(0, 4, n) + 4 * place).round().astype(int)
        norms.append(10 - 3 * place + sign * 0.5 * (np.log(f) - 4 * place) + rng.normal(0, 0.2, n))
        classes += [name] * n
        frequencies.append(f)
    return norms_of(np.concatenate(norms).tolist(), classes), np.concatenate(frequencies)


# ------------------------------------------------------------------------- trends


def test_simpsons_paradox_is_shown() -> None:
    """Frequent classes have small norms, and within each class frequent tokens have large ones."""
    norms, f = planted({"continuation": 1, "digits": 1, "punctuation": 1})
    found = frequency_norms(norms, counts_of(f), **FAST)
    assert found.correlation.rho < -0.5
    assert found.within_classes.rho > 0.5
    assert all(of_class.correlation.rho > 0.5 for of_class in found.classes)
    assert "Frequent tokens have smaller norms here" in found.sentence
    assert "within the token classes frequent tokens have larger norms" in found.sentence
    assert "comes from how the classes differ" in found.sentence


@pytest.mark.parametrize("sign", [-1, 1])
def test_sign_in_each_class(sign: int) -> None:
    found = frequency_norms(*made_counts(planted({"word-start": sign, "byte": -sign})), **FAST)
    signs = {of_class.name: np.sign(of_class.correlation.rho) for of_class in found.classes}
    assert signs == {"word-start": sign, "byte": -sign}


def made_counts(made):  # type: ignore[no-untyped-def]
    return made[0], counts_of(made[1])


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        (-1, "Frequent tokens have smaller norms here: "),
        (1, "Frequent tokens have larger norms here: "),
        (0, "Whether frequent tokens have smaller or larger norms here cannot be told: "),
        (-0.03, "Frequent tokens have smaller norms here, but only slightly: "),
    ],
)
def test_sentence(slope: float, words: str) -> None:
    rng = np.random.default_rng(2)
    f = rng.integers(1, 10_000, 4000)
    x = 50 + slope * np.sqrt(12) * f / 10_000 + rng.normal(0, 0.4, 4000)
    found = frequency_norms(norms_of(x), counts_of(f), **FAST)
    assert found.sentence.startswith(words)
    rho = stats.spearmanr(f, x).statistic
    assert f"ρ = {rho:.3f}".replace("-", "−") in found.sentence
    assert "classes" not in found.sentence


def with_interval(low: float, high: float) -> RankCorrelation:
    return RankCorrelation((low + high) / 2, (low, high), 50, None)


FALLS, RISES, UNCLEAR = with_interval(-0.5, -0.3), with_interval(0.3, 0.5), with_interval(-0.2, 0.1)


@pytest.mark.parametrize(
    ("overall", "within", "words"),
    [
        (FALLS, FALLS, ["have smaller norms", "the same holds within the token classes (ρ = −0.400 [−0.500, −0.300])"]),
        (RISES, FALLS, ["have larger norms here", "classes frequent tokens have smaller norms", "the classes differ"]),
        (
            FALLS,
            UNCLEAR,
            ["have smaller norms", "no trend can be told, so that it may come from how the classes differ"],
        ),
        (UNCLEAR, UNCLEAR, ["larger norms here cannot be told", "no trend can be told either"]),
        (UNCLEAR, RISES, ["cannot be told", "frequent tokens have larger norms, which their differences hide"]),
    ],
)
def test_sentence_beside_the_classes(overall: RankCorrelation, within: RankCorrelation, words: list[str]) -> None:
    sentence = verdict(overall, within, confidence=0.9, classes=2)
    assert all(word in sentence for word in words)
    assert "90 % interval" in sentence
    assert "classes" not in verdict(overall, within, confidence=0.9, classes=1)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from(["digits", "byte"])), min_size=12, max_size=40
    ),
    st.integers(0, 100),
    st.sampled_from([0.25, 2.0, 1024.0]),
)
def test_order_of_tokens_and_scale_of_norms_do_not_matter(rows, seed: int, scale: float) -> None:  # type: ignore[no-untyped-def]
    f, x, classes = (list(column) for column in zip(*rows, strict=True))
    f[0] = 1
    first = frequency_norms(norms_of(x, classes), counts_of(f), **FAST)
    order = np.random.default_rng(seed).permutation(len(f))
    shuffled = norms_of([scale * x[i] for i in order], [classes[i] for i in order])
    second = frequency_norms(shuffled, counts_of([f[i] for i in order]), **FAST)
    assert second.correlation.rho == pytest.approx(first.correlation.rho)
    assert second.within_classes.rho == pytest.approx(first.within_classes.rho)
    assert second.mean_norm == pytest.approx(scale * first.mean_norm)
    assert second.frequent_mean_norm == pytest.approx(scale * first.frequent_mean_norm)
    assert second.never_seen.share_below_seen == first.never_seen.share_below_seen
    for one, other in zip(first.classes, second.classes, strict=True):
        assert (one.types, one.tokens, one.never_seen) == (other.types, other.tokens, other.never_seen)
        assert other.correlation.rho == pytest.approx(one.correlation.rho)
    for one, other in zip(first.frequency_bins, second.frequency_bins, strict=True):
        assert one.types == other.types


# ----------------------------------------------------------------- golden, by hand


def test_a_tiny_corpus_by_hand() -> None:
    """Rows 3-4-5 triangles, so that norms are whole: ids 0 … 6 have norms 5, 10, …, 35; row 7 is padding."""
    tokenizer = sentencepiece("<unk>", "▁a", "▁b", "c", "<0x0A>", "▁", "!")
    size = len(tokenizer)
    matrix = np.outer(np.arange(1, 10), [3.0, 4.0])
    counts = counts_of([0, 4, 1, 0, 2, 3, 0], vocabulary_size=size, special_tokens=True)
    found = frequency_norms(matrix, counts, tokenizer=tokenizer, bins=3)
    assert (found.types, found.tokens, found.vocabulary, found.rows_without_token) == (4, 10, 7, 2)
    assert found.mean_norm == (10 + 15 + 25 + 30) / 4
    # ranks of f: 4 1 2 3; of the norms: 1 2 3 4: Σd² = 9 + 1 + 1 + 1, ρ = 1 − 6·12/60
    assert found.correlation.rho == pytest.approx(-0.2)
    assert found.correlation.interval is None
    assert found.sentence == (
        "Whether frequent tokens have smaller norms here cannot be told: Spearman ρ = −0.200 over 4 token types, too "
        "few for an interval."
    )
    assert (found.frequent_mean_norm, found.rare_mean_norm) == (10, 15)
    unseen = found.never_seen
    assert (unseen.types, unseen.least_norm, unseen.largest_norm) == (3, 5, 35)
    assert unseen.mean_norm == pytest.approx((5 + 20 + 35) / 3)
    # 5 lies below all four, 20 below two, 35 below none.
    assert unseen.share_below_seen == pytest.approx((4 + 2 + 0) / 12)
    assert [token.token for token in unseen.smallest] == ["<unk>", "c", "!"]
    assert [token.token_class for token in unseen.largest] == ["punctuation", "continuation", "continuation"]
    assert [bin_.types for bin_ in found.frequency_bins] == [1, 2, 1]
    by_name = {of_class.name: of_class for of_class in found.classes}
    assert (by_name["word-start"].types, by_name["word-start"].tokens, by_name["word-start"].mean_norm) == (2, 5, 12.5)
    assert (by_name["punctuation"].types, by_name["punctuation"].never_seen_mean_norm) == (0, 35)


def test_share_below_seen_is_mann_and_whitneys() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(1, 30, 200)
    f = rng.integers(0, 3, 200)
    found = frequency_norms(norms_of(x), counts_of(f), **FAST).never_seen
    u = stats.mannwhitneyu(x[f > 0], x[f == 0]).statistic
    assert found.share_below_seen == pytest.approx(u / ((f > 0).sum() * (f == 0).sum()))


@pytest.mark.parametrize("data", ["demo"])
def test_the_demo_against_scipy_and_a_plain_count(data: str) -> None:
    embeddings = load_embeddings("demo")
    texts = load_texts(data, limit=150)
    found = frequency_norms(embeddings, token_counts(texts, embeddings.tokenizer), **FAST)
    plain = Counter(number for text in texts for number in embeddings.tokenizer(text)["input_ids"])
    norms = np.linalg.norm(embeddings.matrix.double().numpy(), axis=1)
    rho = stats.spearmanr(list(plain.values()), norms[list(plain)]).statistic
    assert found.correlation.rho == pytest.approx(rho, abs=1e-12)
    assert (found.types, found.tokens, found.texts) == (len(plain), plain.total(), 150)
    assert sum(of_class.types for of_class in found.classes) == found.types
    assert sum(of_class.never_seen for of_class in found.classes) == found.never_seen.types == 3072 - len(plain)
    assert sum(bin_.types for bin_ in found.norm_bins) == found.types
    assert NormAnalysis.from_json(found.to_json()) == found
    assert (found.model, found.data, found.provenance["tensor"]) == ("demo", "demo", "model.embed_tokens.weight")


def test_the_seed_fixes_the_interval() -> None:
    rng = np.random.default_rng(0)
    made = norms_of(rng.normal(10, 1, 50)), counts_of(rng.integers(1, 99, 50))
    one, same, other = (frequency_norms(*made, seed=seed, **FAST) for seed in (1, 1, 2))
    assert one == same
    assert one.correlation.rho == other.correlation.rho
    assert one.correlation.interval != other.correlation.interval


# ---------------------------------------------------------------- what is left out


def test_tokens_without_a_row_are_counted_apart() -> None:
    tokenizer = byte_level("Ġa", "Ġb", "c", "Ġd")
    counts = counts_of([5, 0, 2, 7], vocabulary_size=len(tokenizer))
    found = frequency_norms(np.eye(3), counts, tokenizer=tokenizer)
    assert (found.types, found.tokens, found.vocabulary, found.tokens_without_row) == (2, 7, 3, 1)
    assert (found.left_out_types, found.left_out_tokens) == (1, 7)


def test_special_tokens_that_nobody_counted_are_not_unseen() -> None:
    norms = norms_of([1, 2, 3, 4], ["special", "digits", "digits", "digits"])
    left_out = frequency_norms(norms, counts_of([0, 1, 2, 0], special_tokens=False, special_token_ids=(0,)), **FAST)
    counted = frequency_norms(norms, counts_of([0, 1, 2, 0], special_token_ids=(0,)), **FAST)
    assert [of_class.name for of_class in left_out.classes] == ["digits"]
    assert (left_out.never_seen.types, counted.never_seen.types) == (1, 2)


def test_everything_seen() -> None:
    found = frequency_norms(norms_of([1, 2, 3]), counts_of([1, 2, 3]), **FAST)
    unseen = found.never_seen
    assert (unseen.types, unseen.mean_norm, unseen.share_below_seen, unseen.smallest) == (0, None, None, ())


@pytest.mark.parametrize(
    ("f", "x", "reason"),
    [
        ([0, 9, 0, 0], [1, 2, 3, 4], "1 token type was seen"),
        ([3] * 12, range(1, 13), "all 12 token types are equally frequent"),
        (range(1, 13), [2] * 12, "all 12 token types have the same norm"),
    ],
    ids=["one token", "equal counts", "equal norms"],
)
def test_undefined_correlations_are_none_with_a_reason(f, x, reason: str) -> None:  # type: ignore[no-untyped-def]
    found = frequency_norms(norms_of(x), counts_of(f), **FAST)
    assert (found.correlation.rho, found.correlation.interval) == (None, None)
    assert found.correlation.reason.startswith(reason)
    assert found.sentence.startswith(f"Whether frequent tokens have smaller norms here cannot be told: {reason}")


# ------------------------------------------------------------------------- norms


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_norms_in_float64_from_any_dtype(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = (torch.randn(41, 7, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)
    expected = [np.sqrt(sum(float(value) ** 2 for value in row)) for row in matrix]
    monkeypatch.setattr("embgeom.norms.measure._BLOCK_BYTES", 8 * 7 * 4)  # blocks of four rows
    assert row_norms(matrix) == pytest.approx(expected, rel=1e-14)


def test_small_and_large_numbers_keep_their_norm() -> None:
    """In bfloat16 or float32 the squares would be 0 or infinite."""
    matrix = torch.tensor([[3e-30, 4e-30], [3e30, 4e30]], dtype=torch.bfloat16)
    assert row_norms(matrix) == pytest.approx([5e-30, 5e30], rel=0.01)


def test_equal_rows_have_equal_norms() -> None:
    row = torch.randn(1, 389, generator=torch.Generator().manual_seed(1))
    assert len(set(row_norms(row.repeat(1001, 1)).tolist())) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_names_its_token(bad: float) -> None:
    tokenizer = byte_level("Ġa", "Ġb", "c")
    matrix = np.ones((5, 4))
    matrix[4] = np.nan  # padding, of no token
    assert token_norms(matrix, tokenizer).norms == (2, 2, 2)
    matrix[1, 2] = bad
    with pytest.raises(PointsError, match=re.escape("1 of 3 embeddings hold NaN or inf") + r".*token id 1, 'Ġb'"):
        token_norms(matrix, tokenizer)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones(3), "one row per token, got shape"),
        (np.ones((3, 0)), "one row per token, got shape"),
        (np.ones((0, 3)), "none of the 0 rows"),
        (np.ones((3, 2), complex), "real matrix"),
        ("abc", "array of numbers"),
    ],
)
def test_bad_matrices(matrix: object, message: str) -> None:
    with pytest.raises(PointsError, match=message):
        token_norms(matrix, byte_level("a", "b", "c"))  # type: ignore[arg-type]


def test_bad_input() -> None:
    norms, counts = norms_of([1, 2, 3]), counts_of([1, 2, 3])
    with pytest.raises(OptionError, match="pass its tokenizer"):
        token_norms(np.eye(3))
    with pytest.raises(ModelError, match="expected a tokenizer of transformers, got str 'demo'; load one with"):
        token_norms(np.eye(3), "demo")
    with pytest.raises(CountsError, match="a tokenizer with 4 tokens, that of the embeddings has 3"):
        frequency_norms(norms, counts_of([1, 2, 3, 4]))
    with pytest.raises(CountsError, match="expected TokenCounts"):
        frequency_norms(norms, [1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(CountsError, match="none of the tokens that were seen has an embedding"):
        frequency_norms(norms_of([1.0], vocabulary_size=3), counts_of([0, 0, 5]))
    for options, message in [
        ({"bins": 1}, "bins must be a whole number from 2 to 1000, got 1"),
        ({"bins": 1001}, "bins must be a whole number from 2 to 1000, got 1001"),
        ({"bins": 2.5}, "bins must be"),
        ({"resamples": 0}, "resamples must be"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"confidence": 1.0}, "confidence must lie between 0 and 1"),
        ({"confidence": float("nan")}, "confidence must lie"),
    ]:
        with pytest.raises(InputError, match=message):
            frequency_norms(norms, counts, **options)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- CSV


def test_csv_round_trip() -> None:
    tokens = ('say "hi", you', "a\nb", "\r\n", "\r", "", " x ", "null", "=1+1", "Ã", "<0x0A>", "🙂", "\x00", "'", "é")
    made = norms_of(np.arange(len(tokens)) / 3 + 0.1)
    made = TokenNorms.from_dict({**made.to_dict(), "tokens": tokens, "model": 'a "model", here'})
    text = norms_csv([(made, counts_of(range(len(tokens)), data="données")), (made, counts_of([1] * len(tokens)))])
    assert text.encode().decode() == text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["token"] for row in rows] == [*tokens, *tokens]
    assert [float(row["norm"]) for row in rows] == [*made.norms, *made.norms]
    assert [int(row["frequency"]) for row in rows[: len(tokens)]] == list(range(len(tokens)))
    assert [int(row["token_id"]) for row in rows[: len(tokens)]] == list(range(len(tokens)))
    assert {(row["class"], row["model"]) for row in rows} == {("word-start", 'a "model", here')}
    assert (rows[0]["data"], rows[-1]["data"]) == ("données", "")
    # RFC 4180: lines end in CRLF, quotes are doubled.
    assert text.startswith("token_id,token,class,frequency,norm,model,data\r\n")
    assert '0,"say ""hi"", you",word-start,0,' in text
