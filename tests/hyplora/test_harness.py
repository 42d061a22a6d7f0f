"""``python -m hyplora.harness``: EleutherAI's harness reads a HypLoRA adapter and finds the likelihoods that we do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM

from embgeom.demo import MODEL_DIR
from embgeom.errors import OptionError
from hyplora import harness
from hyplora.evaluate import load_model
from hyplora.evaluate.likelihood import log_likelihoods
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party

TASK = r"""
task: tiny_yes_no
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\nAnswer:"
doc_to_choice: ["yes", "no"]
doc_to_target: label
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
QUESTIONS = ["Is the list empty?", "Is a string a sequence?", "Can a class have no name?"]


def test_a_hyplora_adapter_in_the_harness(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="the extra eval is not installed")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32), tiny.options())
    tiny.train(model)
    adapter = tmp_path / "adapter"
    model.save_pretrained(str(adapter))
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"question": q, "label": i % 2}) + "\n" for i, q in enumerate(QUESTIONS)))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "tiny.yaml").write_text(TASK.format(data=data))

    words = ["run", "--model", "hf", "--model_args", f"pretrained={MODEL_DIR},peft={adapter},dtype=float32"]
    words += [
        "--tasks",
        "tiny_yes_no",
        "--include_path",
        str(tmp_path / "tasks"),
        "--device",
        "cpu",
        "--batch_size",
        "2",
    ]
    words += ["--output_path", str(tmp_path / "out"), "--log_samples"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "hyplora.harness", *words],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=offline,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = (tmp_path / "out").rglob("samples_tiny_yes_no_*.jsonl")
    samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    loaded = load_model(adapter=str(adapter), device="cpu")
    assert len(samples) == len(QUESTIONS)
    for sample in samples:
        prompt = loaded.tokenizer(f"Question: {sample['doc']['question']}\nAnswer:")["input_ids"]
        pairs = [
            (prompt, loaded.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]) for word in ("yes", "no")
        ]
        theirs = [float(each[0]) for each in sample["filtered_resps"]]
        assert log_likelihoods(loaded, pairs) == pytest.approx(theirs, abs=1e-4)


def test_hands_over_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    module = type(sys)("lm_eval.__main__")
    module.cli_evaluate = lambda: seen.append(list(sys.argv))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lm_eval", type(sys)("lm_eval"))
    monkeypatch.setitem(sys.modules, "lm_eval.__main__", module)
    monkeypatch.setattr(sys, "argv", ["harness.py", "run", "--help", "--tasks", "a,b"])
    harness.main()
    assert seen == [["lm_eval", "run", "--help", "--tasks", "a,b"]]


def test_without_the_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"it is not installed: pip install 'embgeom\[eval\]'"):
        harness.main()


def test_without_the_harness_as_a_process() -> None:
    code = (
        "import sys, runpy\nsys.modules['lm_eval'] = None\nsys.argv = ['hyplora.harness', 'run']\n"
        "sys.orig_argv = ['python', '-m', 'hyplora.harness', 'run']\n"
        "runpy.run_module('hyplora.harness', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this needs lm-evaluation-harness")
    assert done.stderr.count("\n") == 1
