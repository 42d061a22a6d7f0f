"""Records keep what they were given, and files are whole or not there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from embgeom.cli import write_json
from embgeom.errors import InputError
from embgeom.results import Record, versions, write_bytes, write_text


@dataclass(frozen=True)
class Inner(Record):
    pair: tuple[float, float]


@dataclass(frozen=True)
class Outer(Record):
    name: str
    inner: Inner | None
    many: tuple[Inner, ...]
    table: dict[str, int]


RECORD = Outer("Straße δ", Inner((0.1, 1e-300)), (Inner((1.0, 2.0)), Inner((3.0, 4.0))), {"a": 1})


def test_round_trip(tmp_path: Path) -> None:
    assert Outer.from_json(RECORD.to_json()) == RECORD
    assert Outer.from_dict({**RECORD.to_dict(), "of a later version": 1}) == RECORD
    none = Outer("x", None, (), {})
    none.save(tmp_path / "x.json")
    assert Outer.load(tmp_path / "x.json") == none


def test_a_list_of_records(tmp_path: Path) -> None:
    """What a command writes with ``--json`` is a list; a single record counts as one."""
    path = tmp_path / "all.json"
    other = Outer("x", None, (), {})
    write_json(path, [RECORD, other])
    assert Outer.load_all(path) == (RECORD, other)
    write_json(path, [])
    assert Outer.load_all(path) == ()
    RECORD.save(path)
    assert Outer.load_all(path) == (RECORD,)


BAD = {
    "none": (None, "No such file or directory"),
    "no JSON": ("{", "it is no JSON: Expecting property name"),
    "no text": (b"\xff\xfe", "it is no text in UTF-8"),
    "a number": ("3", "expected a record of Outer, an object with its keys, got int"),
    "another record": (
        '{"pair": [1, 2]}',
        "expected a record of Outer, got an object without 'name', 'inner', 'many' ",
    ),
    "within": (
        '{"name": "", "inner": {}, "many": [], "table": {}}',
        "inner: expected a record of Inner, got an object",
    ),
    "too many": ('{"name": "", "inner": {"pair": [1]}, "many": [], "table": {}}', "inner: pair: no value of a record"),
    "no list": ('{"name": "", "inner": null, "many": 3, "table": {}}', "many: no value of a record of Outer: '3'"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_files_that_hold_no_record(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for load in (Outer.load, Outer.load_all):
        with pytest.raises(InputError) as raised:
            load(path)
        assert str(raised.value).startswith(f"cannot load {path}: {message}")
        assert "\n" not in str(raised.value)


def test_a_list_where_one_record_is_expected_and_a_bad_one_in_a_list(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, [RECORD, Inner((1.0, 2.0))])
    with pytest.raises(InputError, match="got a list; read a command's list with load_all"):
        Outer.load(path)
    with pytest.raises(
        InputError, match=r"x\.json: record 2: expected a record of Outer, got an object without 'name'"
    ):
        Outer.load_all(path)
    with pytest.raises(InputError, match="expected a record of Outer"):
        Outer.from_dict(None)  # type: ignore[arg-type]


def test_json_is_plain_and_strict() -> None:
    assert json.loads(RECORD.to_json())["many"] == [{"pair": [1.0, 2.0]}, {"pair": [3.0, 4.0]}]
    with pytest.raises(ValueError, match="JSON"):
        Inner((float("nan"), 0.0)).to_json()


def test_versions_name_what_numbers_depend_on() -> None:
    assert {"python", "embgeom", "torch", "numpy"} <= set(versions())


def test_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    write_text(target, "old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_text(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"


def test_a_result_is_readable_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "result", "x")
    assert (tmp_path / "result").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "missing" / "x", "x")


def test_through_a_link_and_into_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to("target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text(encoding="utf-8") == "new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(tmp_path / "pipe", "through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
