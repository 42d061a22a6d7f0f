"""``python -m embgeom.hierarchy`` as its users run it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from embgeom import load_embeddings, load_texts
from embgeom.counts import token_counts
from embgeom.demo import MODEL_DIR
from embgeom.hierarchy import Hierarchy, digit_norms, general_specific, group_statistics
from embgeom.trees import token_tree

COMMAND = "embgeom.hierarchy"


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    path = tmp_path / "groups.yaml"
    path.write_text("often: [to, in, and]\nseldom: [number, size, zyzzyva]\n", encoding="utf-8")
    return path


def test_the_demo(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.json"
    done = run("--json", out, "--figure", tmp_path / "f.png", "-q")
    assert (done.code, done.err) == (0, "")
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    embeddings = load_embeddings("demo")
    counts = token_counts(load_texts("demo"), embeddings.tokenizer, name="demo")
    assert record["groups"] == group_statistics(embeddings, counts=counts).to_dict()
    assert record["digits"] == digit_norms(embeddings).to_dict()
    assert record["pairs"] == general_specific(embeddings, counts).to_dict()
    words = [word for group in record["groups"]["groups"] for word in [w["word"] for w in group["words"]]]
    fits = [token_tree(embeddings, words, method=method) for method in ("gromov", "neighbor-joining")]
    assert [tree["additive_distortion"] for tree in record["trees"]] == [fit.additive_distortion for fit in fits]
    assert Hierarchy.from_dict(record).to_dict() == record
    mean = record["groups"]["groups"][0]["norm"]
    assert f"{mean['mean']:.3f} [{mean['minimum']:.3f} ~ {mean['maximum']:.3f}]" in done.out
    assert "demo has no number of two or three digits as a single token" in done.out
    assert "none of the 352 pairs has two words that are single tokens" in done.out
    assert "neighbor-joining" in done.out
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_with_the_words(run, minilm: Path, assets: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = assets / "data" / "gsm8k" / "test.json"
    done = run("--model", minilm, "--data", data, "--figure", tmp_path / "f.svg", "--json", tmp_path / "o.json", "-q")
    assert done.code == 0
    (record,) = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))
    for test in ("by_pair", "by_hypernym"):
        assert f"{record['pairs'][test]['p_value']:.2g}" in done.out
    matched = record["pairs"]["matched"]
    assert f"{matched['share']['expected']:.2f} [" in done.out
    assert f"{matched['pairs']} pairs could be matched" in done.out
    assert record["data"] == "gsm8k"
    name = f"{minilm.parent.name}/model"
    assert name in done.out
    rules = [line for line in done.out.splitlines() if line.startswith(("model ", "─"))]
    assert max(map(len, rules)) - len(name) <= 85
    hypernym = next(line for line in done.out.splitlines() if " hypernym " in line and line.startswith(name))
    test = record["pairs"]["by_hypernym"]
    assert hypernym.split()[3:5] == [str(test["n"]), str(test["ties"])]
    assert test["ties"] > 0


def test_groups_and_tree_tokens(run, groups: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    leaves = tmp_path / "words.txt"
    leaves.write_text("\ufeffthe\nof\n\n  and\r\nfrom\nzyzzyva\n", encoding="utf-8")
    out = tmp_path / "out.json"
    assert run("--groups", groups, "--tree-tokens", leaves, "--json", out, "--limit", 50, "--seed", 3, "-q").code == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert [group["name"] for group in record["groups"]["groups"]] == ["often", "seldom"]
    assert record["groups"]["groups"][1]["left_out"][0]["word"] == "zyzzyva"
    assert record["groups"]["seed"] == record["pairs"]["seed"] == 3
    assert [tree["labels"] for tree in record["trees"]] == [["the", "of", "and", "from"]] * 2
    assert record["trees"][0]["left_out"] == ["zyzzyva"]
    assert run("--groups", groups, "--json", out, "--limit", 50, "--layer", "output", "-q").code == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert record["layer"] == record["groups"]["layer"] == "output"
    assert record["trees"][0]["labels"] == ["to", "in", "and", "number", "size"]


def test_several_models_and_data(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    copy = copy_of_demo(tmp_path)
    (tmp_path / "some.txt").write_text("the number of the size to come\n", encoding="utf-8")
    out = tmp_path / "out.json"
    words = ["--model", "demo", copy, "--data", tmp_path / "some.txt", "demo", "--limit", 5]
    assert run(*words, "--json", out, "--figure", tmp_path / "f.pdf", "-q").code == 0
    records = json.loads(out.read_text(encoding="utf-8"))
    assert [(record["model"], record["data"]) for record in records] == [
        ("demo", "some"), ("demo", "demo"), (str(copy), "some"), (str(copy), "demo")
    ]  # fmt: skip
    assert records[0]["digits"]["rows"] == records[2]["digits"]["rows"]


def copy_of_demo(tmp_path: Path, **changed: torch.Tensor) -> Path:
    """A folder with the demo model, some of whose tensors are replaced."""
    folder = tmp_path / "copy"
    folder.mkdir(exist_ok=True)
    for file in MODEL_DIR.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    if changed:
        tensors = load_file(folder / "model.safetensors")
        save_file({**tensors, **changed}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "no/such/folder"], "there is no such folder"),
        (["--data", "no_such_file.json"], "no_such_file.json"),
        (["--groups", "none.yaml"], "groups none.yaml: cannot be read: No such file"),
        (["--groups", "{bad}"], "bad.yaml, line 2: key 'two': expected a list of words"),
        (["--tree-tokens", "none.txt"], "tree tokens none.txt: cannot be read: No such file"),
        (["--tree-tokens", "{empty}"], "the file is empty; expected words, one a line"),
        (["--layer", "middle"], "unknown layer 'middle'"),
        (["--seed", "-1"], "seed must be a whole number of at least 0, got -1"),
        (["--limit", "0"], "limit must be at least 1"),
        (["--figure", "figure.txt"], "must end in one of .png, .svg, .pdf"),
        (["--json", "no/such/folder/out.json"], "cannot write"),
    ],
)
def test_bad_input_is_one_line(run, tmp_path: Path, words: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    bad, empty = tmp_path / "bad.yaml", tmp_path / "empty.txt"
    bad.write_text("one: [dog]\ntwo: cat\n", encoding="utf-8")
    empty.write_text(" \n", encoding="utf-8")
    done = run(*(word.replace("{bad}", str(bad)).replace("{empty}", str(empty)) for word in words), "-q")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.err)
    assert message in done.err


def test_what_is_computed_is_kept(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A bad model, a bad file and words that no tree fits among what is good: that is printed, with exit status 1."""
    (tmp_path / "two.txt").write_text("the\nof\n", encoding="utf-8")
    words = ["--model", "/no/such", "demo", "--data", "nothing.json", "demo", "--limit", 5]
    done = run(*words, "--tree-tokens", tmp_path / "two.txt", "--figure", tmp_path / "f.png", "-q")
    assert done.code == 1
    assert done.err.count("error: ") == 3
    assert "Groups of words" in done.out
    assert "Trees" not in done.out
    assert (tmp_path / "f.png").exists()


