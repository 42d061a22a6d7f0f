"""The tree of a set of words: the tokens that they are, and the words that are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from embgeom import Embeddings, ModelError, OptionError, PointsError, load_embeddings
from embgeom.trees import TreeFit, fit_tree, token_tree
from tests.trees.examples import splits

WORDS = ["dog", "cow", "animal", "apple", "banana", "fruit", "red", "purple", "color"]


@pytest.fixture(scope="module")
def embeddings(minilm: Path) -> Embeddings:
    return load_embeddings(minilm)


def test_distances_are_those_of_the_tokens(embeddings: Embeddings) -> None:
    fit = token_tree(embeddings, WORDS, method="neighbor-joining")
    ids = embeddings.tokenizer.convert_tokens_to_ids(WORDS)
    rows = embeddings.matrix[ids].double().numpy()
    d = np.linalg.norm(rows[:, None] - rows, axis=2)
    plain = fit_tree(d, method="neighbor-joining", root=int(d.sum(1).argmin()), labels=WORDS)
    assert fit.labels == tuple(WORDS)
    assert fit.token_ids == tuple(ids)
    assert fit.root == plain.root
    assert splits(fit.edges, range(9)) == pytest.approx(splits(plain.edges, range(9)))
    assert fit.additive_distortion == pytest.approx(plain.additive_distortion)
    assert (fit.model, fit.layer, fit.metric) == (embeddings.model, "input", "euclidean")
    assert fit.provenance["tensor"] == embeddings.tensor
    assert TreeFit.from_json(fit.to_json()) == fit


def test_words_of_a_kind_are_neighbours(embeddings: Embeddings) -> None:
    graph = token_tree(embeddings, WORDS, method="neighbor-joining").graph()
    for kind in (["dog", "cow", "animal"], ["apple", "banana", "fruit"], ["red", "purple", "color"]):
        inside = [WORDS.index(word) for word in kind]
        sides = []
        for edge in graph.edges:
            cut = graph.copy()
            cut.remove_edge(*edge)
            sides += [side & set(range(len(WORDS))) for side in map(set, nx.connected_components(cut))]
        assert set(inside) in sides


def test_words_that_are_no_token_of_their_own_are_named(embeddings: Embeddings) -> None:
    fit = token_tree(embeddings, ["dog", "hyperbolicity", "cow", "Dog", "red", "dog", "☃"], root="cow")
    assert fit.labels == ("dog", "cow", "red")
    assert fit.left_out == ("hyperbolicity", "Dog", "☃")
    assert fit.root == 1


def test_metric(embeddings: Embeddings) -> None:
    fit = token_tree(embeddings, WORDS, metric="angular")
    assert 0 < fit.diameter < np.pi
    with pytest.raises(OptionError, match="unknown metric"):
        token_tree(embeddings, WORDS, metric="hamming")


def test_too_few_words(embeddings: Embeddings) -> None:
    with pytest.raises(OptionError, match=r"three words or more .* got 2 \(dog, cow\); left out: hyperbolicity"):
        token_tree(embeddings, ["dog", "cow", "hyperbolicity"])
    with pytest.raises(OptionError, match=r"got 0 \(none\); left out: none"):
        token_tree(embeddings, [])
    with pytest.raises(OptionError, match="expected a list of words, got one text 'dog cow red'"):
        token_tree(embeddings, "dog cow red")
    for wrong, message in (([1, 2, 3], "expected words, got int '1'"), (None, "got NoneType"), ([["a"]], "got list")):
        with pytest.raises(OptionError, match=message):
            token_tree(embeddings, wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"expected Embeddings, .* got str 'demo'"):
        token_tree("demo", WORDS)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="blank"):
        token_tree(embeddings, ["dog", " ", "cow", "red"])
    with pytest.raises(OptionError, match="root 'fish' is none of the words"):
        token_tree(embeddings, WORDS, root="fish")
    with pytest.raises(OptionError, match="unknown method"):
        token_tree(embeddings, WORDS, method="upgma")


def test_cosine_is_no_metric(embeddings: Embeddings) -> None:
    # 1 - cos grows as the square of the angle: a point between two makes the way round the shorter one.
    matrix = embeddings.matrix.clone()
    ids = embeddings.tokenizer.convert_tokens_to_ids(["dog", "cow", "red"])
    matrix[ids[2]] = matrix[ids[0]] + matrix[ids[1]]
    with pytest.raises(PointsError, match="longer than a way round"):
        token_tree(replace(embeddings, matrix=matrix), ["dog", "cow", "red"], metric="cosine")
