"""Random words of the same frequencies in the place of the pairs' words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embgeom.hierarchy.groups import spread
from embgeom.hierarchy.records import MatchedControl, MonteCarlo, PairNorms
from embgeom.words import norms_of, word_tokens

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.embeddings import Embeddings

__all__ = ["matched_control"]

_RATIO = 1.25
_LEAST_STAND_INS = 10
_REPLICATES = 9_999


def matched_control(
    embeddings: Embeddings,
    counts: TokenCounts,
    rows: Sequence[PairNorms],
    *,
    pairs: Sequence[tuple[str, str]],
    seed: int,
) -> MatchedControl | None:
    """Compare the pairs with random ones of the same frequencies, by Monte Carlo.

    A stand-in of a word is another word of the vocabulary, not in any pair, whose frequency is the word's up to a
    factor of 1.25. Words are tokens of lower-case letters that the tokenizer makes of their own text after a space,
    so that neither pieces of words nor digits, punctuation or special tokens take part. Each replicate draws one
    stand-in for every word, the same in all its pairs: what pairs with a common general word have in common, the
    replicates have as well.

    Parameters
    ----------
    embeddings, counts, seed
        As for :func:`embgeom.hierarchy.general_specific`.
    rows : sequence of PairNorms
        The pairs to compare; those with a word that never occurs, or has fewer than 10 stand-ins, are left out.
    pairs : sequence of (str, str)
        All pairs, whose words are no stand-ins.

    Returns
    -------
    MatchedControl or None
        None where no pair is left.
    """
    ids, frequencies = _stand_ins(embeddings, counts, {word for pair in pairs for word in pair})
    frequency = {row.general: row.general_frequency or 0 for row in rows}
    frequency |= {row.specific: row.specific_frequency or 0 for row in rows}
    exact = np.array(list(frequency.values()), dtype=np.float64)
    bounds = np.searchsorted(frequencies, exact / _RATIO, "left"), np.searchsorted(frequencies, exact * _RATIO, "right")
    first, last = (dict(zip(frequency, bound.tolist(), strict=True)) for bound in bounds)
    enough = {word for word, count in frequency.items() if count and last[word] - first[word] >= _LEAST_STAND_INS}
    kept = [row for row in rows if row.general in enough and row.specific in enough]
    if not kept:
        return None
    words = list(dict.fromkeys(word for row in kept for word in (row.general, row.specific)))
    place = {word: number for number, word in enumerate(words)}
    general = [place[row.general] for row in kept]
    specific = [place[row.specific] for row in kept]
    low, high = (np.array([bound[word] for word in words]) for bound in (first, last))
    norms = norms_of(embeddings, ids)
    generator = np.random.default_rng(seed)
    shares, differences = np.empty((2, _REPLICATES))
    for number in range(_REPLICATES):
        drawn = norms[generator.integers(low, high)]
        shares[number], differences[number] = _statistics(drawn[general], drawn[specific])
    observed = _statistics(np.array([row.general_norm for row in kept]), np.array([row.specific_norm for row in kept]))
    stand_ins = spread((high - low).tolist())
    assert stand_ins is not None
    return MatchedControl(
        pairs=len(kept),
        share=_against(observed[0], shares),
        difference=_against(observed[1], differences),
        general_more_frequent=float(np.mean([frequency[row.general] > frequency[row.specific] for row in kept])),
        stand_ins=stand_ins,
        ratio=_RATIO,
        replicates=_REPLICATES,
    )


def _stand_ins(
    embeddings: Embeddings, counts: TokenCounts, excluded: set[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids and frequencies of the words of the vocabulary that occur, by ascending frequency."""
    known = dict(zip(counts.token_ids, counts.frequencies, strict=True))
    texts = [text.strip() for text in embeddings.tokenizer.batch_decode([[number] for number in known])]
    letters = {
        number: text
        for number, text in zip(known, texts, strict=True)
        if text.isalpha() and text.islower() and text not in excluded
    }
    found = word_tokens(embeddings.tokenizer, list(dict.fromkeys(letters.values()))).found
    ids = np.array([number for number, text in letters.items() if found.get(text) == number], dtype=np.int64)
    frequencies = np.array([known[number] for number in ids.tolist()], dtype=np.int64)
    order = np.argsort(frequencies, kind="stable")
    return ids[order], frequencies[order]


def _statistics(general: NDArray[np.float64], specific: NDArray[np.float64]) -> tuple[float, float]:
    """Return the share of pairs with ‖general‖ < ‖specific‖, ties one half, and the mean of ‖general‖ − ‖specific‖."""
    difference = general - specific
    return float((1 - np.sign(difference)).mean() / 2), float(difference.mean())


def _against(observed: float, replicates: NDArray[np.float64]) -> MonteCarlo:
    # Equal but for the rounding of a mean counts as equal.
    slack = 1e-12 * max(1.0, abs(observed))
    tails = [(replicates >= observed - slack).sum(), (replicates <= observed + slack).sum()]
    p_value = min(1.0, 2 * (min(tails) + 1) / (len(replicates) + 1))
    low, high = np.quantile(replicates, [0.025, 0.975]).tolist()
    return MonteCarlo(observed, float(replicates.mean()), (low, high), float(p_value))
