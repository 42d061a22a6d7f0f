"""General against specific words: binomial tests by hand, planted frequencies, and the list itself."""

from __future__ import annotations

from itertools import product
from math import comb, log
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom import load_embeddings, load_texts
from embgeom.counts import token_counts
from embgeom.errors import OptionError
from embgeom.hierarchy import PairTest, general_specific, hypernym_pairs
from tests.hierarchy.planted import counts_of, embeddings_of, word_tokenizer

PAIRS = [
    ("animal", "dog"),
    ("animal", "cow"),
    ("animal", "cat"),
    ("fruit", "apple"),
    ("color", "red"),
    ("color", "tan"),
]
WORDS = list(dict.fromkeys(word for pair in PAIRS for word in pair))


def binomial(smaller: int, n: int) -> float:
    """Two-sided: of all outcomes, those no likelier than this one."""
    return sum(comb(n, k) for k in range(n + 1) if comb(n, k) <= comb(n, smaller)) / 2**n


# ---------------------------------------------------------------------- the list


def test_the_list() -> None:
    pairs = hypernym_pairs()
    assert len(pairs) >= 300
    assert len(set(pairs)) == len(pairs)
    assert all(word.isascii() and word.isalpha() and word.islower() for pair in pairs for word in pair)
    general, specific = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert len(set(specific)) == len(specific), "a specific word has two general ones"
    assert not set(general) & set(specific), "a chain"
    assert nx.is_forest(nx.Graph(pairs))
    assert len(set(general)) >= 60


def test_the_list_tells_how_it_was_made() -> None:
    import embgeom.hierarchy.pairs as module

    text = (Path(module.__file__).parent / "data" / "hypernyms.yaml").read_text(encoding="utf-8")
    head = text.split("\n\nliving things:")[0]
    assert head.startswith("#")
    assert "by hand" in head


# -------------------------------------------------------------------- sign tests


def test_by_hand() -> None:
    norms = {"animal": 2.0, "dog": 3.0, "cow": 3.5, "cat": 1.0, "fruit": 2.0, "apple": 1.0, "color": 2.0, "red": 1.0}
    result = general_specific(embeddings_of(word_tokenizer(WORDS), norms | {"tan": 3.0}), pairs=PAIRS)
    assert (result.by_pair.smaller, result.by_pair.n, result.by_pair.ties) == (3, 6, 0)
    assert result.by_pair.share == 0.5
    assert result.by_pair.p_value == pytest.approx(1)
    # animal is shorter than two of three, fruit longer, color in the middle.
    assert (result.by_hypernym.smaller, result.by_hypernym.n, result.by_hypernym.ties) == (1, 2, 1)
    assert [row.general_norm for row in result.pairs[:2]] == pytest.approx([2, 2])
    assert [row.specific_norm for row in result.pairs[:2]] == pytest.approx([3, 3.5])
    assert (result.matched, result.unseen, result.data) == (None, None, None)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.5, 2.0]), min_size=len(PAIRS), max_size=len(PAIRS)), st.floats(0.01, 100))
def test_the_binomial_test(norms: list[float], scale: float) -> None:
    planted = dict(zip([specific for _, specific in PAIRS], norms, strict=True))
    result = general_specific(embeddings_of(word_tokenizer(WORDS), planted, scale=scale), pairs=PAIRS).by_pair
    smaller = norms.count(2.0)
    assert (result.smaller, result.n) == (smaller, 6)
    assert result.p_value == pytest.approx(binomial(smaller, 6))
    assert result.interval is not None
    low, high = result.interval
    assert low <= smaller / 6 <= high
    if smaller == 6:  # Clopper and Pearson: p⁶ = 2.5 %
        assert (low, high) == pytest.approx((0.025 ** (1 / 6), 1))


def test_one_general_word_in_many_pairs_counts_once() -> None:
    """Were 20 pairs of one short word independent, p would be 2⁻¹⁹; by hypernyms there is nothing to see."""
    pairs = [("animal", f"w{number}") for number in range(20)]
    words = ["animal", *(f"w{number}" for number in range(20))]
    tokenizer = word_tokenizer(words)
    result = general_specific(embeddings_of(tokenizer, {"animal": 0.5}), pairs=pairs)
    assert result.by_pair.p_value == pytest.approx(2**-19)
    assert result.by_hypernym.p_value == 1


