"""``python -m hyplora.compare`` as its users run it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyplora.compare import CompareOptions, Comparison
from hyplora.compare.adapting import Adapted
from hyplora.compare.words import finding, p_value, signed
from hyplora.train.loop import TrainingError
from hyplora.train.options import TrainOptions
from tests.hyplora.compare.conftest import Adapt
from tests.hyplora.compare.test_running import command_words
from tests.hyplora.tiny import allow_third_party

COMMAND = "hyplora.compare"
pytestmark = allow_third_party


def test_the_tables(
    run: Callable[..., Any], done: tuple[Path, Comparison], small: Callable[..., CompareOptions], tmp_path: Path
) -> None:
    folder, comparison = done
    found = run(*command_words(small(), folder)[3:], "--json", tmp_path / "found.json")
    assert (found.code, found.err) == (0, "")
    (written,) = Comparison.load_all(tmp_path / "found.json")
    assert written == comparison
    lora, hyplora = comparison.contenders
    assert f"{lora.scores[0].mean:.4f} ± {lora.scores[0].sd:.4f}" in found.out
    assert f"{comparison.untrained['bits_per_character']:.4f}" in found.out
    assert f"{hyplora.parameters:,}" in found.out
    (difference,) = hyplora.differences
    assert finding(hyplora, difference, lora, 1) in found.out
    assert "sign-flip p = 0.5 (the least that 2 seeds can give: 0.5)" in found.out or "sign-flip p = 1 " in found.out
    assert "28 of" not in found.out
    assert "34 texts to learn from; held out: 3 to tune on, 5 (" in found.out


def test_a_failure_is_told_and_the_rest_is_printed(
    run: Callable[..., Any],
    small: Callable[..., CompareOptions],
    untouched: Adapt,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(options: TrainOptions, training: Any) -> Adapted:
        if options.adapter.curvature == 1.0:
            raise TrainingError("the loss is nan at step 1, learning rate 1: try a lower --learning-rate")
        return untouched(options, training)

    monkeypatch.setattr("hyplora.compare.adapting.adapt", fails)
    found = run(*command_words(small(curvatures=(0.5, 1.0), alphas=(16.0,)), tmp_path)[3:])
    assert found.code == 1
    assert found.err == (
        "error: HypLoRA, K = 1: no setting could be trained; the first: the loss is nan at step 1, learning rate 1\n"
    )
    assert "HypLoRA, K = 0.5 against LoRA:" in found.out
    assert "HypLoRA, K = 1 against" not in found.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "lora", "adalora"], "unknown method 'adalora'; choose one of: hyplora,"),
        (["--method", "lora"], "a comparison takes two contenders, and there is only LoRA"),
        (["--curvature", "0"], "curvature is to be a number above 0, or 'auto', not '0'"),
        (["--seeds", "1"], "seeds is to be a whole number from 2 to 20, not 1"),
        (["--seeds", "21"], "seeds is to be a whole number from 2 to 20, not 21"),
        (["--learning-rates", "1e-3", "0"], "learning_rate is to be a number above 0, not '0'"),
        (["--learning-rates", "nan"], "learning_rate is to be a number above 0, not 'nan'"),
        (["--alphas", "1.5"], "alpha is to be a whole number, which is what PEFT takes, not 1.5"),
        (["--steps", "0"], "steps is to be a whole number of at least 1, not '0'"),
        (["--batch", "x"], "batch is to be a whole number of at least 1, not 'x'"),
        (["--held-out", "x.txt"], "held-out is for texts; arithmetic has problems of its own that are held out"),
        (["--json", "/no/such/folder/x.json"], "cannot write /no/such/folder/x.json: there is no folder"),
        (["--data", "/no/such.txt"], "no such file or folder: /no/such.txt"),
        (["--data", "nothing.txt"], "nothing.txt: "),
        (["--data", "one.txt"], "one.txt: 0 texts are left to tune and to compare on, of 0 held out"),
        (["--model", "/no/such/model"], "model '/no/such/model'"),
        (["--targets", "nothing"], "targets: the model has no nothing; its linear layers are called: q_proj,"),
        (["--method", "lora", "dora"], "dora trains "),
        (["--output", "one.txt"], "cannot make the folder one.txt/cells: "),
    ],
)
def test_one_line_for_input_at_fault(
    run: Callable[..., Any], words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing.txt").write_text("")
    (tmp_path / "one.txt").write_text("One text.")
    found = run("-q", *words)
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith(f"error: {message}")
    assert found.err.count("\n") == 1


def test_help_says_how_many_seeds_there_can_be(run: Callable[..., Any]) -> None:
    words = run("--help").out.replace("│", " ").split()
    assert "How many, from 2 to 20; they are 1, 2, …, and 0 tunes." in " ".join(words)


def test_how_numbers_are_written() -> None:
    assert signed("bits_per_character", -0.00314) == "−0.0031"
    assert signed("bits_per_character", -0.00001) == "0.0000"
    assert signed("accuracy", 0.0125) == "+1.2"
    assert [p_value(p) for p in (None, 0.0004, 0.0625, 0.314, 0.9999)] == ["–", "< 0.001", "0.0625", "0.314", "1"]


def test_as_a_program_it_takes_what_is_there(
    done: tuple[Path, Comparison], small: Callable[..., CompareOptions]
) -> None:
    words = [word for word in command_words(small(), done[0]) if word != "-q"]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert found.stderr.splitlines()[-1] == f"note: 9 of 9 cells were in {done[0] / 'cells'}"
    assert "HypLoRA, K = 0.5 against LoRA:" in found.stdout


def test_help_needs_no_torch() -> None:
    script = (
        "import sys, runpy\n"
        "sys.argv = ['hyplora.compare', '--help']\n"
        "sys.orig_argv = ['python', '-m', 'hyplora.compare', '--help']\n"
        "try:\n    runpy.run_module('hyplora.compare', run_name='__main__')\n"
        "except SystemExit as exit_:\n    code = exit_.code\n"
        "heavy = {'torch', 'transformers', 'peft', 'accelerate', 'scipy', 'matplotlib', 'datasets', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)), code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert "--learning-rates" in done.stdout
