"""Trainings of a few steps, from options to adapter."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from embgeom.demo import MODEL_DIR
from embgeom.errors import InputError, ModelError, OptionError
from hyplora import gains, suggest_curvature
from hyplora.prompts import encode, render_prompt
from hyplora.train import METHODS, DataOptions, TrainingSummary, read_training_records, resolve
from hyplora.train.base import load_base
from hyplora.train.examples import Collator, tokenize
from hyplora.train.options import ModelOptions
from tests.hyplora import tiny
from tests.hyplora.tiny import allow_third_party
from tests.hyplora.train.conftest import losses

pytestmark = allow_third_party


def validation_loss(folder: Path, problems: Path, seed: int = 0) -> float:
    """What the saved adapter has for the validation loss, calculated anew: mean over its two batches."""
    import numpy as np

    tokenizer = AutoTokenizer.from_pretrained(folder)
    options = DataOptions(data=str(problems))
    examples = tokenize(lambda _: read_training_records(options), tokenizer, options).examples
    chosen = sorted(np.random.default_rng(seed).permutation(len(examples))[:4])
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32), folder)
    found = []
    for pair in (chosen[:2], chosen[2:]):
        batch = Collator(0)([examples[index] for index in pair])
        with torch.no_grad():
            logits = model.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        found.append(torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten()))
    return float(torch.stack(found).mean())


@pytest.mark.parametrize("method", METHODS)
def test_every_method(train_small: Any, problems: Path, tmp_path: Path, method: str) -> None:
    summary = train_small(method=method, learning_rate=3e-3)
    folder = tmp_path / "run"
    assert TrainingSummary.load(folder / "summary.json") == summary
    assert (summary.steps, summary.records, summary.validation_records) == (4, 36, 4)
    assert summary.validation_loss == pytest.approx(validation_loss(folder, problems), rel=1e-5)
    weights = load_file(folder / "adapter_model.safetensors")
    assert any(value.abs().max() > 0 for name, value in weights.items() if "lora_B" in name)
    assert resolve({}, config=folder / "training.yaml") == resolve(
        {"output": str(folder)}, config=folder / "training.yaml"
    )
    hyperbolic = method.startswith("hyplora")
    assert bool(summary.curvatures) == bool(summary.gains) == hyperbolic
    history = json.loads((folder / "history.json").read_text())
    logged = [entry for entry in history if "loss" in entry]
    assert [entry["step"] for entry in logged] == [1, 2, 3, 4]
    if hyperbolic:
        names = set(summary.curvatures)
        assert len(names) == 5 * 5
        assert summary.curvature == 0.5
        assert any(K != 0.5 for K in summary.curvatures.values())
        for entry in logged:
            assert {name.removeprefix("curvature/") for name in entry if name.startswith("curvature/")} == names
            assert {name.removeprefix("gain/") for name in entry if name.startswith("gain/")} == names
        assert {f"curvature/{name}": K for name, K in summary.curvatures.items()}.items() <= logged[-1].items()


def test_the_geometry_is_that_of_the_adapter(train_small: Any, problems: Path, tmp_path: Path) -> None:
    summary = train_small(learning_rate=3e-3)
    folder = tmp_path / "run"
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32), folder)
    weights = load_file(folder / "adapter_model.safetensors")
    name = "model.layers.3.mlp.down_proj"
    w = weights[f"base_model.model.{name}.lora_curvature.weight"]
    assert summary.curvatures[name] == pytest.approx(0.5 * math.exp(float(w)))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    options = DataOptions(data=str(problems))
    examples = tokenize(lambda _: read_training_records(options), tokenizer, options).examples
    import numpy as np

    held = set(np.random.default_rng(0).permutation(40)[:4].tolist())
    first = [example for index, example in enumerate(examples) if index not in held][:4]
    batch = Collator(0)(first)
    expected = gains(model, {key: batch[key] for key in ("input_ids", "attention_mask")})
    assert summary.gains[name] == pytest.approx(float(expected[f"base_model.model.{name}"].nanmean()), rel=1e-5)


@pytest.mark.slow
def test_the_loss_falls_with_what_is_learned(train_small: Any, tmp_path: Path) -> None:
    train_small(method="hyplora", steps=12, learning_rate=5e-3, output=str(tmp_path / "a"))
    train_small(method="hyplora", steps=12, learning_rate=5e-3, loss_on="everything", output=str(tmp_path / "b"))
    for name in "ab":
        found = losses(tmp_path / name)
        assert sum(found[step] for step in (10, 11, 12)) < sum(found[step] for step in (1, 2, 3))


def test_accumulation_does_not_change_the_steps(train_small: Any, tmp_path: Path) -> None:
    train_small(micro_batch=4, output=str(tmp_path / "whole"))
    train_small(micro_batch=1, output=str(tmp_path / "parts"))
    whole, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert parts == pytest.approx(whole, rel=1e-4)


@pytest.mark.slow
def test_gradient_checkpointing_changes_nothing(train_small: Any, tmp_path: Path) -> None:
    train_small(output=str(tmp_path / "plain"))
    train_small(gradient_checkpointing=True, output=str(tmp_path / "again"))
    assert losses(tmp_path / "again") == pytest.approx(losses(tmp_path / "plain"), rel=1e-5)


def test_bfloat16(train_small: Any, tmp_path: Path) -> None:
    assert train_small(precision="bf16").precision == "bf16"
    assert load_file(tmp_path / "run" / "adapter_model.safetensors").popitem()[1].dtype == torch.float32


def test_curvature_from_the_training_prompts(train_small: Any, problems: Path) -> None:
    summary = train_small(curvature="auto", steps=1)
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    records = [record for _, record in read_training_records(DataOptions(data=str(problems)))]
    import numpy as np

    held = set(np.random.default_rng(0).permutation(40)[:4].tolist())
    prompts = [encode(render_prompt(record, tokenizer), tokenizer) for i, record in enumerate(records) if i not in held]
    model = AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32)
    expected = suggest_curvature(model, prompts)
    assert summary.curvature == pytest.approx(expected.curvature)
    assert summary.relative_delta == pytest.approx(expected.relative_delta)
    assert all(abs(K / expected.curvature - 1) < 0.1 for K in summary.curvatures.values())


def test_a_broken_loss_stops_at_once(train_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Trainer.training_step
    calls = []

    def breaks(self: Any, *given: Any, **named: Any) -> torch.Tensor:
        calls.append(1)
        loss = original(self, *given, **named)
        return loss * math.nan if len(calls) == 6 else loss  # the second half of step 3

    monkeypatch.setattr(Trainer, "training_step", breaks)
    with pytest.raises(InputError, match=r"the loss is nan at step 3, learning rate .*checkpoint is .*checkpoint-2$"):
        train_small()
    assert len(calls) == 6
    monkeypatch.undo()
    assert not (tmp_path / "run" / "summary.json").exists()
    assert train_small(resume=True).resumed_from == 2


def test_a_broken_gradient_stops_before_the_step(train_small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Trainer.training_step

    def breaks(self: Any, model: Any, *given: Any, **named: Any) -> torch.Tensor:
        loss = original(self, model, *given, **named)
        next(p for p in model.parameters() if p.grad is not None).grad.view(-1)[0] = math.inf
        return loss

    monkeypatch.setattr(Trainer, "training_step", breaks)
    with pytest.raises(InputError, match=r"a gradient is not finite at step 1, .*there is no checkpoint yet"):
        train_small()


def test_a_learning_rate_beyond_reason(train_small: Any) -> None:
    with pytest.raises(InputError, match=r"not finite|is (nan|inf)"):
        train_small(learning_rate=1e30, steps=12)


def test_the_last_step_is_logged_whatever_the_interval(train_small: Any, tmp_path: Path) -> None:
    train_small(log_every=1, steps=3, save_every=10, output=str(tmp_path / "each"))
    each = losses(tmp_path / "each")
    summary = train_small(log_every=50, steps=3, save_every=10)
    # Older versions of transformers round what they log to four digits.
    assert losses(tmp_path / "run") == {3: pytest.approx(sum(each.values()) / 3, abs=1e-4)}
    assert summary.train_loss == losses(tmp_path / "run")[3]
    assert losses(tmp_path / "each").keys() == {1, 2, 3}
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [entry["step"] for entry in history if "eval_loss" in entry] == [3]  # not measured twice


def test_the_folder_is_respected(train_small: Any, tmp_path: Path) -> None:
    train_small(steps=1)
    folder = tmp_path / "run"
    before = (folder / "summary.json").read_bytes()
    with pytest.raises(OptionError, match="holds a finished training; --overwrite starts anew"):
        train_small(steps=1)
    with pytest.raises(OptionError, match="there is nothing to resume"):
        train_small(steps=1, resume=True)
    with pytest.raises(OptionError, match="take one of the two"):
        train_small(steps=1, resume=True, overwrite=True)
    # what is at fault is found before anything is removed
    with pytest.raises(InputError, match="validation 40 leaves nothing"):
        train_small(steps=1, overwrite=True, validation=40)
    assert (folder / "summary.json").read_bytes() == before
    assert train_small(steps=2, overwrite=True).steps == 2
    assert sorted(entry.name for entry in folder.glob("checkpoint-*")) == ["checkpoint-2"]


def test_what_is_to_be_read_is_not_overwritten(train_small: Any, problems: Path, tmp_path: Path) -> None:
    train_small(steps=1)
    data = tmp_path / "run" / "mine.jsonl"
    data.write_bytes(problems.read_bytes())
    for given in ({"data": str(data)}, {"check_against": [str(data)]}, {"data_root": str(data.parent)}):
        with pytest.raises(OptionError, match=r"lies in output .*run, which --overwrite empties"):
            train_small(steps=1, overwrite=True, **given)
    assert data.read_bytes() == problems.read_bytes()
    assert (tmp_path / "run" / "summary.json").is_file()


def test_other_folders_are_left_alone(train_small: Any, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("…")
    for overwrite in (False, True):
        with pytest.raises(OptionError, match="holds other things than a training"):
            train_small(overwrite=overwrite)
    with pytest.raises(OptionError, match="holds no training to resume"):
        train_small(resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"output .*file: Not a directory"):
        train_small(output=str(tmp_path / "file"))
    assert (tmp_path / "run" / "thesis.tex").read_text() == "…"


def test_no_pickle_is_left_but_the_optimizer_s(train_small: Any, tmp_path: Path) -> None:
    train_small()
    checkpoint = tmp_path / "run" / "checkpoint-4"
    pickles = {file.name for file in checkpoint.iterdir() if file.suffix in (".pt", ".pth", ".bin", ".pkl")}
    assert pickles == {"optimizer.pt", "scheduler.pt", "rng_state.pth"}
    assert not [file for file in (tmp_path / "run").iterdir() if file.suffix in (".pt", ".pth", ".bin", ".pkl")]
    torch.load(checkpoint / "optimizer.pt", weights_only=True)
    torch.load(checkpoint / "scheduler.pt", weights_only=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"targets": ["q_proj", "c_attn"]},
            "the model has no c_attn; its linear layers are called: q_proj, .*down_proj",
        ),
        ({"targets": ["q_proj", "c_attn"], "method": "lora"}, "the model has no c_attn; its linear layers"),
        ({"targets": ["all-linear", "q_proj"]}, "name it alone"),
        ({"targets": ["norm"], "method": "lora"}, "the adapter cannot be made: "),
        ({"batch": 5}, "batch 5 is no multiple of micro_batch 2"),
        ({"report_to": ["no_such_tracker"]}, "no_such_tracker is not installed, or unknown"),
        ({"precision": "fp16"}, "precision fp16 needs a GPU"),
        ({"model": "/no/such/model"}, "/no/such/model"),
        ({"data": "/no/such/data.jsonl"}, "no such file or folder"),
        ({"cutoff": 2}, "the cut-off of 2 tokens leaves nothing of the completion of 40"),
        ({"revision": "main"}, "revision"),
    ],
)
def test_input_at_fault(train_small: Any, tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_small(**given)
    assert not (tmp_path / "run").exists()


def test_quantisation_without_the_package(train_small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    original = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else original(name, *a)
    )
    with pytest.raises(OptionError, match="quantize 4bit needs the package bitsandbytes: pip install bitsandbytes"):
        train_small(quantize="4bit")


def test_a_base_in_4_bits(train_small: Any, tmp_path: Path) -> None:
    """Gradients reach the first layer after a validation as before it, and the weights are those of NF4."""
    pytest.importorskip("bitsandbytes")
    with pytest.raises(OptionError, match=r"input width is a multiple of 64, and that of model.* is 160; take 8bit"):
        train_small(quantize="4bit")
    folder = tmp_path / "wide"
    exact = tiny.llama(vocab_size=3072, hidden_size=64, intermediate_size=128)
    exact.save_pretrained(folder)
    AutoTokenizer.from_pretrained(MODEL_DIR).save_pretrained(folder)
    train_small(model=str(folder), quantize="4bit", steps=3, save_every=1, learning_rate=1e-3, cutoff=64)
    first = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
    run = tmp_path / "run"
    before, after = (load_file(run / f"checkpoint-{step}" / "adapter_model.safetensors")[first] for step in (2, 3))
    assert (before - after).abs().max() > 0
    network, _, _ = load_base(ModelOptions(model=str(folder), quantize="4bit"), "fp32")
    layer, plain = network.model.layers[0].mlp.down_proj, exact.model.layers[0].mlp.down_proj
    x = torch.randn(64, plain.in_features)
    with torch.no_grad():
        error = (layer.eval()(x) - plain(x)).norm() / plain(x).norm()
    assert 0.05 < error < 0.15  # a tenth for normal weights, Dettmers et al. 2023


def copied_model(folder: Path, **changes: Any) -> Path:
    """The demo model, its tokenizer's configuration changed."""
    folder.mkdir()
    for file in MODEL_DIR.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    return folder


