"""A comparison of two contenders that takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyplora.compare import CompareOptions, Comparison, compare
from hyplora.compare.adapting import Adapted
from hyplora.evaluate.models import Loaded, load_model
from hyplora.train.options import TrainOptions

Adapt = Callable[[TrainOptions, Any], Adapted]

ANIMALS = ("cat", "dog", "cow", "horse", "sheep", "goat", "hen", "duck", "fox", "wolf", "bear", "deer", "owl", "crow")
PLACES = ("barn", "wood", "house")


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-two sentences, no two alike."""
    file = tmp_path_factory.mktemp("data") / "sentences.txt"
    file.write_text("\n".join(f"The {animal} is in the {place}." for animal in ANIMALS for place in PLACES))
    return file


@pytest.fixture(scope="session")
def small(texts: Path) -> Callable[..., CompareOptions]:
    """Return options of a comparison of two steps, but for what is named."""

    def options(**given: Any) -> CompareOptions:
        shared: dict[str, Any] = {
            "data": str(texts),
            "curvatures": (0.5,),
            "seeds": 2,
            "learning_rates": (3e-3,),
            "alphas": (16.0, 64.0),
            "steps": 2,
            "batch": 2,
            "rank": 2,
            "targets": ("q_proj",),
        }
        return CompareOptions(**(shared | given))

    return options


@pytest.fixture(scope="session")
def done(small: Callable[..., CompareOptions], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Comparison]:
    """A comparison and its folder, which is to be left as it is."""
    folder = tmp_path_factory.mktemp("done")
    return folder, compare(small(), output=folder)


@pytest.fixture(scope="session")
def demo() -> Loaded:
    """The demo model."""
    return load_model("demo", device="cpu")


@pytest.fixture(scope="session")
def untouched(demo: Loaded) -> Adapt:
    """Return a stand-in for ``adapt`` that leaves the model as it is."""
    return lambda options, training: Adapted(demo.model, options.adapter.curvature, None, None, "order", "start")
