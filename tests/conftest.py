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
