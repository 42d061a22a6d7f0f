"""Adapters that transformers manages itself: ``add_adapter``, ``load_adapter`` and the rest, without a PeftModel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from hyplora import HypLoraError
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def native(**given: object) -> LlamaForCausalLM:
    model = tiny.llama()
    model.add_adapter(tiny.options(**given), "first")
    tiny.train(model, "first")
    return model.eval()


@pytest.mark.parametrize("form", tiny.FORMS)
@pytest.mark.parametrize("learn", [True, False])
def test_add_save_and_load(tmp_path: Path, form: str, learn: bool, caplog: pytest.LogCaptureFixture) -> None:
    model = native(form=form, learn_curvature=learn, learn_norm_scale=learn)
    assert not torch.equal(tiny.logits(model), tiny.logits(tiny.llama()))
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors"}
    loaded = tiny.llama()
    caplog.clear()
    loaded.load_adapter(str(tmp_path), "again")
    assert not any("MISSING" in record.getMessage() or "UNEXPECTED" in record.getMessage() for record in caplog.records)
    assert torch.equal(tiny.logits(loaded), tiny.logits(model))


def test_a_folder_with_an_adapter_is_a_model(tmp_path: Path) -> None:
    base = tiny.saved_llama(tmp_path / "base")
    model = LlamaForCausalLM.from_pretrained(base)
    model.add_adapter(tiny.options(), "default")
    tiny.train(model)
    model.save_pretrained(tmp_path / "adapter")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "adapter")
    assert len(tiny.layers(loaded)) == 6
    assert torch.equal(tiny.logits(loaded), tiny.logits(model.eval()))


def test_what_peft_saved_loads_too(tmp_path: Path) -> None:
    model = tiny.adapted(form="time")
    model.save_pretrained(tmp_path)
    loaded = tiny.llama()
    loaded.load_adapter(str(tmp_path))
    assert torch.equal(tiny.logits(loaded), tiny.logits(model))


def test_set_disable_enable_delete() -> None:
    model = native()
    first, base = tiny.logits(model), tiny.logits(tiny.llama())
    model.add_adapter(tiny.options(form="time", target_modules=["up_proj"]), "second")
    tiny.train(model, "second", seed=2)
    assert model.active_adapters() == ["second"]
    second = tiny.logits(model)
    model.set_adapter(["first", "second"])
    both = tiny.logits(model)
    for one, other in ((first, second), (first, both), (second, both), (both, base)):
        assert not torch.allclose(one, other)
    model.set_adapter("first")
    assert torch.equal(tiny.logits(model), first)
    model.disable_adapters()
    assert torch.equal(tiny.logits(model), base)
    model.enable_adapters()
    assert torch.equal(tiny.logits(model), first)
    with pytest.warns(UserWarning, match="Adapter first was active which is now deleted"):
        model.delete_adapter("first")
    model.set_adapter("second")
    assert torch.equal(tiny.logits(model), second)
    model.delete_adapter("second")
    assert torch.equal(tiny.logits(model), base)
    assert not any("lora_" in name for name in model.state_dict())
    model.add_adapter(tiny.options(), "first")
    tiny.train(model, "first")
    assert torch.equal(tiny.logits(model), first)


def test_lora_and_hyplora_do_not_mix() -> None:
    model = native()
    before = tiny.logits(model)
    with pytest.raises(HypLoraError, match="takes none of another PEFT method that changes layers, here Lora"):
        model.add_adapter(LoraConfig(target_modules=["q_proj"]), "another")
    model.set_adapter("first")
    assert torch.equal(tiny.logits(model), before)
    model = tiny.llama()
    model.add_adapter(LoraConfig(target_modules=["q_proj"]), "first")
    before = tiny.logits(model)
    with pytest.raises(HypLoraError, match=r"adapters of another kind already, peft\.tuners\.lora"):
        model.add_adapter(tiny.options(), "second")  # even on other layers
    assert torch.equal(tiny.logits(model), before)
    assert not tiny.layers(model)
    assert list(model.peft_config) == ["first"]
