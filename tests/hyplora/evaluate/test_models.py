"""Models and adapters: what fits together answers as PEFT's would, what does not is named in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM

from embgeom.demo import MODEL_DIR
from embgeom.embeddings.source import find_source
from embgeom.errors import InputError, OptionError
from hyplora.evaluate import Loaded, Settings, evaluate_task, load_model, load_task
from hyplora.evaluate.models import base_of
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def small(**shape: int) -> LlamaForCausalLM:
    options = {"vocab_size": 3072, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(num_attention_heads=4, **(options | shape))).eval()


def with_demo_tokenizer(folder: Path, **shape: int) -> Path:
    """A small model that the demo's tokenizer fits."""
    small(**shape).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(MODEL_DIR / name, folder)
    return folder


def change(folder: Path, **entries: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def message(**named: object) -> str:
    with pytest.raises(InputError) as error:
        load_model(**{name: str(value) for name, value in named.items()})
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_demo_is_the_default(demo: Loaded) -> None:
    loaded = load_model()
    assert (loaded.name, loaded.adapter, loaded.stops, loaded.pad, loaded.context) == ("demo", None, (2,), 0, 512)
    assert loaded.model.dtype == torch.float32
    assert not loaded.model.training


def test_an_adapter_brings_its_base(adapter: Path) -> None:
    loaded = load_model(adapter=str(adapter), device="cpu")
    assert loaded.name == "demo"
    base = AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32)
    without = tiny.logits(base)
    expected = tiny.logits(PeftModel.from_pretrained(base, str(adapter)).eval())
    torch.testing.assert_close(tiny.logits(loaded.model), expected)
    assert not torch.allclose(expected, without, atol=1e-2)
    other = load_model("demo", str(adapter), device="cpu")
    torch.testing.assert_close(tiny.logits(other.model), expected)
    assert other.identity["adapter_sha256"] == loaded.identity["adapter_sha256"]


@pytest.mark.parametrize("named", ["demo", "/gone/site-packages/embgeom/demo/model"])
def test_the_demo_by_any_name(adapter: Path, tmp_path: Path, named: str) -> None:
    copy = shutil.copytree(adapter, tmp_path / "copy")
    change(copy, base_model_name_or_path=named)
    assert base_of(find_source(str(copy))) == "demo"


def test_an_adapter_of_lora(tmp_path: Path) -> None:
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(MODEL_DIR), LoraConfig(r=2, target_modules=["q_proj"]))
    model.save_pretrained(str(tmp_path))
    assert load_model(adapter=str(tmp_path), device="cpu").model.peft_config["default"].peft_type == "LORA"


def test_sampling_options_of_a_model_do_not_count(demo: Loaded, tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL_DIR, tmp_path / "copy")
    wild = GenerationConfig(do_sample=True, temperature=5.0, repetition_penalty=9.0, eos_token_id=[2, 7], max_length=5)
    wild.save_pretrained(copy)
    loaded = load_model(str(copy), device="cpu")
    assert loaded.stops == (2, 7)
    task, settings = load_task("arithmetic", limit=3), Settings(batch_size=2, max_new_tokens=6)
    texts = [prediction.completion for prediction in evaluate_task(loaded, task, settings)]
    assert texts == [prediction.completion for prediction in evaluate_task(demo, task, settings)]


def test_no_pad_and_no_eos_token(demo: Loaded, tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL_DIR, tmp_path / "copy")
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        entries = json.loads((copy / name).read_text())
        gone = ("pad_token", "eos_token", "pad_token_id", "eos_token_id")
        (copy / name).write_text(json.dumps({key: value for key, value in entries.items() if key not in gone}))
    loaded = load_model(str(copy), device="cpu")
    assert (loaded.tokenizer.pad_token, loaded.tokenizer.eos_token) == (None, None)
    assert loaded.stops in ((), (2,))  # a configuration has an EOS of its own where none is written
    task, settings = load_task("arithmetic", limit=3), Settings(batch_size=3, max_new_tokens=6)
    texts = [prediction.completion for prediction in evaluate_task(loaded, task, settings)]
    assert texts == [prediction.completion for prediction in evaluate_task(demo, task, settings)]


def test_dtype(adapter: Path) -> None:
    loaded = load_model(adapter=str(adapter), dtype="bfloat16", device="cpu")
    assert loaded.model.dtype == torch.bfloat16
    assert loaded.identity["dtype"] == "bfloat16"
    with pytest.raises(OptionError, match="unknown dtype 'int8'"):
        load_model(dtype="int8")


