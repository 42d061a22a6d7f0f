"""``python -m embgeom.frequency`` as its users run it: in process for the answers, as a process for the exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from embgeom.corpus import load_texts
from embgeom.counts import token_counts
from embgeom.embeddings import load_tokenizer
from embgeom.frequency import PowerLawFit, fit_power_law

COMMAND = "embgeom.frequency"


def process(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embgeom.frequency", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "some.txt"
    path.write_text("\n".join(load_texts("demo", limit=60)), encoding="utf-8")
    return path


def word_folder(folder: Path) -> Path:
    """A folder with a tokenizer of words, and nothing else of a model."""
    words = sorted({word for text in load_texts("demo") for word in text.split()})
    raw = Tokenizer(models.WordLevel({"<none>": 0, **{word: n for n, word in enumerate(words, 1)}}, unk_token="<none>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<none>").save_pretrained(folder)
    return folder


# --- answers ---------------------------------------------------------------------------------------------------------


def test_what_runs_when_nothing_is_named(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--json", tmp_path / "out.json", "--quiet")
    assert (done.code, done.err) == (0, "")
    (record,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    counts = token_counts(load_texts("demo"), load_tokenizer("demo"))
    expected = fit_power_law(counts)
    assert record == expected.to_dict()
    row = next(line.split() for line in done.out.splitlines() if line.startswith("demo"))
    numbers = [counts.texts, counts.total, counts.types]
    assert row[:5] == ["demo", "demo", *map(str, numbers)]
    assert row[5:8] == [
        f"{expected.gamma:.3f}±{expected.standard_error:.3f}",
        str(expected.k_min),
        str(expected.tail_size),
    ]
    assert [float(word) for word in row[8:]] == pytest.approx(
        [expected.ks_distance, 1 / (expected.gamma - 1)], abs=5e-3
    )


def test_the_tests_against_alternatives_are_in_words(run, texts: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--data", texts, "-q")
    fit = fit_power_law(token_counts(load_texts(texts), load_tokenizer("demo")))
    rows = done.out.partition("beside other distributions")[2]
    for comparison in fit.comparisons:
        row = next(line for line in rows.splitlines() if comparison.alternative in line)
        assert f" {comparison.log_likelihood_ratio:.2f} " in row
        assert comparison.sentence.split(" (R")[0] in row


def test_what_says_little_is_marked(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A tail of few types has an asterisk; an alternative that ends in the power law has no R and no p."""
    words = [str(number) for number, times in enumerate([1] * 20 + [2] * 6 + [3] * 3 + [9]) for _ in range(times)]
    (tmp_path / "few.txt").write_text(" ".join(words), encoding="utf-8")
    done = run("--data", tmp_path / "few.txt", "--json", tmp_path / "o.json", "-q")
    assert done.code == 0
    (fit,) = PowerLawFit.load_all(tmp_path / "o.json")
    assert fit.tail_size < 50
    assert f" {fit.tail_size}* " in done.out
    assert "*: fewer than 50 types, to be treated with caution (Clauset et al. 2009, 3.2)" in done.out
    rows = done.out.partition("beside other distributions")[2].splitlines()
    assert any(one.is_power_law for one in fit.comparisons)
    for one in fit.comparisons:
        row = next(line for line in rows if f" {one.alternative} " in line)
        assert bool(re.search(r" – +– ", row)) == one.is_power_law
    assert "*" not in run("-q").out


