"""Local folders of many architectures: the matrix is the one that transformers gives the loaded model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from embgeom.embeddings import LAYERS, load_embeddings
from embgeom.errors import ModelError, OptionError
from tests.embeddings.architectures import ARCHITECTURES, build, save, save_state, whitespace_tokenizer, write_config

Folders = Callable[[str], Path]
Oracle = Callable[[Path], Any]

HEADS = [name for name, architecture in ARCHITECTURES.items() if architecture.head]
HEADLESS = [name for name, architecture in ARCHITECTURES.items() if not architecture.head]


def weight(model: Any, layer: str) -> torch.Tensor:
    module = model.get_input_embeddings() if layer == "input" else model.get_output_embeddings()
    return module.weight.detach()


def stored_name(name: str, layer: str) -> str:
    architecture = ARCHITECTURES[name]
    found = architecture.embedding if layer == "input" else architecture.head
    assert found is not None
    return found


# --- every architecture, every container ---------------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_safetensors_file(folders: Folders, oracle: Oracle, name: str, layer: str) -> None:
    folder = folders(name)
    if layer == "output" and name in HEADLESS:
        with pytest.raises(ModelError, match=rf"{ARCHITECTURES[name].model} has no output embeddings of tokens$"):
            load_embeddings(folder, layer=layer)
        return
    embeddings = load_embeddings(folder, layer=layer)
    assert torch.equal(embeddings.matrix, weight(oracle(folder), layer))
    assert embeddings.matrix.dtype == torch.float32
    assert (embeddings.model, embeddings.layer, embeddings.revision) == (str(folder), layer, None)
    assert (embeddings.file, embeddings.dtype) == ("model.safetensors", "float32")
    assert embeddings.tensor == stored_name(name, layer)
    assert len(embeddings) == 40


@pytest.mark.parametrize("name", HEADS)
def test_sharded_safetensors_need_no_other_shard(tmp_path: Path, oracle: Oracle, name: str) -> None:
    folder = save(build(name), tmp_path / "model", shards=True)
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    loaded = oracle(folder)
    for layer in LAYERS:
        tensor = stored_name(name, layer)
        [holder] = [shard for shard in shards if tensor in safe_open(shard, "pt").keys()]  # noqa: SIM118
        alone = tmp_path / layer
        alone.mkdir()
        for file in (holder, *folder.glob("*.json")):
            (alone / file.name).symlink_to(file)
        embeddings = load_embeddings(str(alone), layer=layer)
        assert torch.equal(embeddings.matrix, weight(loaded, layer))
        assert (embeddings.file, embeddings.tensor) == (holder.name, tensor)


@pytest.mark.parametrize("shards", [0, 3])
@pytest.mark.parametrize("name", HEADS)
def test_bin(tmp_path: Path, folders: Folders, oracle: Oracle, name: str, shards: int) -> None:
    state = load_file(folders(name) / "model.safetensors")
    folder = save_state(build(name), state, tmp_path, shards=shards)
    loaded = oracle(folder)
    for layer in LAYERS:
        embeddings = load_embeddings(folder, layer=layer)
        assert torch.equal(embeddings.matrix, weight(loaded, layer))
        assert embeddings.tensor == stored_name(name, layer)
        assert embeddings.tensor in torch.load(folder / embeddings.file, weights_only=True)


def test_bin_of_before_torch_1_6(tmp_path: Path) -> None:
    model = build("llama")
    folder = save_state(model, model.state_dict(), tmp_path, _use_new_zipfile_serialization=False)
    assert torch.equal(load_embeddings(folder).matrix, weight(model, "input"))


def test_bin_holds_tied_tensors_twice(tmp_path: Path) -> None:
    model = build("bert-mlm")
    folder = save_state(model, model.state_dict(), tmp_path)
    embeddings = load_embeddings(folder, layer="output")
    assert torch.equal(embeddings.matrix, weight(model, "output"))
    assert embeddings.tensor == "cls.predictions.decoder.weight"


def test_safetensors_are_preferred_to_bin(tmp_path: Path) -> None:
    model = build("llama")
    save_state(model, {"model.embed_tokens.weight": torch.zeros(40, 16)}, tmp_path)
    save(model, tmp_path)
    assert load_embeddings(tmp_path).file == "model.safetensors"


# --- names ---------------------------------------------------------------------------------------------------------


def of_base_model(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


@pytest.mark.parametrize(
    ("name", "prefix"), [("llama-tied", "model."), ("gpt2", "transformer."), ("bert-mlm", "bert."), ("opt", "model.")]
)
def test_checkpoint_of_the_bare_base_model(
    tmp_path: Path, folders: Folders, oracle: Oracle, name: str, prefix: str
) -> None:
    """As `gpt2` is on the Hub: the config names the model with a head, the tensors lack its prefix."""
    state = of_base_model(load_file(folders(name) / "model.safetensors"), prefix)
    folder = save_state(build(name), state, tmp_path)
    expected = weight(oracle(folder), "input")
    assert torch.equal(expected, weight(build(name), "input"))
    for layer in LAYERS:
        embeddings = load_embeddings(folder, layer=layer)
        assert torch.equal(embeddings.matrix, expected)
        assert prefix + embeddings.tensor == ARCHITECTURES[name].embedding


@pytest.mark.parametrize(("name", "base"), [("llama", "LlamaModel"), ("gpt2", "GPT2Model"), ("bert-mlm", "BertModel")])
def test_base_model_of_a_checkpoint_with_a_head(tmp_path: Path, folders: Folders, name: str, base: str) -> None:
    """The config names the base model, the tensors carry its prefix."""
    config = transformers.AutoConfig.from_pretrained(folders(name))
    config.architectures = [base]
    config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").symlink_to(folders(name) / "model.safetensors")
    embeddings = load_embeddings(tmp_path)
    assert torch.equal(embeddings.matrix, weight(build(name), "input"))
    assert embeddings.tensor == ARCHITECTURES[name].embedding


@pytest.mark.parametrize("name", ["gemma3-vision", "llava", "qwen2-vl"])
def test_vision_language_models_under_their_present_names(tmp_path: Path, oracle: Oracle, name: str) -> None:
    model = build(name)
    folder = save_state(model, model.state_dict(), tmp_path)
    loaded = oracle(folder)
    for layer in LAYERS:
        embeddings = load_embeddings(folder, layer=layer)
        assert torch.equal(embeddings.matrix, weight(loaded, layer))
    assert load_embeddings(folder).tensor == "model.language_model.embed_tokens.weight"


@pytest.mark.parametrize(("name", "twin"), [("llama-tied", "lm_head.weight"), ("t5", "decoder.embed_tokens.weight")])
def test_tied_tensor_stored_under_its_other_name(tmp_path: Path, folders: Folders, name: str, twin: str) -> None:
    state = load_file(folders(name) / "model.safetensors")
    expected = state.pop(ARCHITECTURES[name].embedding)
    folder = save_state(build(name), state | {twin: expected}, tmp_path)
    for layer in LAYERS:
        embeddings = load_embeddings(folder, layer=layer)
        assert torch.equal(embeddings.matrix, expected)
        assert embeddings.tensor == twin


@pytest.mark.parametrize("options", [{}, {"tie_word_embeddings": False}])
def test_head_of_its_own_that_the_checkpoint_holds_is_the_output(
    tmp_path: Path, folders: Folders, oracle: Oracle, options: dict[str, bool]
) -> None:
    """T5 1.1 and its like: transformers ties the head until it sees that the checkpoint holds two different tensors."""
    model = build("t5")
    for option, value in options.items():
        setattr(model.config, option, value)
    head = torch.rand(40, 16)
    state = load_file(folders("t5") / "model.safetensors") | {"lm_head.weight": head}
    folder = save_state(model, state, tmp_path)
    if options or int(transformers.__version__.split(".")[0]) > 4:  # release 4 ties whenever the config says so
        assert torch.equal(weight(oracle(folder), "output"), head)
    assert torch.equal(load_embeddings(folder, layer="output").matrix, head)
    assert torch.equal(load_embeddings(folder, layer="input").matrix, weight(build("t5"), "input"))


@pytest.mark.parametrize("architectures", [None, ["NoSuchModelForCausalLM"], ["pipeline"], [7], "LlamaForCausalLM"])
def test_config_that_names_no_architecture_there_is(tmp_path: Path, folders: Folders, architectures: object) -> None:
    config = transformers.AutoConfig.from_pretrained(folders("llama")).to_dict() | {"architectures": architectures}
    write_config(tmp_path, config)
    (tmp_path / "model.safetensors").symlink_to(folders("llama") / "model.safetensors")
    for layer in LAYERS:
        assert torch.equal(load_embeddings(tmp_path, layer=layer).matrix, weight(build("llama"), layer))


@pytest.mark.parametrize("name", ["bert-mlm", "t5", "opt"])
def test_generic_head_is_the_kind_that_the_architecture_has(
    tmp_path: Path, folders: Folders, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    config = transformers.AutoConfig.from_pretrained(folders(name)).to_dict() | {"architectures": None}
    write_config(tmp_path, config)
    (tmp_path / "model.safetensors").symlink_to(folders(name) / "model.safetensors")
    capfd.readouterr()
    assert torch.equal(load_embeddings(tmp_path, layer="output").matrix, weight(build(name), "output"))
    assert capfd.readouterr() == ("", "")


def test_kernels_that_are_not_installed_do_not_matter(tmp_path: Path, folders: Folders) -> None:
    config = transformers.AutoConfig.from_pretrained(folders("llama")).to_dict()
    write_config(
        tmp_path, config | {"_attn_implementation": "flash_attention_2", "attn_implementation": "flash_attention_2"}
    )
    (tmp_path / "model.safetensors").symlink_to(folders("llama") / "model.safetensors")
    assert len(load_embeddings(tmp_path)) == 40


# --- dtype ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("container", ["safetensors", "bin"])
def test_stored_dtype_is_kept_unless_another_is_asked_for(tmp_path: Path, dtype: torch.dtype, container: str) -> None:
    model = build("llama").to(dtype)
    folder = save(model, tmp_path) if container == "safetensors" else save_state(model, model.state_dict(), tmp_path)
    expected = weight(model, "input")
    kept = load_embeddings(folder)
    assert kept.matrix.dtype == dtype
    assert torch.equal(kept.matrix, expected)
    for asked in ("float32", "torch.float32", torch.float32):
        converted = load_embeddings(folder, dtype=asked)
        assert converted.matrix.dtype == torch.float32
        assert torch.equal(converted.matrix, expected.float())
        assert converted.dtype == str(dtype).removeprefix("torch.")  # what the checkpoint stores
    assert torch.equal(load_embeddings(folder, dtype="float64").matrix, expected.double())


@pytest.mark.parametrize("dtype", ["int8", "float31", "nn", "", torch.int64, 32])
def test_unknown_dtype(folders: Folders, dtype: Any) -> None:
    with pytest.raises(OptionError, match=r"^unknown dtype .*; choose a floating one such as float32, bfloat16"):
        load_embeddings(folders("llama"), dtype=dtype)


def test_unknown_layer(folders: Folders) -> None:
    with pytest.raises(OptionError, match=r"^unknown layer 'hidden'; choose one of: input, output$"):
        load_embeddings(folders("llama"), layer="hidden")


# --- the tokenizer ---------------------------------------------------------------------------------------------------


def test_tokenizer_is_loaded_only_when_used(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    tokenizer = whitespace_tokenizer()
    monkeypatch.setattr(
        transformers.AutoTokenizer,
        "from_pretrained",
        lambda *args, **options: calls.append((args, options)) or tokenizer,
    )
    embeddings = load_embeddings(folders("llama"))
    assert calls == []
    assert embeddings.tokenizer is tokenizer
    assert embeddings.tokenizer is tokenizer
    [(args, options)] = calls
    assert args == (str(folders("llama")),)
    assert options["trust_remote_code"] is False


@pytest.mark.parametrize("name", ["llama", "bert", "gpt2", "t5"])
def test_folder_without_a_tokenizer(folders: Folders, name: str) -> None:
    embeddings = load_embeddings(folders(name))
    with pytest.raises(ModelError, match=rf"^model '.*{name}': its tokenizer cannot be loaded; .*\(.+\)$") as caught:
        _ = embeddings.tokenizer
    assert "\n" not in str(caught.value)


def test_tokenizer_of_a_folder(tmp_path: Path) -> None:
    whitespace_tokenizer().save_pretrained(tmp_path)
    save(build("llama"), tmp_path)
    assert load_embeddings(tmp_path).tokenizer("b a c")["input_ids"] == [1, 0, 2]


# --- what is called a model ------------------------------------------------------------------------------------------


def test_folder_may_be_relative_or_at_home(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folders("llama")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for model in ("./llama", "llama", "~/llama", f"{folder}/"):
        assert load_embeddings(model).model == model


def test_demo() -> None:
    embeddings = load_embeddings("demo")
    assert (embeddings.model, embeddings.revision, embeddings.file) == ("demo", None, "model.safetensors")
    assert len(embeddings) >= len(embeddings.tokenizer)


def test_saved_file_may_hold_more_than_the_architecture(tmp_path: Path, folders: Folders) -> None:
    """A tensor of the same shape and a name that a list of guesses would fall for."""
    state = load_file(folders("bert-mlm") / "model.safetensors")
    save_file(
        {"a.embed_tokens.weight": torch.zeros(40, 16), "wte.weight": torch.zeros(40, 16), **state},
        tmp_path / "model.safetensors",
    )
    write_config(tmp_path, transformers.AutoConfig.from_pretrained(folders("bert-mlm")).to_dict())
    assert load_embeddings(tmp_path).tensor == "bert.embeddings.word_embeddings.weight"
