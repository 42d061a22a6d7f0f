"""No more of a checkpoint is read than the one tensor, and of that no more than is used."""

from __future__ import annotations

import gc
import json
import struct
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
import transformers

from embgeom.embeddings import load_embeddings
from tests.embeddings.architectures import ARCHITECTURES, build, save_state, write_config

MIB = 2**20
EMBEDDING = ARCHITECTURES["llama"].embedding


@pytest.fixture
def resident(folders: Callable[[str], Path]) -> Callable[[], int]:
    """The process's resident memory since now, in MiB, with the modules that loading imports already there."""
    load_embeddings(folders("llama"))
    process = psutil.Process()
    before = process.memory_info().rss

    def growth() -> int:
        gc.collect()
        return (process.memory_info().rss - before) // MIB

    return growth


def write_sparse_safetensors(file: Path, shapes: dict[str, tuple[int, int]], embedding: torch.Tensor) -> None:
    """Write a file whose first tensor is the embedding, the rest of it a hole that takes no space on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + 4 * shape[0] * shape[1]]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + embedding.numpy().tobytes())
        out.truncate(8 + len(text) + end)


def test_two_gigabytes_beside_the_embedding_are_not_read(tmp_path: Path, resident: Callable[[], int]) -> None:
    write_config(tmp_path, transformers.LlamaConfig(vocab_size=40, hidden_size=32).to_dict())
    embedding = torch.rand(40, 32)
    file = tmp_path / "model.safetensors"
    write_sparse_safetensors(
        file, {EMBEDDING: (40, 32), "model.layers.0.mlp.up_proj.weight": (2**15, 2**14)}, embedding
    )
    assert file.stat().st_size > 2**31
    start = time.perf_counter()
    embeddings = load_embeddings(tmp_path)
    assert torch.equal(embeddings.matrix, embedding)
    assert resident() < 64
    assert time.perf_counter() - start < 5


def test_of_a_large_embedding_only_the_rows_that_are_used_are_read(tmp_path: Path, resident: Callable[[], int]) -> None:
    write_config(tmp_path, transformers.LlamaConfig(vocab_size=2**17, hidden_size=2**12).to_dict())
    first = torch.rand(3, 2**12)
    write_sparse_safetensors(tmp_path / "model.safetensors", {EMBEDDING: (2**17, 2**12)}, first)
    embeddings = load_embeddings(tmp_path)
    assert embeddings.matrix.nbytes == 2**31
    assert torch.equal(embeddings.matrix[:3], first)
    assert not embeddings.matrix[-1].any()
    assert resident() < 64


def test_bin_is_mapped_too(tmp_path: Path, resident: Callable[[], int]) -> None:
    model = build("llama")
    other = torch.ones(2**13, 2**11)  # 64 MiB
    folder = save_state(model, {EMBEDDING: model.state_dict()[EMBEDDING], "other": other}, tmp_path)
    before = resident()
    embeddings = load_embeddings(folder)
    assert torch.equal(embeddings.matrix, model.get_input_embeddings().weight)
    assert resident() - before < 16
    whole = torch.load(folder / "pytorch_model.bin", weights_only=True)
    assert resident() - before > 48, "the measure sees a file that is read as a whole"
    del whole


def test_what_is_done_to_the_matrix_does_not_reach_the_file(tmp_path: Path, folders: Callable[[str], Path]) -> None:
    content = (folders("llama") / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content)
    (tmp_path / "config.json").symlink_to(folders("llama") / "config.json")
    load_embeddings(tmp_path).matrix.zero_()
    assert (tmp_path / "model.safetensors").read_bytes() == content
    assert load_embeddings(tmp_path).matrix.any()