def test_groups_too_small_for_a_tree(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Nobody asked for a tree: a note, and no error. And two words show no trend."""
    small = tmp_path / "small.yaml"
    small.write_text("a: [to]\nb: [number, zyzzyva]\n", encoding="utf-8")
    done = run("--groups", small, "--limit", 5, "--figure", tmp_path / "f.png", "--json", tmp_path / "o.json", "-q")
    assert done.code == 0
    assert re.fullmatch(r"note: no tree [^\n]*: 2 of their 3 words are single tokens of demo, [^\n]*\n", done.err)
    assert "norm shows no trend that can be told: τ = " in done.out
    assert "Trees" not in done.out
    (hierarchy,) = Hierarchy.load_all(tmp_path / "o.json")
    assert hierarchy.trees == ()
    assert hierarchy.groups is not None


def test_embeddings_with_nan(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    embedding = load_embeddings("demo").matrix.clone()
    embedding[3:] = torch.nan
    done = run("--model", copy_of_demo(tmp_path, **{"model.embed_tokens.weight": embedding}), "--limit", 5, "-q")
    assert done.code == 1
    assert re.search(
        r"error: \S+copy on demo: \d+ of \d+ embeddings hold NaN or inf; the first is that of token id \d+\n", done.err
    )
    assert "Traceback" not in done.err


def test_without_a_tokenizer(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = copy_of_demo(tmp_path)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    done = run("--model", folder, "-q")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"error: [^\n]*tokenizer[^\n]*\n", done.err)


def test_a_vocabulary_of_letters(run, assets: Path) -> None:  # type: ignore[no-untyped-def]
    """No word is a single token: everything says so, and digits are still measured."""
    done = run("--model", assets / "models" / "babyllama105", "--limit", 5, "-q")
    assert done.code == 0
    assert re.fullmatch(r"note: no tree is fitted to the groups: 0 of their 28 words are [^\n]+\n", done.err)
    assert "0 of 7" in done.out
    assert "10 of 10" in done.out
    assert "none of the 352 pairs" in done.out


def test_help_is_quick_and_imports_little() -> None:
    code = "import sys; from embgeom import cli; from embgeom.hierarchy.__main__ import main; sys.argv = ['x', '-h']\n"
    code += "try:\n    cli.run(main)\nexcept SystemExit as e:\n    assert e.code == 0\n"
    code += "bad = {'torch', 'transformers', 'numba', 'matplotlib', 'scipy', 'numpy'} & set(sys.modules)\n"
    code += "assert not bad, bad"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--tree-tokens" in done.stdout
    assert "Example" in done.stdout


def test_as_a_process(tmp_path: Path) -> None:
    words = ["--limit", "20", "--json", str(tmp_path / "out.json")]
    command = [sys.executable, "-m", "embgeom.hierarchy", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Jonckheere–Terpstra" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))) == 1
