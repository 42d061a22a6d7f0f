"""Reading records to learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embgeom.errors import CorpusError
from hyplora.arithmetic import arithmetic_problems
from hyplora.prompts import Chat, Continuation, Instruction
from hyplora.train import DataOptions, read_training_records
from hyplora.train.records import ARITHMETIC

ROWS = [{"instruction": f"Say {word}.", "input": "", "output": word} for word in ("one", "two", "three")]
EXPECTED = [Instruction(row["instruction"], "", row["output"]) for row in ROWS]


def read(data: Path | str, **options: Any) -> list[Any]:
    return [record for _, record in read_training_records(DataOptions(data=str(data), **options))]


def lines(folder: Path, *records: Any) -> Path:
    file = folder / "data.jsonl"
    file.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records))
    return file


def test_files_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    (tmp_path / "a.csv").write_text(
        "instruction,input,output\n" + "".join(f"Say {r['output']}.,,{r['output']}\n" for r in ROWS)
    )
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for file in (tmp_path / "a.json", tmp_path / "a.csv", tmp_path / "a.parquet", lines(tmp_path, *ROWS)):
        assert read(file) == EXPECTED, file


def test_records_of_every_kind(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    file = lines(tmp_path, ROWS[0], {"prompt": "2 + 2 =", "completion": " 4"}, {"messages": messages})
    assert read(file) == [
        EXPECTED[0],
        Continuation("2 + 2 =", " 4"),
        Chat((("user", "Hello"), ("assistant", "Hi"))),
    ]


def test_a_data_set_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Math10K"
    folder.mkdir()
    (folder / "train.json").write_text(json.dumps(ROWS))
    assert read("math10k", data_root=str(tmp_path)) == EXPECTED
    assert read(folder) == EXPECTED
    monkeypatch.setenv("EMBGEOM_DATA", str(tmp_path))
    assert read("math10k") == EXPECTED


def test_bad_records_are_named_or_counted(tmp_path: Path) -> None:
    file = lines(tmp_path, ROWS[0], "{broken", "", {"text": "no fields"}, ["no", "object"], ROWS[1])
    with pytest.raises(CorpusError, match=r"data\.jsonl: record 2 \(line 2\): malformed JSON"):
        read(file)
    found: list[CorpusError] = []
    options = DataOptions(data=str(file))
    assert [record for _, record in read_training_records(options, on_bad=found.append)] == EXPECTED[:2]
    assert [str(error).split(": ")[1].split(")")[0] for error in found] == [
        "record 2 (line 2",
        "record 3 (line 4",
        "record 4 (line 5",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "it is empty"),
        ("a.json", "[]", "it is empty"),
        ("a.jsonl", b"\xff\xfe{", r"record 1 \(line 1\) is not UTF-8"),
        ("a.parquet", "no parquet", "malformed parquet"),
        ("a.txt", "a text without fields", "no object with named fields"),
        ("a.docx", "", "the suffix must be one of"),
    ],
)
def test_files_at_fault(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CorpusError, match=message):
        read(tmp_path / name)


def test_sources_at_fault(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no such file or folder: .*lost\.jsonl"):
        read(tmp_path / "lost.jsonl")
    with pytest.raises(CorpusError, match="gsm8k is a test set of the paper"):
        read("gsm8k")
    with pytest.raises(CorpusError, match=r"a folder without train\.json"):
        read(tmp_path)
    with pytest.raises(CorpusError, match=r"data_root .*lost: no such folder"):
        read("math10k", data_root=str(tmp_path / "lost"))


def test_the_built_in_splits_share_no_numbers() -> None:
    def numbers(split: str) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for problem in arithmetic_problems(split, 2000, seed=1):
            a, b = (int(word.strip(".,?")) for word in problem["instruction"].split() if word.strip(".,?").isdigit())
            plus = a + b == int(problem["answer"])
            assert plus or a - b == int(problem["answer"])
            # nothing to carry: the tens stay
            assert int(problem["answer"]) // 10 == a // 10
            found.add((str(a), "+" if plus else "-", str(b)))
        return found

    train, validation, test = map(numbers, ("train", "validation", "test"))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(train | validation | test) == 9 * (45 + 45)
    with pytest.raises(ValueError, match="split must be one of"):
        arithmetic_problems("dev", 1)


def test_the_built_in_problems(tmp_path: Path) -> None:
    options = DataOptions(data=ARITHMETIC, validation=7)
    first = [record for _, record in read_training_records(options, seed=3)]
    assert first == [record for _, record in read_training_records(options, seed=3)]
    assert first != [record for _, record in read_training_records(options, seed=4)]
    assert len(list(read_training_records(options, split="validation"))) == 7
