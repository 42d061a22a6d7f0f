"""Every file format, well-formed and not: expectations are written out by hand, never taken from the reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embgeom.corpus import Corpus, load_texts
from embgeom.errors import CorpusError, InputError, OptionError

TEXTS = ("How many apples?", "Zwölf Äpfel, 十二个苹果 🍎\u2028and more")
BOM = b"\xef\xbb\xbf"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_parquet(folder: Path, columns: dict[str, object]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "x.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def records(field: str = "text") -> list[dict[str, object]]:
    return [{"id": number, field: text} for number, text in enumerate(TEXTS)]


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


FORMATS = {
    "list of records": ("x.json", as_json(records()), "text"),
    "list of strings": ("x.json", as_json(TEXTS), None),
    "columns": ("x.json", as_json({"id": [0, 1], "text": TEXTS}), "text"),
    "columns of unequal length": ("x.json", as_json({"names": [1, 2, 3], "text": TEXTS}), "text"),
    "object around a list": ("x.json", as_json({"version": "1", "data": records(), "tags": ["a"]}), "text"),
    "indented": ("x.json", json.dumps(records(), indent=2), "text"),
    "JSON lines named .json": ("x.json", "\n".join(map(as_json, records())) + "\n", "text"),
    "upper-case suffix": ("x.JSON", as_json(records()), "text"),
    "jsonl": ("x.jsonl", "\n".join(map(as_json, records())), "text"),
    "jsonl with blank lines and CRLF": ("x.ndjson", "\r\n\r\n".join(map(as_json, records())) + "\r\n", "text"),
    "jsonl of strings": ("x.jsonl", "\n".join(map(as_json, TEXTS)), None),
    "txt": ("x.txt", "\n\n".join(TEXTS) + "\n", None),
    "csv": ("x.csv", f'id,text\n0,{TEXTS[0]}\n1,"{TEXTS[1]}"\n', "text"),
    "tsv": ("x.tsv", f"id\ttext\r\n0\t{TEXTS[0]}\r\n1\t{TEXTS[1]}\r\n", "text"),
}


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "BOM"])
@pytest.mark.parametrize(("name", "content", "field"), FORMATS.values(), ids=FORMATS)
def test_each_format_gives_the_texts_untouched(
    tmp_path: Path, name: str, content: str, field: str | None, mark: bytes
) -> None:
    path = write(tmp_path, name, mark + content.encode())
    assert load_texts(path) == Corpus(TEXTS, "x", str(path), field)
    assert load_texts(str(path)).texts == TEXTS


def test_parquet_reads_text_columns_of_every_kind(tmp_path: Path) -> None:
    import pyarrow as pa

    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        path = write_parquet(tmp_path, {"id": [0, 1], "Question": pa.array(TEXTS, pa.string()).cast(kind)})
        assert load_texts(path) == Corpus(TEXTS, "x", str(path), "Question")


def test_one_object_without_a_list_is_one_record(tmp_path: Path) -> None:
    assert load_texts(write(tmp_path, "x.json", '{"question": "why?"}')).texts == ("why?",)


def test_csv_cells_may_hold_separators_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", 'text,n\n"a, ""b""\nc",1\n')
    assert load_texts(path).texts == ('a, "b"\nc',)


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_jsonl_and_json_give_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("round")
    filled = tuple(text for text in texts if text.strip())
    lines = "\n".join(as_json({"text": text}) for text in texts)
    for path in (write(folder, "x.jsonl", lines), write(folder, "x.json", as_json([{"text": t} for t in texts]))):
        if filled:
            assert (load_texts(path).texts, load_texts(path).skipped) == (filled, len(texts) - len(filled))
        else:
            with pytest.raises(CorpusError, match=r"no texts: (all|its only)"):
                load_texts(path)


# --- which field ---------------------------------------------------------------------------------------------------


def test_usual_names_win_in_their_order_whatever_the_case(tmp_path: Path) -> None:
    record = {"text": "t", "Question": "q", "answer": "a"}
    assert load_texts(write(tmp_path, "x.jsonl", as_json(record))).texts == ("q",)
    assert load_texts(write(tmp_path, "x.jsonl", as_json({**record, "instruction": "i"}))).field == "instruction"


def test_a_named_field_wins_over_the_usual_ones(tmp_path: Path) -> None:
    for path in (
        write(tmp_path, "x.jsonl", '{"text": "t", "answer": "a"}'),
        write(tmp_path, "x.json", '{"text": ["t"], "answer": ["a"]}'),
        write(tmp_path, "x.csv", "text,answer\nt,a\n"),
        write_parquet(tmp_path, {"text": ["t"], "answer": ["a"]}),
    ):
        corpus = load_texts(path, field="answer")
        assert (corpus.texts, corpus.field) == (("a",), "answer")


def test_a_usual_name_that_holds_no_text_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, "x.jsonl", '{"question": 3, "prompt": "p", "other": "o"}')
    assert load_texts(path).field == "prompt"


def test_the_only_field_with_strings_is_taken(tmp_path: Path) -> None:
    assert load_texts(write(tmp_path, "x.jsonl", '{"n": 1, "utterance": "u"}')).field == "utterance"
    assert load_texts(write_parquet(tmp_path, {"n": [1], "utterance": ["u"]})).field == "utterance"


def test_a_named_list_of_texts_is_joined(tmp_path: Path) -> None:
    path = write(tmp_path, "x.jsonl", '{"endings": ["one", " ", "two"], "choices": {"text": ["a"], "label": ["A"]}}')
    assert load_texts(path, field="endings").texts == ("one two",)
    assert load_texts(path, field="choices").texts == ("a",)


AMBIGUOUS = "cannot tell which field holds the text; name one of: a, b$"


@pytest.mark.parametrize(
    ("name", "content", "field", "message"),
    [
        ("x.jsonl", '{"a": "1", "b": "2"}', None, AMBIGUOUS),
        ("x.json", '{"a": ["1"], "b": ["2"]}', None, AMBIGUOUS),
        ("x.csv", "a,b\n1,2\n", None, AMBIGUOUS),
        ("x.jsonl", '{"a": 1, "b": []}', None, "no field holds text; the fields there are: a, b$"),
        ("x.jsonl", "{}", None, "no field holds text; the fields there are: none"),
        ("x.json", '{"a": [1], "b": [2]}', None, "no field holds text; the fields there are: a, b"),
        ("x.jsonl", '{"a": "1", "b": "2"}', "c", r"record 1 \(line 1\) has no field 'c'; its fields are: a, b"),
        ("x.json", '[{"a": "1", "b": "2"}]', "c", "record 1 has no field 'c'; its fields are: a, b"),
        ("x.json", '{"a": ["1"], "b": ["2"]}', "c", "has no field 'c'; its fields are: a, b"),
        ("x.csv", "a,b\n1,2\n", "c", r"record 1 \(line 2\) has no field 'c'; its fields are: a, b"),
        ("x.txt", "some text\n", "c", "has no field 'c': its records are plain texts"),
        ("x.json", '["some text"]', "c", "has no field 'c': its records are plain texts"),
    ],
)
def test_a_field_that_cannot_be_found_lists_those_there_are(
    tmp_path: Path, name: str, content: str, field: str | None, message: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(CorpusError, match=message) as caught:
        load_texts(path, field=field)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_parquet_lists_its_fields_too(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=AMBIGUOUS):
        load_texts(write_parquet(tmp_path, {"a": ["1"], "n": [1], "b": ["2"]}))
    with pytest.raises(CorpusError, match="no field 'c'; its fields are: a, n"):
        load_texts(write_parquet(tmp_path, {"a": ["1"], "n": [1]}), field="c")
    with pytest.raises(CorpusError, match="record 1: field 'n' holds a number, not text"):
        load_texts(write_parquet(tmp_path, {"a": ["1"], "n": [1]}), field="n")


# --- records without a text ----------------------------------------------------------------------------------------


def test_blank_and_null_texts_are_skipped_and_counted(tmp_path: Path) -> None:
    for path in (
        write(tmp_path, "x.json", '[{"text": null}, {"text": ""}, {"text": "a"}, {"text": " \\n"}, {"text": "b"}]'),
        write(tmp_path, "y.json", '{"text": [null, "", "a", " ", "b"]}'),
        write(tmp_path, "z.csv", 'n,text\n1,\n2,""\n3,a\n4, \n5,b\n'),
        write_parquet(tmp_path, {"text": [None, "", "a", " ", "b"]}),
    ):
        corpus = load_texts(path)
        assert (corpus.texts, corpus.skipped) == (("a", "b"), 3)
        assert load_texts(path, limit=1).skipped == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "x.jsonl",
            '{"text": "a"}\n\n{"n": 1}',
            r"record 2 \(line 3\) has no field 'text'; its fields are: n",
        ),
        ("x.json", '[{"text": "a"}, {}]', "record 2 has no field 'text'; its fields are: none"),
        ("x.json", '[{"text": "a"}, {"text": 7}]', "record 2: field 'text' holds a number, not text"),
        ("x.json", '[{"text": "a"}, {"text": {"de": "b"}}]', "record 2: field 'text' holds an object, not text"),
        ("x.json", '[{"text": "a"}, {"text": ["b", true]}]', "field 'text' holds true or false, not text"),
        ("x.json", '[{"text": "a"}, "b"]', "record 2 is a plain text; expected an object with named fields"),
        ("x.json", '["a", {"text": "b"}]', "record 2 is an object, but the records before it are plain texts"),
        ("x.json", '["a", null]', "record 2 is null, but the records before it are plain texts"),
        ("x.jsonl", "[1]\n[2]", r"record 1 \(line 1\) is a list; expected an object with named fields"),
        ("x.jsonl", '{"text": "a"}\n{"text": "\\ud83c"}', r"record 2 \(line 2\) has a lone surrogate \(U\+D83C\)"),
    ],
)
def test_a_record_that_does_not_fit_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        load_texts(write(tmp_path, name, content))


# --- malformed, unreadable, empty ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"text": "a"}\n\n{"text": oops}\n', "malformed JSON at line 3, column 10"),
        ("x.json", '[\n {"text": "a"},\n {"text" "b"}\n]', "malformed JSON at line 3, column 10"),
        ("x.json", '{"text": "a"}\n{"text": "b"\n', "malformed JSON at line 2, column"),
        ("x.json", '{"text": "a"} trailing', "malformed JSON at line 1, column 15: Extra data"),
        ("x.json", "[" * 100_000, "malformed JSON at line 1"),
        ("x.json", '[{"text": "a", "n": ' + "1" * 5000 + "}]", "malformed JSON at line 1"),
        ("x.json", '"just a string"', "expected a list of records or strings"),
        ("x.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}', r"several lists of records \(train, test\)"),
        ("x.csv", "id,text\n1,a,b\n", "line 2 has 3 cells where the header has 2; is a text with ',' unquoted"),
        ("x.csv", "id,text\n1\n", "line 2 has 1 cells where the header has 2"),
        ("x.csv", 'text\n"never closed\n', "malformed at line 2: unexpected end of data"),
        ("x.csv", "id;text\n1;a\n", "the header is one cell, 'id;text'"),
        ("x.csv", "text,text\na,b\n", "the header names more than one column 'text'"),
        ("x.parquet", "not parquet", "malformed parquet"),
        ("x.md", "# text", "unknown kind of file; the suffix must be one of: .json, .jsonl"),
        ("x.jsonl.gz", b"\x1f\x8b", "unknown kind of file"),
        ("x.txt", b"good\nbad \xe9t\xe9\n", r"is not UTF-8: byte 0xe9 at offset 9 \(line 2\)"),
        ("x.jsonl", BOM + b'{"text": "\xff"}', r"is not UTF-8: byte 0xff at offset 13 \(line 1\)"),
        ("x.csv", b"text\n" + b"a\n" * 100_000 + b"\x80\n", r"byte 0x80 at offset 200005 \(line 100002\)"),
        ("x.json", '["a"]'.encode("utf-16"), "is UTF-16; convert it to UTF-8"),
        ("x.json", "", "no texts: it is empty"),
        ("x.json", "[]", "no texts: it is empty"),
        ("x.json", '{"data": [], "version": "1"}', "no texts: it is empty"),
        ("x.jsonl", "\n", "no texts: its only line is blank"),
        ("x.txt", BOM + b" \n\n", "no texts: all 2 lines are blank"),
        ("x.txt", "", "no texts: it is empty"),
        ("x.json", " \n ", "no texts: all 2 lines are blank"),
        ("x.jsonl", '{"text": " "}', "no texts: its only record is blank"),
        ("x.csv", "", "no texts: it is empty"),
        ("x.csv", "id,text\n", "no texts: it is empty"),
        ("x.jsonl", '{"text": " "}\n{"text": null}', "no texts: all 2 records are blank"),
    ],
)
def test_bad_files_say_what_is_wrong_and_where(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(CorpusError, match=message) as caught:
        load_texts(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_empty_parquet(tmp_path: Path) -> None:
    import pyarrow as pa

    with pytest.raises(CorpusError, match="no texts: it is empty"):
        load_texts(write_parquet(tmp_path, {"text": pa.array([], pa.string())}))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "x.txt", "a\n")

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")  # a test run as root can read everything

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CorpusError, match=r"x\.txt: cannot be read: Permission denied"):
        load_texts(path)


# --- limit ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content", "_field"), FORMATS.values(), ids=FORMATS)
def test_limit_takes_the_first_texts(tmp_path: Path, name: str, content: str, _field: str | None) -> None:
    path = write(tmp_path, name, content)
    assert load_texts(path, limit=1).texts == TEXTS[:1]
    assert load_texts(path, limit=99).texts == TEXTS


@pytest.mark.parametrize(
    ("name", "content"), [("x.jsonl", '{"text": "a"}\n{oops\n'), ("x.csv", "text,n\na,1\nb\n"), ("x.json", '["a", 1]')]
)
def test_limit_stops_before_what_it_does_not_need(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path, name, content)
    assert load_texts(path, limit=1).texts == ("a",)
    with pytest.raises(CorpusError):
        load_texts(path)


@pytest.mark.parametrize("limit", [0, -3])
def test_limit_below_one(limit: int) -> None:
    with pytest.raises(OptionError, match=f"limit must be at least 1, got {limit}"):
        load_texts("demo", limit=limit)
    assert issubclass(OptionError, InputError)
