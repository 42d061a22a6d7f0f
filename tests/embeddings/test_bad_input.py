"""Whatever is wrong with a model, one clear line says so, and nothing of it is executed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from embgeom.embeddings import load_embeddings
from embgeom.errors import ModelError, OptionError
from tests.embeddings.architectures import ARCHITECTURES, build, save, save_state, write_config

EMBEDDING = ARCHITECTURES["llama"].embedding
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": 40,
}


def refusal(model: str | Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load_embeddings(model, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(model) in message
    return message


@pytest.fixture
def llama(tmp_path: Path, folders: Callable[[str], Path]) -> Path:
    """A sound folder, to be spoilt."""
    return Path(shutil.copytree(folders("llama"), tmp_path / "model"))


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A sound folder of several shards, to be spoilt."""
    return save(build("llama"), tmp_path / "model", shards=True)


def holder(folder: Path) -> Path:
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    return folder / str(index["weight_map"][EMBEDDING])


# --- the name ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", ["", "no/such/folder", "/no/such", "./no", "a--b/c", "a..b", "-x", "a b", "x/y.git", "é~"]
)
def test_neither_a_folder_nor_a_hub_id(model: str) -> None:
    message = refusal(model)
    assert message == f"model {model!r}: there is no such folder (and it is no Hub id of the form owner/name)"


def test_path_that_cannot_be_looked_at(tmp_path: Path) -> None:
    assert "the path cannot be read" in refusal("~nobody-of-this-name/model")
    assert "the path cannot be read" in refusal("x" * 300)


def test_file_instead_of_a_folder(llama: Path) -> None:
    assert refusal(llama / "model.safetensors").endswith(
        "is a file; give the folder that holds config.json and the weights"
    )


# --- config.json ---------------------------------------------------------------------------------------------------


def test_no_config(llama: Path) -> None:
    (llama / "config.json").unlink()
    assert refusal(llama) == f"model '{llama}' has no config.json, so its architecture is unknown"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "{}", '{"vocab_size": 3}', '{"model_type": "no-such-type"}', '{"model_type": 7}', "\xff\x00"],
)
def test_config_that_cannot_be_used(llama: Path, text: str) -> None:
    (llama / "config.json").write_text(text, encoding="latin-1")
    assert refusal(llama).startswith(f"model '{llama}': config.json cannot be used: ")


@pytest.mark.parametrize("change", [{"num_attention_heads": 0}, {"vocab_size": -1}, {"hidden_act": "no-such-function"}])
def test_config_that_cannot_be_built(tmp_path: Path, change: dict[str, Any]) -> None:
    write_config(tmp_path, CONFIG | change)
    assert "config.json" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (
            transformers.ViTConfig(architectures=["ViTModel"]),
            "its architecture ViTModel has no input embeddings of tokens",
        ),
        (transformers.CLIPConfig(), "its architecture clip has no input embeddings of tokens"),
    ],
)
def test_architecture_without_tokens(tmp_path: Path, config: Any, problem: str) -> None:
    config.save_pretrained(tmp_path)
    assert problem in refusal(tmp_path)


def test_base_model_has_no_output(tmp_path: Path, folders: Callable[[str], Path]) -> None:
    for name in ("bert", "llama-base"):
        assert refusal(folders(name), layer="output").endswith("has no output embeddings of tokens")