def test_by_hypernym_is_even_odds_under_exchange() -> None:
    """Over all orders of the norms of a hypernym and its words, as many make it shorter as longer."""
    for n in (1, 2, 3, 4):
        pairs = [("g", f"s{number}") for number in range(n)]
        tokenizer = word_tokenizer(["g", *(f"s{number}" for number in range(n))])
        balance = 0
        for rank in range(n + 1):  # the rank of the general word's norm is all that counts
            norms = {f"s{number}": 1.0 + number + (number >= rank) for number in range(n)} | {"g": 1.0 + rank}
            test = general_specific(embeddings_of(tokenizer, norms), pairs=pairs).by_hypernym
            balance += 2 * test.smaller - test.n
        assert balance == 0


def test_words_left_out() -> None:
    tokenizer = word_tokenizer([word for word in WORDS if word not in ("cow", "color")])
    result = general_specific(embeddings_of(tokenizer, {}), pairs=PAIRS)
    assert result.left_out == (("animal", "cow"), ("color", "red"), ("color", "tan"))
    assert {word.word for word in result.split} == {"cow", "color"}
    assert len(result.pairs) == 3


def test_no_pair_at_all() -> None:
    tokenizer = word_tokenizer(["zebra"])
    result = general_specific(embeddings_of(tokenizer, {}), counts_of(tokenizer, {"zebra": 3}))
    assert (result.pairs, len(result.left_out)) == ((), len(hypernym_pairs()))
    assert (result.by_pair.n, result.by_pair.share, result.by_pair.p_value) == (0, None, None)
    assert (result.matched, result.unseen) == (None, 0)
    assert PairTest.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "there are no pairs"),
        ([("animal", "dog"), ("animal", "dog")], "occurs 2 times"),
        ([("dog", "dog")], "joins a word to itself"),
    ],
)
def test_bad_pairs(pairs, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=message):
        general_specific(embeddings_of(word_tokenizer(WORDS), {}), pairs=pairs)


# ---------------------------------------------------------------------- matching


def letters(count: int, first: str = "q") -> list[str]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return [first + "".join(word) for word in list(product(alphabet, repeat=2))[:count]]


def planted_corpus(generator: np.random.Generator, *, shift: float = 0.0, noise: float = 0.05):  # type: ignore[no-untyped-def]
    """Norms that fall with the log frequency, and by ``shift`` more for general words, which are more frequent."""
    pairs = [(f"g{general}", f"{general}{second}") for general in letters(20, "g") for second in "xy"]
    frequency = {general: int(generator.integers(60, 90)) for general, _ in pairs}
    frequency |= {specific: int(generator.integers(10, 20)) for _, specific in pairs}
    others = dict.fromkeys(letters(200), 0)
    others = {word: int(generator.integers(60, 90) if number % 2 else generator.integers(10, 20))
              for number, word in enumerate(others)}  # fmt: skip
    general = {pair[0] for pair in pairs}
    every = frequency | others
    norms = {
        word: 3 - 0.4 * log(count) - shift * (word in general) + noise * float(generator.normal())
        for word, count in every.items()
    }
    tokenizer = word_tokenizer(list(every))
    return pairs, embeddings_of(tokenizer, norms), counts_of(tokenizer, every)


def test_frequency_alone_is_told_from_generality() -> None:
    """Where the norm depends on frequency only, the plain test rejects and the matched one does not."""
    p_values = []
    for seed in range(8):
        pairs, embeddings, counts = planted_corpus(np.random.default_rng(seed), noise=0.4)
        result = general_specific(embeddings, counts, pairs=pairs, seed=seed)
        assert result.matched is not None
        assert result.by_pair.share > 0.6
        assert result.matched.general_more_frequent == 1
        assert result.matched.pairs == 40
        p_values.append(result.matched.difference.p_value)
    assert np.median(p_values) > 0.1
    assert len(set(p_values)) > 1


def test_a_difference_beyond_frequency_is_found() -> None:
    for shift, sign in ((0.5, 1), (-0.5, -1)):
        pairs, embeddings, counts = planted_corpus(np.random.default_rng(0), shift=shift, noise=0.4)
        matched = general_specific(embeddings, counts, pairs=pairs).matched
        assert matched is not None
        for test in (matched.share, matched.difference):
            assert test.p_value < 0.05
        assert matched.difference.p_value < 0.01
        assert sign * (matched.share.observed - matched.share.expected) > 0.05
        assert matched.difference.observed - matched.difference.expected == pytest.approx(-shift, abs=0.3)


