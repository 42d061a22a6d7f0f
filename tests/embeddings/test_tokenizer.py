"""Tokenizers without their models: from the demo, a folder, or the Hub's cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from embgeom.embeddings import load_embeddings, load_tokenizer
from embgeom.errors import ModelError, OptionError
from tests.embeddings.architectures import build, save, whitespace_tokenizer, write_config
from tests.hub_server import HubServer, Repository, client_environment


def test_the_demo_is_that_of_its_embeddings() -> None:
    tokenizer = load_tokenizer("demo")
    assert tokenizer.get_vocab() == load_embeddings("demo").tokenizer.get_vocab()
    assert tokenizer.name_or_path == "demo"


def test_a_folder_with_a_tokenizer_only(tmp_path: Path) -> None:
    whitespace_tokenizer().save_pretrained(tmp_path)
    assert not (tmp_path / "config.json").exists()
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer("b a c")["input_ids"] == [1, 0, 2]
    assert tokenizer.name_or_path == str(tmp_path)
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_embeddings(tmp_path)


@pytest.mark.parametrize(("name", "ids"), [("llama3", [128000, 311, 387]), ("llama2", [1, 304, 367])])
def test_real_folders_with_a_tokenizer_only(assets: Path, name: str, ids: list[int]) -> None:
    text = {"llama3": " to be", "llama2": "to be"}[name]
    assert load_tokenizer(assets / "tokenizers" / name)(text)["input_ids"] == ids


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^model '.*' has no tokenizer\.json or tokenizer_config\.json$"):
        load_tokenizer(tmp_path)
    with pytest.raises(ModelError, match="there is no such folder"):
        load_tokenizer(tmp_path / "none")
    (tmp_path / "a.txt").touch()
    with pytest.raises(ModelError, match="is a file; give the folder"):
        load_tokenizer(tmp_path / "a.txt")
    with pytest.raises(OptionError, match="it has no revisions"):
        load_tokenizer("demo", revision="main")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "1.0"}'])
def test_files_that_are_no_tokenizer(tmp_path: Path, content: str) -> None:
    write_config(tmp_path, {"model_type": "llama"})
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"^model '.*': its tokenizer cannot be loaded; .*\(.+\)$") as caught:
        load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


CLIENT = """
import sys
from embgeom.embeddings import load_tokenizer
for name in sys.argv[1:]:
    try:
        tokenizer = load_tokenizer(name)
        print(tokenizer.name_or_path, *tokenizer("b a c")["input_ids"])
    except ValueError as error:
        print(error)
"""


def test_from_the_hub_and_then_from_its_cache(tmp_path: Path) -> None:
    """Of a model, and of a repository with a tokenizer only; the weights stay where they are."""
    whole = save(build("llama"), tmp_path / "whole")
    for folder in (whole, tmp_path / "bare"):
        whitespace_tokenizer().save_pretrained(folder)

    def lines(endpoint: str, **more: str) -> list[str]:
        command = [sys.executable, "-c", CLIENT, "org/whole", "org/bare", "org/none"]
        environment = client_environment(endpoint, tmp_path / "cache", **more)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=90)
        return done.stdout.splitlines()

    with HubServer() as server:
        server.repositories = {f"org/{name}": Repository.of_folder(tmp_path / name) for name in ("whole", "bare")}
        online = lines(server.url)
        sent = [*server.files_sent("org/whole"), *server.files_sent("org/bare")]
    assert online[:2] == ["org/whole 1 0 2", "org/bare 1 0 2"]
    assert online[2].startswith("model 'org/none' is neither a local folder nor a repository on the Hub")
    assert "tokenizer.json" in sent
    assert not [name for name in sent if name.endswith((".safetensors", ".bin"))]
    offline = lines("http://127.0.0.1:1", HF_HUB_OFFLINE="1")
    assert offline[:2] == online[:2]
    assert offline[2].startswith("model 'org/none' is no local folder, the Hub cannot be reached, and the local cache")
    assert len(offline) == 3


def test_importing_the_door_is_light() -> None:
    code = "import sys, embgeom.embeddings, embgeom.corpus, embgeom.counts\n"
    code += "print(*{'torch', 'transformers', 'datasets', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