def test_a_model_without_pad_or_eos(train_small: Any, tmp_path: Path) -> None:
    no_pad = copied_model(tmp_path / "no_pad", pad_token=None)
    assert AutoTokenizer.from_pretrained(no_pad).pad_token is None
    train_small(output=str(tmp_path / "a"))
    train_small(model=str(no_pad), output=str(tmp_path / "b"))
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), rel=1e-6)
    with pytest.raises(ModelError, match="its tokenizer has no EOS token"):
        train_small(model=str(copied_model(tmp_path / "no_eos", eos_token=None)), output=str(tmp_path / "c"))


def test_a_tokenizer_of_another_model(train_small: Any, tmp_path: Path) -> None:
    folder = copied_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": 1000}
    (folder / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    name = "model.embed_tokens.weight"
    save_file(weights | {name: weights[name][:1000].clone()}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="embeddings of 1000 tokens, and its tokenizer knows ids up to 3071"):
        train_small(model=str(folder))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 64 vs 0"),
    ],
)
def test_a_full_disk(train_small: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    original, calls = torch.save, []

    def save(*given: Any, **named: Any) -> None:
        calls.append(1)
        if len(calls) > 4:  # one checkpoint is whole: arguments, optimizer, scheduler, generators
            raise error
        original(*given, **named)

    monkeypatch.setattr(torch, "save", save)
    why = r"(No space left on device|a file could not be written whole)"
    with pytest.raises(
        InputError, match=rf"cannot write to .*run: {why}; is the disk full\? .*--resume goes on from checkpoint-2"
    ):
        train_small()
    monkeypatch.undo()
    assert train_small(resume=True).resumed_from == 2