def test_several_tokenizers_and_data(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Folders that hold only a tokenizer will do; one object per tokenizer × data, in order."""
    words, out = word_folder(tmp_path / "words"), tmp_path / "out.json"
    done = run("--model", "demo", words, "--data", texts, "demo", "--json", out, "--figure", tmp_path / "f.png", "-q")
    assert (done.code, done.err) == (0, "")
    records = json.loads(out.read_text(encoding="utf-8"))
    assert [(record["tokenizer"], record["data"]) for record in records] == [
        ("demo", "some"),
        ("demo", "demo"),
        (str(words), "some"),
        (str(words), "demo"),
    ]
    assert records[3]["tokens"] == sum(len(text.split()) for text in load_texts("demo"))
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    assert len({record["gamma"] for record in records}) == 4


def test_options_reach_the_library(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "two.jsonl"
    lines = texts.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(json.dumps({"question": "no", "answer": line}) + "\n" for line in lines), encoding="utf-8")
    out = tmp_path / "out.json"
    options = ["--field", "answer", "--limit", 40, "--no-special-tokens", "--goodness-of-fit", 12, "--seed", 7]
    done = run("--data", path, *options, "--json", out, "-q")
    assert done.code == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    counts = token_counts(lines[:40], load_tokenizer("demo"), special_tokens=False)
    assert record["tokens"] == counts.total == token_counts(lines[:40], load_tokenizer("demo")).total - 40
    assert (record["goodness"]["replicates"], record["goodness"]["seed"]) == (12, 7)
    assert record["goodness"] == fit_power_law(counts, goodness_of_fit=12, seed=7).goodness.to_dict()  # type: ignore[union-attr]
    assert f"{record['goodness']['p']:.2f}" in next(line for line in done.out.splitlines() if line.startswith("demo"))
    assert "special tokens left out" in done.out
    assert "of 12 bootstrap replicates" in done.out


def test_the_table_fits_a_terminal(run, texts: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("--data", texts, "demo", "--goodness-of-fit", 3, "-q")
    first = done.out.partition("γ: discrete")[0]
    rows = [line for line in first.splitlines() if line.startswith(("demo", "model", "─"))]
    assert len(rows) == 4
    assert max(map(len, rows)) <= 80


# Discrete, exact, BOS counted once per text; `instruction` of the test sets, whole. As powerlaw 2.0 gives them, whose
# optimiser may stop short of the maximum (Llama 2, GSM8K: it says 1.9651, and the likelihood is largest at 1.9657).
GAMMA = {
    "llama3": {"AQuA": 1.975, "SVAMP": 2.155, "boolq": 1.979, "gsm8k": 1.944, "mawps": 2.050},
    "llama2": {"AQuA": 1.932, "SVAMP": 2.069, "boolq": 1.951, "gsm8k": 1.965, "mawps": 2.060},
}


def test_the_exponents_of_the_test_sets(run, assets: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.json"
    data = [assets / "data" / name / "test.json" for name in GAMMA["llama3"]]
    models_ = [assets / "tokenizers" / name for name in GAMMA]
    done = run("--model", *models_, "--data", *data, "--json", out, "--figure", tmp_path / "f.svg", "-q")
    assert (done.code, done.err) == (0, "")
    records = json.loads(out.read_text(encoding="utf-8"))
    found = {(Path(record["tokenizer"]).name, record["data"]): record["gamma"] for record in records}
    assert found == pytest.approx({(m, d): g for m, of in GAMMA.items() for d, g in of.items()}, abs=7e-4)
    assert {record["provenance"]["field"] for record in records} == {"instruction"}


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "no/such/folder"], "there is no such folder"),
        (["--data", "no_such_file.json"], "no such file or folder: no_such_file.json"),
        (["--data", "{texts}", "--field", "answer"], "has no field 'answer': its records are plain texts"),
        (["--data", "{texts}", "--limit", "0"], "limit must be at least 1"),
        (["--data", "gsm8k", "--data-root", "nowhere"], "data_root nowhere: no such folder"),
        (["--goodness-of-fit", "-1"], "goodness-of-fit must be a whole number of at least 0, got -1"),
        (["--seed", "-1"], "seed must be a whole number of at least 0, got -1"),
        (["--revision", "main"], "it has no revisions"),
        (["--figure", "figure.txt"], "must end in one of .png, .svg, .pdf"),
        (["--json", "no/such/folder/out.json"], "cannot write"),
        (["--data", "{one}"], "one token type|occur equally often|different frequencies"),
        (["--data", "{empty}"], "no texts: it is empty"),
        (["--data", "{blank}"], "no texts: all 3 lines are blank"),
    ],
)
def test_bad_input_is_one_line(run, texts: Path, words: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    one, empty, blank = (texts.with_name(name) for name in ("one.txt", "empty.txt", "blank.txt"))
    blank.write_text(" \n\n\t\n", encoding="utf-8")
    one.write_text("a", encoding="utf-8")
    empty.touch()
    names = {"{texts}": texts, "{one}": one, "{empty}": empty, "{blank}": blank}
    done = run(*(str(names.get(word, word)) for word in words), "--quiet")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.err)
    assert re.search(message, done.err)


def test_what_is_computed_is_kept(run, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Bad models and bad files among good ones: the good are printed and saved, each fault is told once."""
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out.json"
    bad.write_text('{"text": "a b"}\n{"text": \n', encoding="utf-8")
    words = word_folder(tmp_path / "words")
    done = run("--model", "demo", "/no/such", words, "--data", "nothing.json", bad, texts, "--json", out, "-q")
    assert done.code == 1
    assert done.err.count("error: ") == 3
    assert done.err.count("bad.jsonl: malformed JSON at line 2") == 1
    records = json.loads(out.read_text(encoding="utf-8"))
    assert [(record["tokenizer"], record["data"]) for record in records] == [("demo", "some"), (str(words), "some")]
    assert "P(k)" in done.out


# --- processes -------------------------------------------------------------------------------------------------------


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = "import sys; from embgeom import cli; from embgeom.frequency.__main__ import main\n"
    code += "sys.argv = ['x', '--help']\ntry:\n    cli.run(main)\nexcept SystemExit as e:\n    assert e.code == 0\n"
    code += "bad = {'torch', 'transformers', 'powerlaw', 'scipy', 'numpy', 'matplotlib'} & set(sys.modules)\n"
    code += "assert not bad, bad"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--goodness-of-fit" in done.stdout
    assert "Example" in done.stdout


def test_as_a_process(texts: Path, tmp_path: Path) -> None:
    done = process("--data", texts, "--json", tmp_path / "out.json", "--figure", tmp_path / "f.pdf")
    assert done.returncode == 0, done.stderr
    assert "P(k)" in done.stdout
    assert not re.search("Traceback|Warning|error", done.stderr)
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))) == 1
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


