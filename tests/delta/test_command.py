"""``python -m embgeom.delta`` as its users run it: in process for the answers, as a process for the exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from embgeom import (
    HyperbolicityDistribution,
    load_embeddings,
    load_texts,
    prompt_hyperbolicity,
    prompt_tree_likeness,
    vocabulary_hyperbolicity,
)
from embgeom.calibration import Calibration, calibrate_prompts, calibrate_vocabulary
from embgeom.demo import MODEL_DIR
from embgeom.errors import InputError
from embgeom.layers import LayerProfile, layer_statistics

COMMAND = "embgeom.delta"

REQUIRED = [
    "model",
    "data",
    "layer",
    "method",
    "exact",
    "delta",
    "diameter",
    "relative_delta",
    "relative_delta_sd",
    "n",
    "points",
    "witness",
    "seed",
    "versions",
]


def process(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embgeom.delta", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "some.jsonl"
    records = [{"question": f"How many {thing} are there in {n} boxes?"} for n, thing in enumerate(["cats", "hats"])]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


# ----------------------------------------------------------------------- answers


def test_prompt_level(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.json"
    done = run("--model", "demo", "--data", texts, "--json", out)
    assert done.code == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert set(REQUIRED) <= set(record)
    expected = prompt_hyperbolicity(load_embeddings("demo"), load_texts(texts))
    beside = record.pop("tree_likeness")
    assert record == expected.to_dict()
    assert beside == prompt_tree_likeness(load_embeddings("demo"), load_texts(texts)).to_dict()
    assert f"{beside['mean_q']['mean']:.3f}" in done.out
    assert f"{expected.relative_delta:.5f} ± {expected.relative_delta_sd:.5f}" in done.out
    assert all(token in done.out for token in expected.witness.tokens)


def test_vocabulary_level(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.json"
    done = run("--points", 30, "--trials", 3, "--seed", 5, "--json", out, "--quiet")
    assert (done.code, done.err) == (0, "")
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    expected = vocabulary_hyperbolicity(load_embeddings("demo"), points=30, trials=3, seed=5)
    assert record == expected.to_dict()
    assert (record["data"], record["method"], record["exact"], record["n"], record["seed"]) == (
        None,
        "exact",
        True,
        3,
        5,
    )


def test_several_models_and_data(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """``--model a b`` and ``--model a --model b`` are the same; one object per model × data, in order."""
    copy = copy_of_demo(tmp_path)
    for words in (
        ["--model", "demo", copy, "--data", texts, "demo"],
        ["--model", "demo", "--model", copy, "--data", texts, "--data", "demo"],
    ):
        done = run(*words, "--limit", 2, "--json", tmp_path / "out.json")
        assert done.code == 0
        records = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
        assert [(record["model"], record["data"]) for record in records] == [
            ("demo", "some"), ("demo", "demo"), (str(copy), "some"), (str(copy), "demo")
        ]  # fmt: skip


@pytest.mark.parametrize("method", ["exact", "bounds", "base", "sample"])
@pytest.mark.parametrize("level", ["prompts", "vocabulary"])
def test_every_method(run, texts: Path, tmp_path: Path, method: str, level: str) -> None:  # type: ignore[no-untyped-def]
    where = ["--data", texts] if level == "prompts" else ["--points", 20, "--trials", 2]
    done = run("--method", method, *where, "--quadruples", 500, "--json", tmp_path / "out.json")
    assert done.code == 0
    (record,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (record["method"], record["level"], record["exact"]) == (method, level, method == "exact")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_figure(run, texts: Path, tmp_path: Path, suffix: str) -> None:  # type: ignore[no-untyped-def]
    figure = tmp_path / f"figure.{suffix}"
    assert run("--data", texts, "--figure", figure, "-q").code == 0
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert figure.read_bytes().startswith(start)


def test_options_reach_the_library(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.json"
    words = ["--data", texts, "--base", "medoid", "--metric", "angular", "--layer", "output", "--field", "question"]
    assert run(*words, "--limit", 1, "--device", "cpu", "--json", out, "-q").code == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert [record[key] for key in ("base", "metric", "layer", "n", "device")] == [
        "medoid",
        "angular",
        "output",
        1,
        "cpu",
    ]


# ------------------------------------------------------------- beside the nulls


def rows_of(out: str, first: str) -> list[str]:
    return [line for line in out.splitlines() if line.split()[:1] == [first]]


def test_prompts_beside_nulls(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out, figure = tmp_path / "out.json", tmp_path / "f.png"
    done = run("--data", texts, "--null", "all", "--seed", 3, "--json", out, "--figure", figure, "-q")
    assert (done.code, done.err) == (0, "")
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    expected = calibrate_prompts(load_embeddings("demo"), load_texts(texts), seed=3)
    assert Calibration.from_dict(record["calibration"]) == expected
    assert record["tree_likeness"] == expected.observed.to_dict()
    delta = prompt_hyperbolicity(load_embeddings("demo"), load_texts(texts))
    assert HyperbolicityDistribution.from_dict(record) == delta  # as before there were nulls
    assert expected.verdict.sentence in done.out
    assert expected.verdict.delta_sentence in done.out
    assert len(rows_of(done.out, "spectrum")) == 5
    null = expected.at("mean_q", "gaussian")
    assert f"{null.mean:.4f} ± {null.sd:.4f}" in done.out
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert max(len(row) for row in rows_of(done.out, "vocabulary")) <= 80


def test_vocabulary_beside_nulls(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.json"
    words = ["--points", 20, "--trials", 3, "--null", "directions", "spectrum", "--null-draws", 39]
    assert run(*words, "--json", out, "-q").code == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    expected = calibrate_vocabulary(
        load_embeddings("demo"), points=20, trials=3, nulls=["directions", "spectrum"], draws=39
    )
    assert Calibration.from_dict(record["calibration"]) == expected


def test_large_trials_say_that_their_largest_is_a_lower_bound(run) -> None:  # type: ignore[no-untyped-def]
    """The table of nulls has the largest quadruple of a sample, the table above it the exact δ: not the same number."""
    words = ["--trials", 1, "--null", "permute", "-q"]
    said = " ".join(run("--points", 201, *words).out.split())
    assert "In every trial, of more than 200 points, quadruples are drawn at random: 2δ/diameter is that of" in said
    assert "2δ/diameter of the quadruples drawn, 0." in said
    assert "1 trial beside null clouds" in said
    assert "drawn" not in run("--points", 20, *words).out.replace("Null spectrum was not drawn", "")


def test_several_cells_beside_nulls(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    words = ["--data", texts, "demo", "--limit", 2, "--null", "permute", "--figure", tmp_path / "f.svg"]
    done = run(*words, "-q")
    assert done.code == 0
    assert "draws each: demo · some" in done.out
    assert "draws each: demo · demo" in done.out


def test_repeats(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "t.txt").write_text("the cat and the dog and the cat and the cow\n", encoding="utf-8")
    means = []
    for words in ([], ["--repeats"]):
        done = run("--data", tmp_path / "t.txt", *words, "--json", tmp_path / "o.json", "-q")
        (record,) = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))
        assert record["tree_likeness"]["repeats"] == bool(words)
        assert ("repeated tokens kept" in done.out) == bool(words)
        means.append((record["tree_likeness"]["mean_q"]["mean"], record["relative_delta"]))
    assert means[1][0] < means[0][0]
    assert means[1][1] == means[0][1]


def test_delta_stands_alone_where_q_is_not_defined(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "t.txt").write_text("a a a a\n", encoding="utf-8")
    done = run("--data", tmp_path / "t.txt", "-q")
    assert (done.code, done.err) == (0, "")
    assert "mean q" not in done.out
    done = run("--data", tmp_path / "t.txt", "--null", "all", "-q")
    assert done.code == 1
    assert re.fullmatch(r"error: demo on t: none of the 1 prompts has 4 distinct tokens or more[^\n]+\n", done.err)
    assert "relative δ" in done.out


def test_q_is_left_out_where_it_would_take_long_and_nobody_asked(run, texts: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("embgeom.commands.delta_measuring._UNASKED", 1000)
    assert "mean q" not in run("--data", texts, "-q").out
    assert "mean q" in run("--data", texts, "--null", "permute", "-q").out


def test_layers(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out, figure = tmp_path / "out.json", tmp_path / "f.png"
    done = run("--data", texts, "--layer", "all", "--null", "all", "--json", out, "--figure", figure, "-q")
    assert (done.code, done.err) == (0, "")
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    profile = LayerProfile.from_dict(record)
    expected = layer_statistics("demo", load_texts(texts), null="all")
    assert profile.nulls == ("directions", "permute", "spectrum")
    assert profile.at(2, "pooled_q").spread.mean == pytest.approx(expected.at(2, "pooled_q").spread.mean, rel=1e-4)
    assert len(rows_of(done.out, "spectrum")) == profile.depth + 1
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert run("--data", texts, "--layer", "hidden:2", "--null-draws", 2, "--json", out, "-q").code == 0
    (profile,) = map(LayerProfile.from_dict, json.loads(out.read_text(encoding="utf-8")))
    assert (profile.layers, profile.null_draws) == ((2,), 2)


def test_as_seen(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Gemma multiplies its embeddings by √d = 4: δ and diameter are 4 times as large, relative δ is the same."""
    import transformers

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = transformers.Gemma2Config(**sizes, head_dim=8, num_hidden_layers=2, vocab_size=40)
    torch.manual_seed(0)
    transformers.Gemma2Model(config).save_pretrained(tmp_path / "gemma")
    found = []
    for words in ([], ["--as-seen"]):
        words = ["--model", tmp_path / "gemma", "--points", 20, "--trials", 2, *words]
        done = run(*words, "--json", tmp_path / "o.json", "-q")
        assert done.code == 0
        found += json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))
    assert "embeddings times 4, as the first block sees them" in done.out
    assert found[1]["delta"] == pytest.approx(4 * found[0]["delta"])
    assert found[1]["relative_delta"] == pytest.approx(found[0]["relative_delta"])
    done = run("--as-seen", "--points", 10, "--trials", 1, "-q")
    assert (done.code, done.err.startswith("note: ")) == (0, True)


