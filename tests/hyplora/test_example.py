"""The example of the README: fine-tune a real model, save, load in a new process, the same logits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from hyplora import HypLoraConfig
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party

TEXT = (
    "Once upon a time there was a little geometer who lived in a house with curved walls. Every morning she drew a "
    "triangle on the floor, and every morning its angles came to less than two right angles. "
)


def test_finetune_save_and_load_in_a_new_process(assets: Path, tmp_path: Path) -> None:
    folder = str(assets / "models" / "stories260k")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    rows = [{"input_ids": ids[0], "labels": ids[0]}] * 8
    torch.manual_seed(0)

    model = AutoModelForCausalLM.from_pretrained(folder)
    model = get_peft_model(model, HypLoraConfig(r=8, curvature="auto", task_type="CAUSAL_LM"))
    before = model(input_ids=ids, labels=ids).loss.item()
    arguments = TrainingArguments(
        str(tmp_path / "run"), max_steps=50, learning_rate=5e-3, use_cpu=True, report_to=[], disable_tqdm=True,
        per_device_train_batch_size=2, dataloader_pin_memory=False, save_strategy="no",
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=rows).train()
    model.save_pretrained(tmp_path / "adapter")

    model.eval()
    with torch.no_grad():
        trained = model(input_ids=ids, labels=ids)
    assert trained.loss.item() < 0.7 * before
    torch.save({"ids": ids, "logits": trained.logits}, tmp_path / "expected.pt")
    code = """
import sys, torch, hyplora
from peft import AutoPeftModelForCausalLM
expected = torch.load(sys.argv[2])
with torch.no_grad():
    found = AutoPeftModelForCausalLM.from_pretrained(sys.argv[1]).eval()(expected["ids"]).logits
print((found - expected["logits"]).abs().max().item())
"""
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "adapter"), str(tmp_path / "expected.pt")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) == pytest.approx(0, abs=1e-6)
