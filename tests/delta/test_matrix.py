"""A matrix that is given as one of distances: taken, repaired or refused alike, whatever looks at it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embgeom import PointsError
from embgeom.delta.checks import as_distances
from tests.oracles import cloud

CPU = torch.device("cpu")


TRIANGLE = re.compile(r"d\(\d+,\d+\) > d\(\d+,\d+\) \+ d\(\d+,\d+\)")  # of several as bad, either may be named


def outcome(matrix: np.ndarray, backend: str) -> tuple[object, ...]:
    """What came back as nested lists, or the error; and the warnings."""
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr("embgeom.delta.engine.backend_of", lambda device: backend)
        try:
            result: object = as_distances(matrix, device=CPU).tolist()
        except PointsError as error:
            result = TRIANGLE.sub("d > d + d", str(error))
    return result, [TRIANGLE.sub("d > d + d", str(each.message)) for each in caught]


@given(
    n=st.integers(4, 40),
    d=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([0.0, 1e-15, 1e-9, 1e-3, 3.0]),
    kind=st.sampled_from(["asymmetric", "negative", "diagonal", "stretched", "shrunk", "missing", "infinite"]),
    unit=st.sampled_from([1.0, 1e-200, 1e200]),
)
@settings(max_examples=150, deadline=None)
def test_compiled_and_plain_checks_agree(n: int, d: int, seed: int, size: float, kind: str, unit: float) -> None:
    rng = np.random.default_rng(seed)
    points = cloud(n, d, seed % 1000)
    matrix = np.linalg.norm(points[:, None] - points, axis=2)
    i, j = rng.choice(n, 2, replace=False)
    change = size * matrix.max()
    if kind == "asymmetric":
        matrix[i, j] += change
    elif kind == "negative":
        matrix[i, j] = matrix[j, i] = -change
    elif kind == "diagonal":
        matrix[i, i] = change
    elif kind in ("stretched", "shrunk"):
        matrix[i, j] = matrix[j, i] = max(0.0, matrix[i, j] + (change if kind == "stretched" else -change))
    else:
        matrix[i, j] = np.nan if kind == "missing" else np.inf
    assert outcome(matrix * unit, "numba") == outcome(matrix * unit, "torch")


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_what_was_given_is_neither_changed_nor_kept(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embgeom.delta.engine.backend_of", lambda device: backend)
    points = cloud(9, 40, 0)
    given_matrix = torch.from_numpy(np.linalg.norm(points[:, None] - points, axis=2))
    before = given_matrix.clone()
    found = as_distances(given_matrix, device=CPU)
    found += 1
    assert torch.equal(given_matrix, before)
