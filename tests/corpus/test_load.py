"""Names, folders and data roots: what is found under which name, and what is said when nothing is."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from embgeom.corpus import DATASETS, load_texts
from embgeom.errors import CorpusError

PAPER = (
    *("gsm8k", "aqua", "svamp", "mawps", "boolq", "piqa", "social_i_qa", "hellaswag", "winogrande"),
    *("arc_easy", "arc_challenge", "openbookqa", "math10k", "commonsense170k"),
)
AUTHORS_FOLDERS = {
    **{name: name for name in ("gsm8k", "mawps", "boolq", "piqa", "social_i_qa", "hellaswag", "winogrande")},
    **{"openbookqa": "openbookqa", "aqua": "AQuA", "svamp": "SVAMP", "arc_easy": "ARC-Easy"},
    "arc_challenge": "ARC-Challenge",
}


@pytest.fixture(autouse=True)
def _no_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBGEOM_DATA", raising=False)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{"instruction": text, "input": "", "output": "o", "answer": "a"}]))
    return path


# --- the record and the demo ---------------------------------------------------------------------------------------


def test_a_corpus_is_a_frozen_sequence_of_texts(tmp_path: Path) -> None:
    corpus = load_texts(put(tmp_path / "x.json", "why?"))
    assert len(corpus) == 1
    assert list(corpus) == ["why?"]
    assert "why?" not in repr(corpus)  # a corpus in an error or a log must not print a book
    with pytest.raises(dataclasses.FrozenInstanceError):
        corpus.name = "y"  # type: ignore[misc]


def test_the_demo_is_english_and_names_its_python() -> None:
    corpus = load_texts("demo")
    assert len(corpus) > 500
    assert " the " in " ".join(corpus)
    assert (corpus.name, corpus.field, corpus.split) == ("demo", None, None)
    assert corpus.source == f"pydoc_data.topics of Python {platform.python_version()}"
    assert load_texts("demo", limit=3).texts == corpus.texts[:3]
    with pytest.raises(CorpusError, match="demo: has no field 'text'"):
        load_texts("demo", field="text")


# --- data root -----------------------------------------------------------------------------------------------------


def test_the_registry_holds_the_data_sets_of_the_paper() -> None:
    assert tuple(DATASETS) == PAPER
    assert {name for name, dataset in DATASETS.items() if dataset.name != name} == set()
    assert set(AUTHORS_FOLDERS) | {"math10k", "commonsense170k"} == set(PAPER)


@pytest.mark.parametrize(("name", "folder"), AUTHORS_FOLDERS.items())
def test_the_authors_folders_are_found_by_name(tmp_path: Path, name: str, folder: str) -> None:
    path = put(tmp_path / folder / "test.json", f"text of {name}")
    put(tmp_path / folder / "train.json", "never train for test")
    for spelling in (name, folder, name.upper(), name.replace("_", "-")):
        corpus = load_texts(spelling, data_root=tmp_path)
        assert (corpus.texts, corpus.name, corpus.source) == ((f"text of {name}",), name, str(path))
        assert (corpus.field, corpus.split, corpus.revision) == ("instruction", "test", None)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("math10k", "math_10k.json"),
        ("commonsense170k", "commonsense_170k.json"),
        ("math10k", "math10k/train.json"),
        ("math10k", "math_10k/train.json"),
        ("boolq", "boolq.json"),
        ("arc_easy", "ARC-Easy.json"),
    ],
)
def test_training_sets_and_single_files(tmp_path: Path, name: str, file: str) -> None:
    path = put(tmp_path / file, "text")
    assert load_texts(name, data_root=tmp_path).source == str(path)
    assert load_texts(name, data_root=str(tmp_path)).name == name


def test_the_folder_wins_over_the_single_file_and_the_exact_spelling_over_others(tmp_path: Path) -> None:
    put(tmp_path / "aqua.json", "single")
    put(tmp_path / "AQuA" / "test.json", "other spelling")
    assert load_texts("aqua", data_root=tmp_path).texts == ("other spelling",)
    put(tmp_path / "aqua" / "test.json", "exact")
    assert load_texts("aqua", data_root=tmp_path).texts == ("exact",)


def test_other_folders_of_the_data_root_have_names_too(tmp_path: Path) -> None:
    put(tmp_path / "AddSub" / "test.json", "add")
    put(tmp_path / "math_train" / "train.json", "train")
    assert load_texts("AddSub", data_root=tmp_path).texts == ("add",)
    corpus = load_texts("math_train", data_root=tmp_path)
    assert (corpus.name, corpus.split) == ("math_train", "train")


def test_the_environment_names_the_data_root_unless_the_argument_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "one" / "gsm8k" / "test.json", "from the environment")
    put(tmp_path / "two" / "gsm8k" / "test.json", "from the argument")
    monkeypatch.setenv("EMBGEOM_DATA", str(tmp_path / "one"))
    assert load_texts("gsm8k").texts == ("from the environment",)
    assert load_texts("gsm8k", data_root=tmp_path / "two").texts == ("from the argument",)
    monkeypatch.setenv("EMBGEOM_DATA", str(tmp_path / "none"))
    with pytest.raises(CorpusError, match=r"EMBGEOM_DATA .*none: no such folder"):
        load_texts("gsm8k")
    assert load_texts("demo", limit=1).name == "demo"  # needs no data root
    assert load_texts(tmp_path / "one" / "gsm8k").name == "gsm8k"


def test_a_data_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"data_root .*none: no such folder"):
        load_texts("gsm8k", data_root=tmp_path / "none")


# --- paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name", "split"),
    [
        ("gsm8k/test.json", "gsm8k", "test"),
        ("AQuA/train.json", "AQuA", "train"),
        ("mine/validation.json", "mine", "validation"),
        ("mine/x.json", "x", None),
    ],
)
def test_short_names_for_tables(tmp_path: Path, file: str, name: str, split: str | None) -> None:
    corpus = load_texts(put(tmp_path / file, "a"))
    assert (corpus.name, corpus.split) == (name, split)


def test_relative_paths_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "gsm8k" / "test.json", "a")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_texts("~/gsm8k/test.json").name == "gsm8k"
    assert load_texts("./gsm8k").name == "gsm8k"
    assert load_texts(Path("gsm8k")).name == "gsm8k"  # a Path is never a registry name
    monkeypatch.chdir("gsm8k")
    assert load_texts("test.json").name == "gsm8k"


def test_a_folder_is_its_test_file(tmp_path: Path) -> None:
    path = put(tmp_path / "gsm8k" / "test.json", "a")
    assert load_texts(path.parent).source == str(path)


def test_a_folder_without_test_file_lists_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"a folder without test\.json; nor any \.json, \.jsonl"):
        load_texts(tmp_path)
    for name in ("b.csv", "a.jsonl", "notes.md"):
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=r"a folder without test\.json; name one of its files: a\.jsonl, b\.csv$"):
        load_texts(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gms8k", r"no file, folder or data set 'gms8k'; did you mean 'gsm8k'\? \(data sets: demo, gsm8k, aqua"),
        ("dmeo", "did you mean 'demo'"),
        ("Open-Book-Q", "did you mean 'openbookqa'"),
        ("zzzz", r"data set 'zzzz' \(data sets: .*commonsense170k\)$"),
        ("", r"no file, folder or data set ''"),
        ("two\nlines", r"data set 'two\\nlines'"),
        ("nowhere.json", r"no such file or folder: nowhere\.json$"),
        ("no/where/at/all", "no such file or folder: no/where/at/all$"),
        ("data/nowhere.jsonl", r"no such file or folder: data/nowhere\.jsonl$"),
        ("~nobody-of-this-name/x", "no such file or folder: ~nobody"),
        (Path("gsm8k-not-here/x"), "no such file or folder: gsm8k-not-here"),
        ("x" * 10_000, r"no file, folder or data set 'x{77}\.\.\.'"),
    ],
)
def test_nothing_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | Path, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=message) as caught:
        load_texts(name)
    assert "\n" not in str(caught.value)


# --- start-up, and the real files ----------------------------------------------------------------------------------


def test_importing_is_light() -> None:
    code = "import sys, embgeom.corpus; print(*{'torch', 'datasets', 'pyarrow', 'huggingface_hub'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, timeout=60
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("name", "count"),  # as the README of the data says
    [("gsm8k", 1319), ("aqua", 254), ("svamp", 1000), ("mawps", 238), ("boolq", 3270), ("arc_challenge", 1172)],
)
def test_the_real_test_sets(assets: Path, name: str, count: int) -> None:
    corpus = load_texts(name, data_root=assets / "data")
    assert (len(corpus), corpus.skipped, corpus.field, corpus.name) == (count, 0, "instruction", name)
    raw = json.loads(Path(corpus.source).read_bytes())
    assert corpus.texts == tuple(record["instruction"] for record in raw)


def test_a_file_of_the_assets_by_path(assets: Path) -> None:
    corpus = load_texts(os.path.join(assets, "data", "math_train", "train.json"), limit=10)
    assert (len(corpus), corpus.name, corpus.split) == (10, "math_train", "train")
