"""``python -m embgeom.norms`` as its users run it."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from embgeom import InputError, load_embeddings, load_texts
from embgeom.counts import token_counts
from embgeom.demo import MODEL_DIR
from embgeom.norms import frequency_norms
from embgeom.token_classes import token_texts

COMMAND = "embgeom.norms"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "some.jsonl"
    things = ["cats", 'a "quoted" hat', "naïve 猫 🙂", "line\nbreaks, and commas"]
    records = [{"question": f"How many {thing} are there in {n} boxes?"} for n, thing in enumerate(things)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def records(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_all_outputs(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out, table, figure = tmp_path / "out.json", tmp_path / "out.csv", tmp_path / "out.png"
    done = run("--data", texts, "--json", out, "--csv", table, "--figure", figure, "--bins", 7, "--seed", 3, "-q")
    assert (done.code, done.err) == (0, "")
    embeddings = load_embeddings("demo")
    counts = token_counts(load_texts(texts), embeddings.tokenizer)
    expected = frequency_norms(embeddings, counts, bins=7, seed=3)
    (record,) = records(out)
    assert record["correlation"] == expected.correlation.to_dict()
    assert record["norm_bins"] == [chosen.to_dict() for chosen in expected.norm_bins]
    assert expected.sentence in done.out
    assert f"{expected.frequent_mean_norm:.4f}" in done.out
    assert figure.read_bytes().startswith(b"\x89PNG")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["token"] for row in rows] == token_texts(embeddings.tokenizer)
    assert [int(row["frequency"]) for row in rows] == counts.dense().tolist()
    norms = np.linalg.norm(embeddings.matrix.double().numpy(), axis=1)
    assert [float(row["norm"]) for row in rows] == pytest.approx(norms.tolist())


def test_the_defaults_are_the_demo(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--json", tmp_path / "out.json", "--limit", 50)
    assert done.code == 0
    (record,) = records(tmp_path / "out.json")
    assert (record["model"], record["data"], record["texts"], record["special_tokens"]) == ("demo", "demo", 50, True)


def test_without_special_tokens(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("--data", texts, "--json", tmp_path / "with.json", "-q").code == 0
    done = run("--data", texts, "--no-special-tokens", "--json", tmp_path / "without.json", "-q")
    assert "special tokens left out" in done.out
    (with_,), (without,) = records(tmp_path / "with.json"), records(tmp_path / "without.json")
    assert with_["tokens"] == without["tokens"] + 4  # type: ignore[operator]


def test_several_models_and_data(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    copy = copy_of_demo(tmp_path)
    words = ["--model", "demo", copy, "--data", texts, "demo", "--limit", 4, "-q"]
    done = run(*words, "--json", tmp_path / "out.json", "--csv", tmp_path / "out.csv", "--figure", tmp_path / "f.svg")
    assert done.code == 0
    found = [(record["model"], record["data"]) for record in records(tmp_path / "out.json")]
    assert found == [("demo", "some"), ("demo", "demo"), (str(copy), "some"), (str(copy), "demo")]
    assert all(f"{name}: " in done.out for name in ("demo · some", "copy · demo"))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 1 + 4 * 3072


def test_layer(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("--data", texts, "--layer", "output", "--json", tmp_path / "o.json", "-q").code == 0
    assert records(tmp_path / "o.json")[0]["layer"] == "output"


def test_one_token(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "one.txt").write_text("a\n", encoding="utf-8")
    words = ["--data", tmp_path / "one.txt", "--no-special-tokens", "--figure", tmp_path / "f.png", "-q"]
    done = run(*words)
    assert (done.code, done.err) == (0, "")
    assert "cannot be told: 1 token type was seen, and a rank correlation needs three." in done.out


# --------------------------------------------------------------------- bad input


def copy_of_demo(tmp_path: Path, bad_row: int | None = None) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir(exist_ok=True)
    for file in MODEL_DIR.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    if bad_row is not None:
        tensors = load_file(folder / "model.safetensors")
        tensors["model.embed_tokens.weight"][bad_row] = np.nan
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_nan_names_the_token(run, tmp_path: Path, texts: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--model", copy_of_demo(tmp_path, bad_row=5), "--data", texts, "-q")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(
        r"error: 1 of 3072 embeddings hold NaN or inf [^\n]* token id 5, '#'\n", done.err.replace('"', "'")
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "no/such/folder"], "there is no such folder"),
        (["--data", "no_such_file.json"], "no_such_file.json"),
        (["--layer", "middle"], "unknown layer 'middle'"),
        (["--bins", "1"], "bins must be a whole number from 2 to 1000, got 1"),
        (["--bins", "100000000"], "bins must be a whole number from 2 to 1000, got 100000000"),
        (["--seed", "-1"], "seed must be a whole number"),
        (["--limit", "0"], "limit"),
        (["--figure", "figure.txt"], "must end in one of .png, .svg, .pdf"),
        (["--csv", "no/such/folder/out.csv"], "cannot write"),
        (["--csv", "same", "--json", "same"], "is to hold two results"),
    ],
)
def test_bad_input_is_one_line(run, words: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*words, "--quiet")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.err)
    assert message in done.err


def test_what_is_computed_is_kept(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A bad model, a missing file and an empty one among good ones; each is complained of once."""
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    data = ["nothing.json", tmp_path / "empty.txt", texts]
    done = run(
        "--model", "demo", "/no/such", copy_of_demo(tmp_path), "--data", *data, "--json", tmp_path / "o.json", "-q"
    )
    assert done.code == 1
    assert done.err.count("error: ") == 3
    assert [record["data"] for record in records(tmp_path / "o.json")] == ["some", "some"]


