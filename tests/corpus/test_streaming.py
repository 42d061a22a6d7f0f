"""Streams: the same texts as load_texts, read one by one, each time anew."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from embgeom.corpus import Corpus, TextStream, load_texts, stream_texts
from embgeom.errors import CorpusError, OptionError

TEXTS = ["one", "two three", "vier"]


def as_lines(texts: list[str]) -> str:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def write_parquet(path: Path, texts: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": texts}), path)


@pytest.fixture(params=["x.txt", "x.jsonl", "x.csv", "x.json", "x.parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    content = {
        ".txt": "\n".join(TEXTS),
        ".jsonl": as_lines(TEXTS),
        ".csv": "\n".join(["text", *TEXTS]),
        ".json": json.dumps([{"text": text} for text in TEXTS]),
    }
    if path.suffix == ".parquet":
        write_parquet(path, TEXTS)
    else:
        path.write_text(content[path.suffix], encoding="utf-8")
    return path


def test_the_same_texts_again_and_again(file: Path) -> None:
    stream = stream_texts(file)
    assert list(stream) == list(stream) == TEXTS
    assert list(stream_texts(file, limit=2)) == TEXTS[:2]
    assert list(islice(stream, 1)) == TEXTS[:1]  # left half-way
    assert list(stream) == TEXTS
    assert stream.collect() == load_texts(file)


def test_what_is_known_and_when(file: Path) -> None:
    stream = stream_texts(file)
    assert isinstance(stream, TextStream)
    assert (stream.name, stream.source, stream.split, stream.revision) == ("x", str(file), None, None)
    assert stream.field is None
    next(iter(stream))
    assert stream.field == (None if file.suffix == ".txt" else "text")
    if file.suffix != ".txt":
        assert stream_texts(file, field="text").field == "text"


def test_blank_records_are_counted_afresh_by_each_pass(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(as_lines(["", "a", " ", "b", "\t"]), encoding="utf-8")
    stream = stream_texts(path)
    assert stream.skipped == 0
    for _ in range(2):
        assert list(stream) == ["a", "b"]
        assert stream.skipped == 3
    assert stream_texts(path, limit=1).collect() == Corpus(("a",), "x", str(path), "text", skipped=1)


def test_the_demo() -> None:
    stream = stream_texts("demo", limit=5)
    assert stream.collect() == load_texts("demo", limit=5)
    assert stream.source.startswith("pydoc_data.topics of Python")


def test_names_are_judged_at_once_and_contents_when_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file or folder"):
        stream_texts(tmp_path / "none.txt")
    with pytest.raises(OptionError, match="limit must be at least 1, got 0"):
        stream_texts("demo", limit=0)
    (tmp_path / "x.jsonl").write_text(as_lines(["a"]) + '{"text": \n', encoding="utf-8")
    texts = iter(stream_texts(tmp_path / "x.jsonl"))
    assert next(texts) == "a"
    with pytest.raises(CorpusError, match="malformed JSON at line 2"):
        next(texts)
    (tmp_path / "empty.txt").touch()
    with pytest.raises(CorpusError, match=r"empty\.txt: no texts: it is empty"):
        list(stream_texts(tmp_path / "empty.txt"))


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv", ".parquet"])
def test_large_files_are_never_in_memory(tmp_path: Path, suffix: str) -> None:
    """20 MB of texts; Python's own memory, which is where texts are, stays below a tenth of that."""
    path, texts = tmp_path / f"x{suffix}", [f"{number} " + "word " * 40 for number in range(100_000)]
    if suffix == ".parquet":
        write_parquet(path, texts)
    else:
        head = "text\n" if suffix == ".csv" else ""
        path.write_text(head + (as_lines(texts) if suffix == ".jsonl" else "\n".join(texts)), encoding="utf-8")
    size, count = sum(map(len, texts)), len(texts)
    del texts
    next(iter(stream_texts(path)))  # pyarrow is imported
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream_texts(path)) == count
        assert tracemalloc.get_traced_memory()[1] < size / 10
    finally:
        tracemalloc.stop()
