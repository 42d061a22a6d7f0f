from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from embgeom.demo import MODEL_DIR
from embgeom.demo.texts import demo_blocks, demo_texts
from embgeom.demo.train import Recipe, bits_per_byte, check, split_texts, train, unigram_entropy, validation_loss

TINY = Recipe(
    vocabulary=320,
    width=16,
    layers=1,
    heads=2,
    key_value_heads=1,
    mlp_width=32,
    context=64,
    steps=4,
    warmup=1,
    rows=2,
    row_length=32,
    evaluate_every=2,
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MODEL_DIR)


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads((MODEL_DIR / "training.json").read_text(encoding="utf-8"))


def test_the_texts_are_many_different_lines_of_prose() -> None:
    texts = demo_texts()
    assert texts == demo_texts()
    assert len(texts) > 1000  # 1167 in Python 3.11
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text == " ".join(text.split())
        assert len(text.split()) >= 8
        assert not any(mark in text for mark in ("::=", ">>> ", "***", "---", "===", "Traceback (most"))


def test_words_broken_at_a_hyphen_are_joined() -> None:
    assert any("reference-counting" in text for text in demo_texts())
    assert not any("reference- counting" in text for text in demo_texts())


def test_the_blocks_contain_the_texts_and_code() -> None:
    blocks = demo_blocks()
    assert set(demo_texts()) < set(blocks)
    assert len(set(blocks)) == len(blocks)
    assert any(block.startswith(">>> ") for block in blocks)


def test_nothing_that_is_validated_on_is_trained_on() -> None:
    training, validation = split_texts()
    assert 0.05 < len(validation) / len(demo_texts()) < 0.15
    everything = "\n\n".join(" ".join(block.split()) for block in training)
    assert not any(text in everything for text in validation)


def test_size(record: dict[str, Any]) -> None:
    assert sum(path.stat().st_size for path in MODEL_DIR.iterdir()) <= 5_000_000
    assert {path.name for path in MODEL_DIR.iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    }


def test_config() -> None:
    config = json.loads((MODEL_DIR / "config.json").read_text(encoding="utf-8"))
    assert (config["pad_token_id"], config["bos_token_id"], config["eos_token_id"]) == (0, 1, 2)
    assert config["dtype"] == "bfloat16"
    assert config["tie_word_embeddings"] is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Functions are objects.",
        " two  spaces ,  and ! not n't tidied .",
        "tabs\t\n\n   lines\r\n",
        "“δ-hyperbolicity” 日本語 🤗 é e\u0301 \u200b \x00",
        "x = 1234.5e-6",
    ],
)
def test_the_tokenizer_loses_nothing(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id not in ids[1:]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert ids[1:] == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_every_digit_is_a_token(tokenizer: Any) -> None:
    ids = tokenizer("0123456789", add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode([token]) for token in ids] == list("0123456789")
    assert not any(sum(map(str.isdigit, token)) and len(token) > 1 for token in tokenizer.get_vocab())


def test_special_tokens(tokenizer: Any) -> None:
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "<s>", "</s>"]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)


def test_the_weights_are_finite_and_stored_in_bfloat16(model: Any, tokenizer: Any) -> None:
    stored = AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype="auto")
    assert {parameter.dtype for parameter in stored.parameters()} == {torch.bfloat16}
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer)
    with torch.no_grad():
        assert torch.isfinite(model(**tokenizer("It is.", return_tensors="pt")).logits).all()


def test_the_model_is_trained(model: Any, tokenizer: Any, record: dict[str, Any]) -> None:
    training, validation = split_texts()
    loss = validation_loss(model, tokenizer, validation)
    entropy = unigram_entropy(tokenizer, training, validation)
    assert loss < 0.8 * entropy
    if platform.python_version() == record["python_version"]:  # the same text
        assert loss == pytest.approx(record["validation_loss"], abs=0.02)
        assert entropy == pytest.approx(record["unigram_entropy"], abs=1e-3)
        assert bits_per_byte(loss, tokenizer, validation) == pytest.approx(record["validation_bits_per_byte"], abs=0.01)


def test_padding_does_not_change_the_loss(model: Any, tokenizer: Any) -> None:
    texts = demo_texts()[:3]
    sums = [(validation_loss(model, tokenizer, [text]), len(tokenizer(text)["input_ids"]) - 1) for text in texts]
    mean = sum(loss * count for loss, count in sums) / sum(count for _, count in sums)
    assert validation_loss(model, tokenizer, texts) == pytest.approx(mean, rel=1e-4)


def test_training_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    records = [train(tmp_path / name, seed=3, recipe=TINY) for name in ("first", "second")]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    for left in (tmp_path / "first").iterdir():
        right = tmp_path / "second" / left.name
        if left.name != "training.json":
            assert left.read_bytes() == right.read_bytes(), left.name
    for record in records:
        record.pop("seconds")
    assert records[0] == records[1]
    other = train(tmp_path / "other", seed=4, recipe=TINY)
    assert other["validation_loss"] != records[0]["validation_loss"]


def test_check_refuses_a_folder_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(5_000_001))
    with pytest.raises(ValueError, match="5000001 bytes"):
        check(tmp_path)


def test_check_continues_a_prompt() -> None:
    assert "When a function is called," in check(MODEL_DIR)


def test_help_and_texts_do_not_import_torch() -> None:
    code = "import sys, embgeom.demo, embgeom.demo.texts, embgeom.demo.train; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"torch", "transformers", "tokenizers", "numpy"} & set(modules)