def test_a_result_that_cannot_be_written_is_still_printed(run, texts: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def full_disk(*_: object) -> None:
        raise InputError("cannot write: No space left on device")

    monkeypatch.setattr("embgeom.results.write_text", full_disk)
    done = run("--data", texts, "--csv", tmp_path / "out.csv", "-q")
    assert done.code == 1
    assert "No space left" in done.err
    assert "ρ within classes" in done.out


# --------------------------------------------------------------------- processes


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from embgeom import cli; from embgeom.norms.__main__ import main; sys.argv = ['x', '--help']\n"
    code += "try:\n    cli.run(main)\nexcept SystemExit as e:\n    assert e.code == 0\n"
    code += "bad = {'torch', 'transformers', 'scipy', 'matplotlib', 'datasets'} & set(sys.modules)\nassert not bad, bad"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--csv" in done.stdout
    assert "Example" in done.stdout


def test_as_a_process(texts: Path, tmp_path: Path) -> None:
    words = ["--data", str(texts), "--csv", str(tmp_path / "o.csv")]
    done = subprocess.run(
        [sys.executable, "-m", "embgeom.norms", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Frequency of tokens against the norm" in done.stdout
    assert "Traceback" not in done.stderr
    assert (tmp_path / "o.csv").stat().st_size > 100_000


# -------------------------------------------------------------------- real models


def test_minilm_on_gsm8k(run, minilm: Path, assets: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--model", minilm, "--data", assets / "data/gsm8k/test.json", "--json", tmp_path / "o.json", "-q")
    assert done.code == 0
    (record,) = records(tmp_path / "o.json")
    assert (record["types"], record["tokens"], record["vocabulary"]) == (5179, 76689, 30522)
    names = {of_class["name"] for of_class in record["classes"]}  # type: ignore[attr-defined]
    assert names == {"word-start", "continuation", "digits", "punctuation", "special", "other"}


def test_byte_fallback(run, assets: Path, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A cat and a smile are three and four byte tokens to a vocabulary that has neither."""
    done = run("--model", assets / "models/stories260k", "--data", texts, "--json", tmp_path / "o.json", "-q")
    assert done.code == 0
    (record,) = records(tmp_path / "o.json")
    (of_bytes,) = (of_class for of_class in record["classes"] if of_class["name"] == "byte")  # type: ignore[attr-defined]
    line_feed, cat, smile, i_with_dots = 1, 3, 4, 2
    assert of_bytes["tokens"] == line_feed + cat + smile + i_with_dots