@pytest.mark.parametrize("model_type", ["of-its-own", "llama"])
def test_custom_code_is_not_run(tmp_path: Path, model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused where the code is needed; passed over where transformers knows the architecture itself."""
    trace = tmp_path / "trace"
    folder = tmp_path / "model"
    auto_map = {"AutoConfig": "code.Config", "AutoModel": "code.Model", "AutoModelForMaskedLM": "code.Model"}
    write_config(folder, CONFIG | {"model_type": model_type, "architectures": ["Model"], "auto_map": auto_map})
    (folder / "code.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Config: pass\nclass Model: pass\n")
    save_file({EMBEDDING: torch.ones(40, 16)}, folder / "model.safetensors")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked a question"))
    if model_type == "llama":
        assert load_embeddings(folder).matrix.all()
    else:
        assert "contains custom code" in refusal(folder)
    assert not trace.exists()
    assert not [name for name in sys.modules if name.startswith("transformers_modules")]


# --- weights -------------------------------------------------------------------------------------------------------


def test_no_weights(llama: Path) -> None:
    (llama / "model.safetensors").unlink()
    assert refusal(llama) == (
        f"model '{llama}' has no weights (expected one of model.safetensors, pytorch_model.bin, "
        "model.safetensors.index.json, pytorch_model.bin.index.json)"
    )


def test_missing_shard(sharded: Path) -> None:
    holder(sharded).unlink()
    assert refusal(sharded) == (
        f"model '{sharded}' has no {holder(sharded).name}, in which model.safetensors.index.json places {EMBEDDING}"
    )


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": ["a"]}', '{"weight_map": {"a": 3}}', "null", "\xff"],
)
def test_index_that_is_none(sharded: Path, text: str) -> None:
    index = sharded / "model.safetensors.index.json"
    index.write_text(text, encoding="latin-1")
    assert refusal(sharded).startswith(f"{index}: ")


def test_shard_without_the_tensor(sharded: Path) -> None:
    save_file({"else": torch.ones(2)}, holder(sharded))
    assert refusal(sharded).endswith(
        f"{holder(sharded).name} lacks {EMBEDDING}, which model.safetensors.index.json places there"
    )


def test_weights_without_the_tensor(llama: Path) -> None:
    state = load_file(llama / "model.safetensors")
    state["tok_embeddings.weight"] = state.pop(EMBEDDING)
    save_file(state, llama / "model.safetensors")
    message = refusal(llama)
    assert "the embedding that its architecture names is not in model.safetensors" in message
    assert message.endswith(f"nearest of its {len(state)} tensors: lm_head.weight, tok_embeddings.weight")


def test_index_without_the_tensor(sharded: Path) -> None:
    index = sharded / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["wte.weight"] = content["weight_map"].pop(EMBEDDING)
    index.write_text(json.dumps(content))
    assert "is not in model.safetensors.index.json; nearest of its" in refusal(sharded)


@pytest.mark.parametrize("kept", [0, 4, 100, -1000, -1])
def test_truncated_safetensors(llama: Path, kept: int) -> None:
    file = llama / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    message = refusal(llama)
    assert message.startswith(f"{file}: not a whole safetensors file (")
    assert message.endswith("; if it was downloaded, remove it and fetch it again")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0, 4, 100, 3000, -1000, -30])
def test_truncated_bin(tmp_path: Path, kept: int, zipped: bool) -> None:
    model = build("llama")
    folder = save_state(model, model.state_dict(), tmp_path, _use_new_zipfile_serialization=zipped)
    file = folder / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:kept])
    message = refusal(folder)
    assert message.startswith(f"{file}: not ")
    assert message.endswith("; if it was downloaded, remove it and fetch it again")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_pointer_of_git_lfs(tmp_path: Path, name: str) -> None:
    write_config(tmp_path, CONFIG)
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    assert refusal(tmp_path).endswith(f"{name}: a pointer of Git LFS in place of the file; run `git lfs pull` there")


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("how", ["zip", "legacy", "bare pickle"])
def test_bin_that_would_run_code_does_not(tmp_path: Path, how: str) -> None:
    trace = tmp_path / "trace"
    write_config(tmp_path, CONFIG)
    file = tmp_path / "pytorch_model.bin"
    state = {EMBEDDING: torch.ones(40, 16), "else": Payload(trace)}
    if how == "bare pickle":
        file.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, file, _use_new_zipfile_serialization=how == "zip")
    assert "unpickling anything else could run code; if it is whole, convert it to safetensors" in refusal(tmp_path)
    assert not trace.exists()
    torch.load(file, weights_only=False) if how != "bare pickle" else pickle.loads(file.read_bytes())
    assert trace.exists(), "the payload would have worked"


@pytest.mark.parametrize("content", [torch.ones(40, 16), [torch.ones(40, 16)]])
def test_bin_that_is_no_dictionary(tmp_path: Path, content: Any) -> None:
    write_config(tmp_path, CONFIG)
    torch.save(content, tmp_path / "pytorch_model.bin")
    assert f"expected a dictionary of tensors, got {type(content).__name__}" in refusal(tmp_path)


def test_bin_of_other_things_than_tensors(tmp_path: Path) -> None:
    write_config(tmp_path, CONFIG)
    torch.save({EMBEDDING: "text", 3: torch.ones(2), "state_dict": {}}, tmp_path / "pytorch_model.bin")
    assert refusal(tmp_path).endswith("nearest of its 0 tensors: none")


@pytest.mark.parametrize("tensor", [torch.ones(40, 16, dtype=torch.int8), torch.ones(640), torch.ones(2, 20, 16)])
def test_tensor_that_is_no_floating_matrix(tmp_path: Path, tensor: torch.Tensor) -> None:
    write_config(tmp_path, CONFIG)
    save_file({EMBEDDING: tensor}, tmp_path / "model.safetensors")
    expected = f"{EMBEDDING} is {tensor.dtype} of shape {tuple(tensor.shape)}, not a floating matrix"
    assert refusal(tmp_path).endswith(expected)


def test_a_local_model_has_no_revisions() -> None:
    with pytest.raises(OptionError, match="revision 'v2' was asked for, and model 'demo' is local"):
        load_embeddings("demo", revision="v2")