# --------------------------------------------------------------------- bad input


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


def test_embeddings_with_nan(run, tmp_path: Path, texts: Path) -> None:  # type: ignore[no-untyped-def]
    embedding = load_embeddings("demo").matrix.clone()
    embedding[3:] = np.nan
    folder = copy_of_demo(tmp_path, **{"model.embed_tokens.weight": embedding})
    done = run("--model", folder, "--data", texts)
    assert done.code == 1
    named = f"error: {re.escape(str(folder))} on some: "
    assert re.fullmatch(named + r"\d+ of \d+ embeddings hold NaN or inf; the first is that of token id \d+\n", done.err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "no/such/folder"], "there is no such folder"),
        (["--data", "no_such_file.json"], "no_such_file.json"),
        (["--data", "{texts}", "--field", "answer"], "question"),
        (["--points", "3"], "got 3 points; .* 0 by definition"),
        (["--points", "10000000"], "10000000 points were asked for and the vocabulary has"),
        (["--trials", "0"], "trials must be a whole number of at least 1"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--metric", "taxicab"], "unknown metric 'taxicab'; choose one of: euclidean, angular, cosine"),
        (["--method", "guess"], "unknown method 'guess'"),
        (["--layer", "middle"], "unknown layer 'middle'"),
        (["--method", "base", "--base", "middle"], "unknown base 'middle'"),
        (["--data", "{texts}", "--null", "noise"], "unknown null 'noise'; choose one of: all, gaussian"),
        (["--null", "vocabulary"], "says nothing about random subsets"),
        (["--data", "{texts}", "--null", "all", "--null-draws", "9"], "take 19 or more"),
        (["--data", "{texts}", "--null", "all", "--null-draws", "0"], "at least 1"),
        (["--data", "{texts}", "--null-draws", "30"], "null draws were asked for and no null"),
        (["--layer", "all"], "give --data"),
        (["--data", "{texts}", "--layer", "hidden:two"], "unknown layer 'hidden:two'; choose one of: input, output"),
        (["--data", "{texts}", "--layer", "hidden:1_0"], "unknown layer 'hidden:1_0'"),
        (["--data", "{texts}", "--layer", "hidden:99"], "hidden layers 0 to"),
        (["--data", "{texts}", "--layer", "all", "--method", "exact"], "leave out --method"),
        (["--data", "{texts}", "--layer", "all", "--null", "vocabulary"], "draws from the vocabulary"),
        (["--data", "{texts}", "--layer", "output", "--as-seen"], "is about input embeddings"),
        (["--data", "{texts}", "--limit", "0"], "limit"),
        (["--figure", "figure.txt"], "must end in one of .png, .svg, .pdf"),
        (["--json", "no/such/folder/out.json"], "cannot write"),
    ],
)
def test_bad_input_is_one_line(run, texts: Path, words: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*(word.replace("{texts}", str(texts)) for word in words), "--quiet")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.err)
    assert re.search(message, done.err)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "some.jsonl"), ('{"question": "one two three four"}\n{"question": \n', "2")],
    ids=["empty", "malformed"],
)
def test_bad_corpus(run, texts: Path, content: str, message: str) -> None:  # type: ignore[no-untyped-def]
    texts.write_text(content, encoding="utf-8")
    done = run("--data", texts, "-q")
    assert done.code == 1
    assert re.fullmatch(r"error: [^\n]+\n", done.err)
    assert message in done.err


