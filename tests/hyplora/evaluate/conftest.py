"""The demo model, and an adapter for it that is not at its start."""

from __future__ import annotations

from pathlib import Path

import pytest
from peft import get_peft_model
from transformers import AutoModelForCausalLM

from embgeom.demo import MODEL_DIR
from hyplora.evaluate import Loaded, load_model
from tests.hyplora import tiny


@pytest.fixture(scope="session")
def demo() -> Loaded:
    return load_model("demo", device="cpu")


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HypLoRA adapter of the demo model, saved."""
    import warnings

    folder = tmp_path_factory.mktemp("adapter")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(MODEL_DIR), tiny.options())
    tiny.train(model)
    model.save_pretrained(str(folder))
    return folder
