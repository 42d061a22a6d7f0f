"""General words against specific ones: whose embeddings are shorter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from embgeom.checks import require_embeddings
from embgeom.errors import OptionError
from embgeom.hierarchy.matching import matched_control
from embgeom.hierarchy.pairs import hypernym_pairs
from embgeom.hierarchy.records import LeftOut, PairNorms, PairTest, SignTest
from embgeom.words import frequencies_of, norms_of, provenance, word_tokens

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.embeddings import Embeddings

__all__ = ["general_specific"]


def general_specific(
    embeddings: Embeddings,
    counts: TokenCounts | None = None,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    seed: int = 0,
) -> PairTest:
    """Test whether ‖general‖ < ‖specific‖ over pairs of a general and a specific word, also given their frequencies.

    Three answers, each to the objection to the one before:

    - ``by_pair``: the share of pairs with ‖general‖ < ‖specific‖, with its exact binomial test. It takes the pairs
      for independent, which they are not: one short "animal" makes many pairs.
    - ``by_hypernym``: each general word counts once, by the majority of its pairs. In the built-in list no word is in
      the pairs of two general words, so that these are independent. If a general word is like its specific ones, it
      is shorter than most of them with probability ½, whatever the distribution of norms: the test is exact.
    - ``matched``: general words are more frequent, and frequency alone goes with the norm. So each word is replaced by
      a random word of the vocabulary of nearly its frequency, many times, the arrangement in pairs kept; ``expected``
      is what such words give. A small p-value says that general and specific words differ from other words of their
      frequencies: not that generality is the cause. Words that are alike in frequency can differ in part of speech,
      length or in how they were split; and the frequencies are those of the corpus given, not of the training data.

    Parameters
    ----------
    embeddings : Embeddings
        With a tokenizer.
    counts : TokenCounts, optional
        Of the same tokenizer; without them there is no ``matched``.
    pairs : sequence of (str, str), optional
        (general, specific); by default those of :func:`embgeom.hierarchy.hypernym_pairs`.
    seed : int
        Of the stand-ins that are drawn.

    Returns
    -------
    PairTest
        Pairs of which a word is no single token are left out and named; where none is left, shares and p-values
        are None.

    Raises
    ------
    OptionError
        If there are no pairs, or one is none of two words, occurs twice or joins a word to itself.
    CountsError
        If ``counts`` are none.
    ModelError
        If these are no embeddings, or the model has no tokenizer.
    PointsError
        If the embedding of a word is not finite.
    """
    require_embeddings(embeddings)
    pairs = hypernym_pairs() if pairs is None else _as_pairs(pairs)
    words = word_tokens(embeddings.tokenizer, list(dict.fromkeys(word for pair in pairs for word in pair)))
    usable = [pair for pair in pairs if set(pair) <= set(words.found)]
    ids = [words.found[word] for pair in usable for word in pair]
    norms = iter(norms_of(embeddings, ids).tolist())
    frequencies = iter(frequencies_of(counts, ids))
    # zip takes two from one iterator: the general word's and the specific one's.
    rows = tuple(
        PairNorms(general, specific, *norm, *frequency)
        for (general, specific), norm, frequency in zip(
            usable, zip(norms, norms, strict=True), zip(frequencies, frequencies, strict=True), strict=True
        )
    )
    signs = [_sign(row.specific_norm - row.general_norm) for row in rows]
    balance: Counter[str] = Counter()
    for row, sign in zip(rows, signs, strict=True):
        balance[row.general] += sign
    return PairTest(
        pairs=rows,
        left_out=tuple(pair for pair in pairs if pair not in set(usable)),
        split=tuple(LeftOut(word, pieces) for word, pieces in words.split.items()),
        by_pair=_sign_test(signs),
        by_hypernym=_sign_test([_sign(total) for total in balance.values()]),
        unseen=None if counts is None else sum(not (row.general_frequency and row.specific_frequency) for row in rows),
        matched=None if counts is None else matched_control(embeddings, counts, rows, pairs=pairs, seed=seed),
        model=embeddings.model,
        layer=embeddings.layer,
        data=None if counts is None else counts.data,
        seed=seed,
        provenance=provenance(embeddings, counts),
    )


def _sign_test(signs: Sequence[int]) -> SignTest:
    """Count the positive ones among those that are not 0, and test that against one half."""
    from scipy.stats import binomtest

    smaller, n = signs.count(1), len(signs) - signs.count(0)
    if not n:
        return SignTest(0, 0, len(signs), None, None, None)
    test = binomtest(smaller, n, 0.5)
    low, high = test.proportion_ci(0.95, method="exact")
    return SignTest(n, smaller, len(signs) - n, smaller / n, (float(low), float(high)), float(test.pvalue))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _as_pairs(given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise OptionError(f"expected pairs of a general and a specific word, got {type(given).__name__}")
    pairs = []
    for pair in given:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(word, str) for word in pair)):
            raise OptionError(f"expected pairs of a general and a specific word, got {str(pair)[:40]}")
        pairs.append((pair[0], pair[1]))
    if not pairs:
        raise OptionError("there are no pairs of a general and a specific word")
    for pair, times in Counter(pairs).items():
        if times > 1:
            raise OptionError(f"the pair {pair} occurs {times} times; give each pair once")
        if pair[0] == pair[1]:
            raise OptionError(f"the pair {pair} joins a word to itself")
    return pairs