# ------------------------------------------------------------------ bad input


def test_models_that_are_none(tmp_path: Path) -> None:
    assert "there is no such folder" in message(model=tmp_path / "none")
    assert "has no config.json" in message(model=tmp_path)
    copy = shutil.copytree(MODEL_DIR, tmp_path / "copy")
    (copy / "config.json").write_text("{}")
    assert "cannot be loaded as a causal language model" in message(model=copy)


def test_a_model_that_lacks_weights(tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL_DIR, tmp_path / "copy")
    weights = load_file(copy / "model.safetensors")
    gone = next(name for name in weights if "down_proj" in name)
    save_file({name: w for name, w in weights.items() if name != gone}, copy / "model.safetensors", {"format": "pt"})
    assert f"lacks 1 weights of a LlamaForCausalLM, such as {gone}" in message(model=copy)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    folder = with_demo_tokenizer(tmp_path / "small", vocab_size=64)
    assert "has embeddings of 64 tokens, and its tokenizer knows ids up to 3071" in message(model=folder)


def test_the_tokenizer_that_does_not_fit_may_be_the_adapter_s(adapter: Path, tmp_path: Path) -> None:
    tiny.saved_llama(tmp_path / "small")
    trained = shutil.copytree(adapter, tmp_path / "trained")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(MODEL_DIR / name, trained)
    said = message(model=tmp_path / "small", adapter=trained)
    assert f"64 tokens, and the tokenizer of adapter {str(trained)!r} knows ids up to 3071" in said


def test_adapters_that_are_none(adapter: Path, tmp_path: Path) -> None:
    assert "there is no such folder" in message(adapter=tmp_path / "none")
    assert "has no adapter_config.json; give the folder that a training saved" in message(adapter=tmp_path)
    assert "has no adapter_config.json" in message(model="demo", adapter=MODEL_DIR)
    copy = shutil.copytree(adapter, tmp_path / "copy")
    (copy / "adapter_model.safetensors").unlink()
    assert "has no adapter_model.safetensors" in message(model="demo", adapter=copy)
    (copy / "adapter_config.json").write_text("{")
    assert "is no configuration of an adapter" in message(model="demo", adapter=copy)


def test_an_adapter_that_names_no_base(adapter: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(adapter, tmp_path / "copy")
    change(copy, base_model_name_or_path=None)
    assert "does not name its base model" in message(adapter=copy)


def test_an_adapter_of_another_method(adapter: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(adapter, tmp_path / "copy")
    change(copy, peft_type="MAGIC")
    assert "is of the method 'MAGIC', which PEFT here does not know" in message(adapter=copy)
    change(copy, peft_type="IA3")  # weights of HypLoRA under the name of another method
    assert "adapter" in message(adapter=copy)
    change(copy, peft_type="HYPLORA", form="magic")
    assert "unknown form 'magic'" in message(adapter=copy)


def test_an_adapter_of_another_base(adapter: Path, tmp_path: Path) -> None:
    other = with_demo_tokenizer(tmp_path / "other")
    found = message(model=other, adapter=adapter)
    assert f"(HYPLORA) cannot be put on {other}: size mismatch" in found
    change(copy := shutil.copytree(adapter, tmp_path / "copy"), target_modules=["c_attn"])
    assert "cannot be put on" in (found := message(adapter=copy))
    assert "c_attn" in found


@pytest.mark.parametrize(("trained_on", "put_on", "said"), [(3, 2, "no place for"), (2, 3, "missing adapter keys")])
def test_an_adapter_of_a_deeper_or_shallower_base(tmp_path: Path, trained_on: int, put_on: int, said: str) -> None:
    base = with_demo_tokenizer(tmp_path / "base", num_hidden_layers=put_on)
    saved = tmp_path / "adapter"
    tiny.adapted(small(num_hidden_layers=trained_on)).save_pretrained(str(saved))
    assert said in message(model=base, adapter=saved)


def test_prompts_longer_than_the_context(tmp_path: Path) -> None:
    folder = with_demo_tokenizer(tmp_path / "short", max_position_embeddings=48)
    loaded = load_model(str(folder), device="cpu")
    predictions = evaluate_task(loaded, load_task("arithmetic", limit=20), Settings(batch_size=4, max_new_tokens=40))
    long = [prediction for prediction in predictions if prediction.too_long]
    assert 0 < len(long) < 20
    assert all(prediction.completion == "" and prediction.extracted is None for prediction in long)
    assert all(prediction.completion for prediction in predictions if not prediction.too_long)
