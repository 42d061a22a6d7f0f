"""Models from the Hub: a real server on the loopback interface, and real processes that take it for the Hub."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from embgeom.embeddings import load_embeddings
from embgeom.errors import ModelError
from tests.embeddings.architectures import ARCHITECTURES, build, save, whitespace_tokenizer, write_config
from tests.hub_server import HubServer, Repository, client_environment

ONE, TWO = "1" * 40, "2" * 40
EMBEDDING = ARCHITECTURES["llama"].embedding
# No case may take longer than this on a busy machine: a library that keeps trying takes 23 seconds and more.
PATIENCE = 15.0

# What the process does: each line of its input is a load, or "heal"; each line of its output says how that went.
CLIENT = """
import json, os, sys, time, urllib.request
from embgeom.embeddings import load_embeddings

_ = load_embeddings("demo").tokenizer  # imports what is imported late, so that it is not timed
for line in sys.stdin:
    task = json.loads(line)
    start, answer = time.perf_counter(), {}
    if task == "heal":
        urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/heal").close()
    else:
        words = task.pop("words", None)
        try:
            embeddings = load_embeddings(**task)
            answer = {name: getattr(embeddings, name) for name in ("revision", "file", "tensor", "dtype")}
            answer["sum"] = embeddings.matrix.double().sum().item()
            answer["words"] = words and embeddings.tokenizer(words)["input_ids"]
        except Exception as error:
            answer |= {"error": str(error), "kind": type(error).__name__}
    print(json.dumps(answer | {"seconds": time.perf_counter() - start}), flush=True)
"""


@dataclass
class Client:
    """A process with a cache of its own."""

    process: subprocess.Popen[str]

    def ask(self, task: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(task), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def load(self, model: str, **options: object) -> dict[str, Any]:
        answer = self.ask({"model": model, **options})
        assert answer["seconds"] < PATIENCE
        return answer

    def refusal(self, model: str, **options: object) -> str:
        answer = self.load(model, **options)
        assert answer["kind"] == "ModelError"
        message = str(answer["error"])
        assert "\n" not in message
        assert model in message
        return message


StartClient = Callable[..., Client]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save(build("llama"), tmp_path_factory.mktemp("hub") / "sharded", shards=True)
    whitespace_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def total() -> float:
    return build("llama").get_input_embeddings().weight.double().sum().item()


@pytest.fixture(scope="module")
def hub(sharded: Path, folders: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    custom = tmp_path_factory.mktemp("custom")
    write_config(custom, {"model_type": "of-its-own", "auto_map": {"AutoConfig": "code.Config"}})
    (custom / "code.py").write_text("raise SystemExit('run')")
    single = folders("llama")
    before = Repository.of_folder(single, commit=TWO).commits
    with HubServer() as server:
        server.repositories = {
            "org/sharded": Repository.of_folder(sharded),
            "org/tagged": Repository(
                Repository.of_folder(sharded).commits | before, {"main": ONE, "v1.0": TWO, "refs/pr/1": TWO}
            ),
            "org/gated": Repository.of_folder(single),
            "org/busy": Repository.of_folder(single),
            "org/half-busy": Repository.of_folder(sharded),
            "org/all-busy": Repository.of_folder(single),
            "org/cut-short": Repository.of_folder(single),
            "org/custom": Repository.of_folder(custom),
            "org/no-config": Repository({ONE: {"README.md": b"#"}}, {"main": ONE}),
            "org/no-weights": Repository({ONE: {"config.json": (single / "config.json").read_bytes()}}, {"main": ONE}),
        }
        server.repositories["org/tagged"].elsewhere = {"model.safetensors"}
        server.repositories["org/gated"].refuses = {"*": (403, "GatedRepo")}
        server.repositories["org/busy"].refuses = {"*": (503, "")}
        server.repositories["org/half-busy"].refuses = {"tokenizer*": (503, "")}
        server.repositories["org/all-busy"].api_refuses = (503, "")
        server.repositories["org/cut-short"].cuts_short = {"model.safetensors"}
        yield server


@pytest.fixture(scope="module")
def start() -> Iterator[StartClient]:
    processes: list[subprocess.Popen[str]] = []

    def start(endpoint: str, home: Path, **more: str) -> Client:
        environment = client_environment(endpoint, home, **more)
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", CLIENT], env=environment, stdin=pipe, stdout=pipe, text=True)
        processes.append(process)
        return Client(process)

    yield start
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()  # so that it ends
    for process in processes:
        with process:
            assert process.wait() == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def online(hub: HubServer, start: StartClient, home: Path) -> Client:
    return start(hub.url, home)


@pytest.fixture(scope="module")
def warm(online: Client, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as a session with a connection left it: all of one model, the configuration of another."""
    online.load("org/sharded", words="b a")
    online.load("org/tagged", revision="v1.0")
    online.refusal("org/no-weights")
    return Path(shutil.copytree(home, tmp_path_factory.mktemp("warm") / "home", symlinks=True))


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


# --- with a connection ---------------------------------------------------------------------------------------------


