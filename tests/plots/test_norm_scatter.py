"""Every token is a point at its frequency and norm; those that were never seen stand on the left."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from embgeom import CountsError
from embgeom.plots import frequency_norm_scatter
from tests.figures.drawn import check_readable
from tests.norms.made import counts_of, norms_of

NORMS = np.array([1.5, 2.0, 0.5, 1.0, 3.0])


def points(line: object) -> list[tuple[float, float]]:
    return [tuple(point) for point in line.get_xydata().tolist()]  # type: ignore[attr-defined]


def test_points_are_frequency_and_norm() -> None:
    axes = frequency_norm_scatter(norms_of(NORMS), counts_of([0, 3, 1200, 1, 0]))
    check_readable(axes)
    seen, never = axes.lines
    assert points(seen) == [(3, 2.0), (1200, 0.5), (1, 1.0)]
    assert [norm for _, norm in points(never)] == [1.5, 3.0]
    assert all(place < 1 for place, _ in points(never))
    assert [str(line.get_label()) for line in axes.lines] == ["3 token types in the texts", "2 not"]
    assert next(label.get_text() for label in axes.get_xticklabels()) == "0"
    assert axes.get_xticks()[1:].tolist() == [1, 10, 100, 1000]
    low, high = axes.get_xlim()
    assert low < min(place for place, _ in points(never)) < 1200 < high


def test_all_seen_and_none_seen() -> None:
    every = frequency_norm_scatter(norms_of(NORMS), counts_of([1] * 5))
    assert len(every.lines) == 1
    assert every.get_xlim()[0] > 0.5
    none = frequency_norm_scatter(norms_of(NORMS), counts_of([0] * 5))
    assert [str(line.get_label()) for line in none.lines] == ["5 not"]


def test_special_tokens_that_were_not_counted_are_left_out() -> None:
    counts = dataclasses.replace(counts_of([0, 3, 2, 1, 0]), special_tokens=False, special_token_ids=(0,))
    seen, never = frequency_norm_scatter(norms_of(NORMS), counts).lines
    assert [norm for _, norm in points(never)] == [3.0]
    assert len(points(seen)) == 3


def test_counts_of_another_tokenizer() -> None:
    with pytest.raises(CountsError, match="count with the model's own"):
        frequency_norm_scatter(norms_of(NORMS), counts_of([1] * 6))