def test_stand_ins_have_the_frequency_of_their_word() -> None:
    """Norm = 1/frequency: what is expected lies where frequencies within a factor of 1.25 put it."""
    general, specific = 1000, 100
    near, far = letters(12, "n"), letters(12, "f")
    every = {"animal": general, "dog": specific}
    every |= dict(zip(near, np.linspace(0.8, 1.25, 12).round(3) * general, strict=True))
    every |= dict(zip(far, np.linspace(0.8, 1.25, 12).round(3) * specific, strict=True))
    every |= dict.fromkeys(letters(9, "b"), 500) | dict.fromkeys(letters(9, "c"), 1300)
    every = {word: int(count) for word, count in every.items()}
    tokenizer = word_tokenizer(list(every))
    embeddings = embeddings_of(tokenizer, {word: 1 / count for word, count in every.items()})
    matched = general_specific(embeddings, counts_of(tokenizer, every), pairs=[("animal", "dog")]).matched
    assert matched is not None
    assert (matched.stand_ins.minimum, matched.stand_ins.maximum) == (12, 12)
    assert (matched.share.observed, matched.share.expected, matched.share.p_value) == (1, 1, 1)
    mean = np.mean([1 / every[word] for word in near]) - np.mean([1 / every[word] for word in far])
    assert matched.difference.expected == pytest.approx(mean, rel=0.02)
    assert 1 / general - 1 / specific == pytest.approx(matched.difference.observed)


def test_words_that_cannot_be_matched() -> None:
    """Never seen, or fewer than ten stand-ins: left out of the control, and no more than that."""
    every = dict(zip(WORDS, [50, 50, 50, 0, 50, 50, 900, 50, 50], strict=False)) | dict.fromkeys(letters(10), 50)
    assert every["cat"] == 0
    assert every["color"] == 900
    tokenizer = word_tokenizer(list(every))
    result = general_specific(embeddings_of(tokenizer, {}), counts_of(tokenizer, every), pairs=PAIRS)
    assert (len(result.pairs), result.unseen) == (6, 1)
    assert result.matched is not None
    assert result.matched.pairs == 3  # not the cat's, nor the two of color
    few = dict.fromkeys([*WORDS, *letters(9)], 50)
    tokenizer = word_tokenizer(list(few))
    assert general_specific(embeddings_of(tokenizer, {}), counts_of(tokenizer, few), pairs=PAIRS).matched is None


def test_what_is_no_word_is_no_stand_in() -> None:
    others = ["Upper", "12", "x1", *letters(9)]
    every = dict.fromkeys([*WORDS, *others], 50)
    tokenizer = word_tokenizer(list(every))
    assert general_specific(embeddings_of(tokenizer, {}), counts_of(tokenizer, every), pairs=PAIRS).matched is None


def test_seeds() -> None:
    pairs, embeddings, counts = planted_corpus(np.random.default_rng(3), noise=0.4)
    one, again, other = (general_specific(embeddings, counts, pairs=pairs, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.matched != other.matched
    assert one.by_pair == other.by_pair


def test_a_real_model(minilm: Path, assets: Path) -> None:
    embeddings = load_embeddings(str(minilm))
    counts = token_counts(load_texts(assets / "data" / "gsm8k" / "test.json"), embeddings.tokenizer)
    result = general_specific(embeddings, counts)
    assert len(result.pairs) + len(result.left_out) == len(hypernym_pairs())
    assert len(result.pairs) > 300
    matrix, ids = embeddings.matrix.double().numpy(), embeddings.tokenizer.get_vocab()
    norms = {word: np.linalg.norm(matrix[ids[word]]) for row in result.pairs for word in (row.general, row.specific)}
    smaller = sum(norms[row.general] < norms[row.specific] for row in result.pairs)
    assert result.by_pair.smaller == smaller
    known = counts.dense(len(embeddings))
    assert result.unseen == sum(not (known[ids[r.general]] and known[ids[r.specific]]) for r in result.pairs)
    assert result.matched is not None
    assert 50 < result.matched.pairs <= len(result.pairs) - result.unseen
    assert PairTest.from_json(result.to_json()) == result


@pytest.mark.parametrize("pairs", [[("the",)], [("a", 1)], ["ab"], "ab", 3, [None]], ids=str)
def test_pairs_that_are_none(pairs: object) -> None:
    with pytest.raises(OptionError, match="expected pairs of a general and a specific word, got"):
        general_specific(embeddings_of(word_tokenizer(WORDS), {}), pairs=pairs)  # type: ignore[arg-type]