def test_only_the_shard_that_holds_the_tensor_is_fetched(
    hub: HubServer, online: Client, sharded: Path, total: float
) -> None:
    answer = online.load("org/sharded")
    [holder] = {json.loads((sharded / "model.safetensors.index.json").read_text())["weight_map"][EMBEDDING]}
    assert (answer["file"], answer["tensor"], answer["dtype"]) == (holder, EMBEDDING, "float32")
    assert answer["sum"] == total
    assert answer["revision"] == ONE
    assert hub.files_sent("org/sharded") == ["config.json", "model.safetensors.index.json", holder]
    del hub.requests[:]
    assert online.load("org/sharded")["sum"] == total
    assert hub.requests == [("GET", "/api/models/org/sharded")]
    assert online.load("org/sharded", words="b a c")["words"] == [1, 0, 2]
    assert "tokenizer.json" in hub.files_sent("org/sharded")


@pytest.mark.parametrize(
    ("revision", "commit"), [(None, ONE), ("main", ONE), (ONE, ONE), ("v1.0", TWO), (TWO, TWO), ("refs/pr/1", TWO)]
)
def test_revision_is_pinned_to_the_commit(
    hub: HubServer, online: Client, total: float, revision: str | None, commit: str
) -> None:
    answer = online.load("org/tagged", revision=revision)
    assert (answer["revision"], answer["sum"]) == (commit, total)
    assert answer["file"] == "model.safetensors" if commit == TWO else "-of-" in answer["file"]
    weights = [path for _, path in hub.requests if "org/tagged" in path and path.endswith(".safetensors")]
    assert all(f"/{ONE}/" in path or f"/{TWO}/" in path for path in weights)


def test_refusals(hub: HubServer, online: Client) -> None:
    assert online.refusal("org/gated") == (
        "model 'org/gated' is gated: accept its terms at https://huggingface.co/org/gated, then `hf auth login`"
    )
    for missing in ("org/missing", "o/" + "x" * 96):
        assert online.refusal(missing).endswith(
            "is neither a local folder nor a repository on the Hub (if it is private: `hf auth login`)"
        )
    assert online.refusal("org/sharded", revision="v9") == "model 'org/sharded' has no revision 'v9' on the Hub"
    assert online.refusal("org/no-config") == "model 'org/no-config' has no config.json, so its architecture is unknown"
    assert online.refusal("org/no-weights").startswith("model 'org/no-weights' has no weights (expected one of model.")
    assert "contains custom code" in online.refusal("org/custom")
    assert hub.files_sent("org/custom") == ["config.json"]


def test_hub_that_is_out_of_order(hub: HubServer, online: Client, total: float) -> None:
    assert "cannot be fetched from the Hub (config.json): " in online.refusal("org/busy")
    hub.repositories["org/busy"].refuses = {}
    online.load("org/busy")
    hub.repositories["org/busy"].refuses = {"*": (503, "")}
    assert online.load("org/busy")["sum"] == total  # of what is cached, nothing is fetched
    assert "cannot be fetched from the Hub (tokenizer_config.json): " in online.refusal("org/half-busy", words="b")
    message = online.refusal("org/all-busy")
    assert "the Hub cannot be reached, and the local cache has no config.json" in message
    assert "503" in message


def test_download_that_breaks_off(hub: HubServer, online: Client, total: float) -> None:
    message = online.refusal("org/cut-short")
    assert message.startswith("model 'org/cut-short' cannot be fetched from the Hub (model.safetensors): ")
    assert "model.safetensors" in hub.files_sent("org/cut-short")
    online.ask("heal")
    assert online.load("org/cut-short")["sum"] == total


# --- without ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_connection_the_cache_is_used(
    hub: HubServer, start: StartClient, warm: Path, total: float, offline: bool
) -> None:
    """The server is down, or ``HF_HUB_OFFLINE`` says not to ask it."""
    del hub.requests[:]
    client = start(hub.url, warm, HF_HUB_OFFLINE="1") if offline else start(closed_port(), warm)
    answer = client.load("org/sharded", words="b a c")
    assert (answer["revision"], answer["sum"], answer["words"]) == (ONE, total, [1, 0, 2])
    for revision in ("v1.0", TWO):
        answer = client.load("org/tagged", revision=revision)
        assert (answer["revision"], answer["sum"]) == (TWO, total)
    for model, options, lacking in (
        ("org/cold", {}, r"config.json, so its architecture is unknown"),
        ("org/sharded", {"revision": "v9"}, "config.json, so its architecture is unknown"),
        ("org/no-weights", {}, "weights (expected one of model.safetensors, pytorch_model.bin, "),
        ("org/sharded", {"layer": "output"}, "in which model.safetensors.index.json places lm_head.weight"),
    ):
        message = client.refusal(model, **options)
        assert message.startswith(
            f"model '{model}' is no local folder, the Hub cannot be reached, and the local cache "
        )
        assert lacking in message
        assert "check the network, or give a local folder (" in message
        assert ("offline mode is enabled" in message) == offline
    message = client.refusal("org/tagged", revision="v1.0", words="b")
    assert "its tokenizer cannot be loaded" in message
    assert hub.requests == []


def test_hub_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        create, url = huggingface_hub.HfApi.__init__, f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.HfApi, "__init__", lambda api: create(api, endpoint=url))
        monkeypatch.setattr("embgeom.embeddings.source._PATIENCE", 0.2)
        start = time.perf_counter()
        with pytest.raises(ModelError, match=r"the Hub cannot be reached, .* \(.*[Tt]ime"):
            load_embeddings("org/silent")
        assert time.perf_counter() - start < 5