def test_never_torch_and_never_weights(texts: Path) -> None:
    """The tokenizer alone is loaded: no file of weights is opened."""
    code = "import sys\nopened = []\nsys.addaudithook(lambda e, a: opened.append(str(a[0])) if e == 'open' else None)\n"
    code += "from embgeom import cli; from embgeom.frequency.__main__ import main\n"
    code += f"sys.argv = ['x', '--data', {str(texts)!r}, '-q']\n"
    code += "try:\n    cli.run(main)\nexcept SystemExit as e:\n    assert e.code == 0\n"
    code += "assert any('tokenizer.json' in name for name in opened)\n"
    code += "assert not any(name.endswith(('.safetensors', '.bin')) for name in opened)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupt_keeps_what_is_done_and_leaves_no_half_file(texts: Path, tmp_path: Path) -> None:
    """Ctrl-C in the second of two data sets: the first is in the file, and nothing else is in the folder."""
    slow = tmp_path / "slow.txt"
    slow.write_text((texts.read_text(encoding="utf-8") + "\n") * 2500, encoding="utf-8")
    out = tmp_path / "out.json"
    with subprocess.Popen(
        [sys.executable, "-m", "embgeom.frequency", "--data", str(texts), str(slow), "--json", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A run in the background has its interrupts ignored, and hands that on to its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        assert running.stderr is not None
        seen = ""
        while "tokens of slow" not in seen:
            seen += running.stderr.read(1)
        running.send_signal(signal.SIGINT)
        stdout, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "P(k)" in stdout
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert record["data"] == "some"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "slow.txt", "some.txt"]
