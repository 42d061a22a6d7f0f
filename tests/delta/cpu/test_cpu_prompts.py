"""All prompts in one call equal one prompt at a time."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_spaces import all_gaps, euclidean, fixed_base_oracle, four_point_oracle

from embgeom.delta.cpu import fixed_base_batch, four_point_batch, prompts


def corpus(seed: int, lengths: list[int], *, vocabulary: int = 60, dtype: type = np.float32):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(vocabulary, 17)).astype(dtype)
    rows = rng.integers(vocabulary, size=sum(lengths))
    return vectors, rows, np.concatenate([[0], np.cumsum(lengths)])


LENGTHS = [0, 1, 2, 3, 4, 5, 12, 30, 45, 7, 4, 60, 33, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [fixed_base_batch, four_point_batch])
def test_equals_one_prompt_at_a_time(batch, dtype) -> None:
    vectors, rows, offsets = corpus(0, LENGTHS, dtype=dtype)
    found = batch(vectors, rows, offsets)
    for i, length in enumerate(LENGTHS):
        tokens = rows[offsets[i] : offsets[i + 1]]
        distances = euclidean(vectors[tokens].astype(np.float64))
        assert found.distinct[i] == len(set(tokens.tolist()))
        assert found.diameter[i] == pytest.approx(distances.max(initial=0), rel=1e-14)
        if length < 4:
            assert found.two_delta[i] == 0
            assert (found.witnesses[i] == -1).all()
            continue
        oracle = fixed_base_oracle(distances, 0) if batch is fixed_base_batch else four_point_oracle(distances)
        # The sums of squares are taken in another order, hence the last digits.
        assert found.two_delta[i] == pytest.approx(oracle, rel=1e-13, abs=1e-14)
        assert len(set(found.witnesses[i].tolist())) == 4
        assert all_gaps(distances, found.witnesses[i][None])[0] == pytest.approx(found.two_delta[i], abs=1e-13)
        if batch is fixed_base_batch:
            assert found.witnesses[i, 0] == 0


def test_long_prompts_take_the_other_way_and_agree(monkeypatch) -> None:
    vectors, rows, offsets = corpus(1, [80, 10, 50, 3, 70])
    short = [batch(vectors, rows, offsets) for batch in (fixed_base_batch, four_point_batch)]
    monkeypatch.setattr(prompts, "_LONG", 20)
    for before, batch in zip(short, (fixed_base_batch, four_point_batch), strict=True):
        after = batch(vectors, rows, offsets)
        np.testing.assert_array_equal(after.two_delta, before.two_delta)
        np.testing.assert_array_equal(after.diameter, before.diameter)
        np.testing.assert_array_equal(after.distinct, before.distinct)
        assert after.certificate == before.certificate


def test_a_prompt_of_many_distinct_tokens() -> None:
    vectors, rows, offsets = corpus(2, [400, 20], vocabulary=2000)
    found = fixed_base_batch(vectors, rows, offsets)
    assert found.distinct[0] > prompts._LONG
    points = vectors[rows[:400]].astype(np.float64)
    gromov = euclidean(points)
    gromov = gromov[0][:, None] + gromov[0] - gromov
    best = max((np.minimum(gromov[x], gromov).max(axis=1) - gromov[x]).max() for x in range(400))
    assert found.two_delta[0] == pytest.approx(best, rel=1e-12)


def test_repeats_and_near_duplicates() -> None:
    """Distances of 1e-9 between vectors of norm 1e3 survive, and a repeated token has distance 0."""
    vectors = np.array([[1e3, 0], [1e3 + 1e-9, 0], [1e3, 1e-9], [1e3 + 1e-9, 1e-9]])
    found = four_point_batch(vectors, np.array([0, 1, 0, 3, 2, 2]), np.array([0, 6]))
    side = vectors[1, 0] - 1e3
    diagonal = np.hypot(side, 1e-9)
    assert found.diameter[0] == pytest.approx(diagonal, rel=1e-12)
    assert found.two_delta[0] == pytest.approx(2 * diagonal - 2 * max(side, 1e-9), rel=1e-9)
    repeated = four_point_batch(vectors, np.zeros(9, np.int64), np.array([0, 9]))
    assert repeated.two_delta[0] == 0
    assert repeated.diameter[0] == 0
    assert repeated.distinct[0] == 1


@pytest.mark.parametrize("scale", [1e-12, 1e6, 1e120])
def test_scales(scale) -> None:
    vectors, rows, offsets = corpus(3, [40, 20], dtype=np.float64)
    found, scaled = four_point_batch(vectors, rows, offsets), four_point_batch(vectors * scale, rows, offsets)
    np.testing.assert_allclose(scaled.two_delta, found.two_delta * scale, rtol=1e-12)


def test_order_of_prompts_does_not_matter() -> None:
    vectors, rows, offsets = corpus(4, LENGTHS * 20)
    found = four_point_batch(vectors, rows, offsets)
    reversed_prompts = [rows[offsets[i] : offsets[i + 1]] for i in range(len(offsets) - 2, -1, -1)]
    lengths = [len(prompt) for prompt in reversed_prompts]
    back = four_point_batch(vectors, np.concatenate(reversed_prompts), np.concatenate([[0], np.cumsum(lengths)]))
    np.testing.assert_array_equal(back.two_delta[::-1], found.two_delta)
    np.testing.assert_array_equal(back.witnesses[::-1], found.witnesses)


def test_no_prompts() -> None:
    found = fixed_base_batch(np.zeros((3, 2)), np.zeros(0, np.int64), np.zeros(1, np.int64))
    assert found.two_delta.shape == (0,)
    assert found.witnesses.shape == (0, 4)
