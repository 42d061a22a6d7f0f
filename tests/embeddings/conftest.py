"""Fixtures of the loader's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.utils import logging

from tests.embeddings.architectures import build, save

# Before anything is replaced: the oracle loads the whole model, which the loader must never do.
_from_pretrained = transformers.PreTrainedModel.from_pretrained.__func__  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def _no_progress_bars() -> None:
    logging.disable_progress_bar()


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test's loader may load a model's weights."""

    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("a model was built with weights")

    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", refuse)


@pytest.fixture(scope="session")
def oracle() -> Callable[[Path], Any]:
    """What transformers itself makes of a folder: the model with its weights."""

    def load(folder: Path) -> Any:
        architecture = transformers.AutoConfig.from_pretrained(folder).architectures[0]
        return _from_pretrained(getattr(transformers, architecture), folder)

    return load


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from an architecture's name to a folder with such a model as safetensors; not to be altered."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = save(build(name), tmp_path_factory.mktemp(name) / name)
        return made[name]

    return folder