def test_what_is_computed_is_kept(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """One bad model and one bad file among good ones: the good cells are printed and saved, the exit status is 1."""
    out = tmp_path / "out.json"
    done = run("--model", "demo", "/no/such", "--data", "nothing.json", texts, "--json", out, "-q")
    assert done.code == 1
    assert done.err.count("error: ") == 2
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert (record["model"], record["data"]) == ("demo", "some")
    assert "relative δ" in done.out


def test_wrong_usage(run) -> None:  # type: ignore[no-untyped-def]
    assert run("--no-such-option").code == 2
    assert run("--points", "many").code == 2
    assert run("stray").code == 2


def test_unwritable_places_are_refused_before_the_work(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    both = tmp_path / "both.svg"
    for words, message in [
        (["--json", tmp_path], "it is a folder"),
        (["--figure", tmp_path / "folder.png"], "it is a folder"),
        (["--json", tmp_path / ("x" * 300)], "name too long"),
        (["--json", both, "--figure", both], "is to hold two results"),
        (["--seed", -1], "seed must be a whole number"),
        (["--device", "meta"], "device 'meta' cannot be used here"),
    ]:
        (tmp_path / "folder.png").mkdir(exist_ok=True)
        done = run("--data", texts, *words)
        assert (done.code, done.out) == (1, "")
        assert re.fullmatch(r"error: [^\n]+\n", done.err)
        assert message in done.err


def test_a_result_that_cannot_be_written_is_still_printed(run, texts: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def full_disk(*_: object) -> None:
        raise InputError("cannot write out.json: No space left on device")

    monkeypatch.setattr("embgeom.results.write_text", full_disk)
    done = run("--data", texts, "--json", tmp_path / "out.json", "--figure", tmp_path / "f.svg", "-q")
    assert done.code == 1
    assert "No space left" in done.err
    assert "relative δ" in done.out
    assert (tmp_path / "f.svg").exists()


def test_a_vocabulary_needs_no_tokenizer(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = copy_of_demo(tmp_path)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    done = run("--model", folder, "--points", 20, "--trials", 2, "-q")
    assert done.code == 0
    assert done.out.count("id ") >= 4


def test_equal_embeddings_are_left_out(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    same = torch.ones_like(load_embeddings("demo").matrix)
    folder = copy_of_demo(tmp_path, **{"model.embed_tokens.weight": same})
    done = run("--model", folder, "--points", 5, "--trials", 2, "-q")
    assert (done.code, done.out) == (1, "")
    assert "in each of the 2 trials all 5 points are equal" in done.err


def test_models_of_one_name_are_told_apart(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folders = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        folders.append(copy_of_demo(tmp_path / place))
    done = run("--model", *folders, "--points", 10, "--trials", 1, "-q")
    assert all(str(folder) in done.out for folder in folders)


def test_the_table_fits_a_terminal(run, texts: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--data", texts, "demo", "--limit", 20, "-q")
    rows = [line for line in done.out.splitlines() if line.startswith(("demo", "model", "─"))]
    assert len(rows) == 8
    assert max(map(len, rows)) <= 80


# --------------------------------------------------------------------- processes


def test_help_is_quick_and_imports_no_torch() -> None:
    code = "import sys; from embgeom import cli; from embgeom.delta.__main__ import main; sys.argv = ['x', '--help']\n"
    code += "try:\n    cli.run(main)\nexcept SystemExit as e:\n    assert e.code == 0\n"
    code += "bad = {'torch', 'transformers', 'numba', 'matplotlib', 'datasets'} & set(sys.modules)\nassert not bad, bad"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--model" in done.stdout
    assert "Example" in done.stdout


def test_as_a_process(texts: Path, tmp_path: Path) -> None:
    done = process("--data", texts, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert "relative δ" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))) == 1


def test_a_reader_that_goes_away_costs_no_file(texts: Path, tmp_path: Path) -> None:
    words = ["--data", str(texts), "--json", str(tmp_path / "o.json"), "--figure", str(tmp_path / "o.png"), "-q"]
    with subprocess.Popen(
        [sys.executable, "-m", "embgeom.delta", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        err = running.stderr.read().decode()
        assert running.wait(timeout=120) == 0, err
    assert err == ""
    assert {"o.json", "o.png"} <= {path.name for path in tmp_path.iterdir()}


def test_letters_that_the_locale_lacks(texts: Path) -> None:
    done = process("--data", texts, "-q", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "relative ?" in done.stdout


def test_bad_input_as_a_process() -> None:
    done = process("--model", "/no/such/folder", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupt_keeps_what_is_done_and_leaves_no_half_file(tmp_path: Path) -> None:
    """Ctrl-C in the second of two cells: the first is in the file, and nothing else is in the folder."""
    (tmp_path / "quick.txt").write_text("one two three four five\n", encoding="utf-8")
    (tmp_path / "slow.txt").write_text("one two three four five six seven eight\n" * 4000, encoding="utf-8")
    out = tmp_path / "out.json"
    words = ["--data", "quick.txt", "slow.txt", "--method", "sample", "--quadruples", "1000000", "--json", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "embgeom.delta", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])},
        # A run in the background has its interrupts ignored, and hands that on to its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        seen = ""
        assert running.stderr is not None
        while "4000 prompts" not in seen:
            seen += running.stderr.read(1)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert record["data"] == "quick"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "quick.txt", "slow.txt"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupted_nulls_leave_delta(tmp_path: Path) -> None:
    """Ctrl-C while nulls are drawn: δ is in the file and printed, and the status says so."""
    (tmp_path / "t.txt").write_text("one two three four five six seven eight\n" * 50, encoding="utf-8")
    words = ["--data", str(tmp_path / "t.txt"), "--null", "all", "--null-draws", "9999", "--json", "out.json"]
    with subprocess.Popen(
        [sys.executable, "-m", "embgeom.delta", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        seen = ""
        assert running.stderr is not None
        while "9999 draws of 5 nulls of 50 prompts" not in seen:
            seen += running.stderr.read(1)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "relative δ" in out
    (record,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert record["n"] == 50
    assert "calibration" not in record
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "t.txt"]
