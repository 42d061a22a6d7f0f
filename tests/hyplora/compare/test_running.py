"""A comparison: what is paired, what is chosen, what is stored, and what becomes of failures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch

from embgeom.errors import InputError, OptionError
from hyplora.compare import CellResult, CompareOptions, Comparison, compare, paired_test
from hyplora.compare.adapting import Adapted, adapt, budgets
from hyplora.compare.material import load_material
from hyplora.compare.scoring import scores_of
from hyplora.evaluate.models import Loaded
from hyplora.train.base import load_base
from hyplora.train.loop import TrainingError
from hyplora.train.options import TrainOptions
from tests.hyplora.compare.conftest import Adapt
from tests.hyplora.tiny import allow_third_party

pytestmark = allow_third_party

TARGETS = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")


def cells_of(folder: Path) -> list[CellResult]:
    return [CellResult.load(file) for file in sorted((folder / "cells").iterdir())]


def trained(folder: Path) -> list[CellResult]:
    return [cell for cell in cells_of(folder) if "run" in cell.identity]


def test_every_contender_is_tuned_and_then_compared(done: tuple[Path, Comparison]) -> None:
    folder, comparison = done
    assert [each.name for each in comparison.contenders] == ["LoRA", "HypLoRA, K = 0.5"]
    cells = trained(folder)
    assert len(cells_of(folder)) == len(cells) + 1 == 1 + 2 * (2 + 2)
    seeds = [cell.identity["run"]["seed"] for cell in cells]
    assert sorted(seeds) == [0] * 4 + [1] * 2 + [2] * 2
    parts = {
        seed: {cell.identity["part"]["sha256"] for cell in cells if cell.identity["run"]["seed"] == seed}
        for seed in (0, 1, 2)
    }
    assert parts[1] == parts[2]
    assert not parts[0] & parts[1]
    for each in comparison.contenders:
        best = min(each.settings, key=lambda setting: setting.score or float("inf"))
        assert (each.learning_rate, each.alpha) == (best.learning_rate, best.alpha)
        own = [
            cell
            for cell in cells
            if cell.identity["adapter"]["method"] == each.method and cell.identity["run"]["seed"] > 0
        ]
        assert {cell.identity["adapter"]["alpha"] for cell in own} == {each.alpha}
        values = [cell.scores["bits_per_character"] for cell in sorted(own, key=lambda c: c.identity["run"]["seed"])]
        (score,) = each.scores
        assert score.values == tuple(values)
        assert (score.mean, score.sd) == (fmean(values), stdev(values))
    lora, hyplora = (each.scores[0].values for each in comparison.contenders)
    (difference,) = comparison.contenders[1].differences
    assert difference.test == paired_test([b - a for a, b in zip(lora, hyplora, strict=True)])
    assert comparison.contenders[0].differences == ()


def test_seeds_are_pairs(done: tuple[Path, Comparison]) -> None:
    """The same seed is the same order of records and the same A, whatever the method; another seed is another."""
    seen: dict[int, set[tuple[Any, Any]]] = {}
    for cell in trained(done[0]):
        seen.setdefault(cell.identity["run"]["seed"], set()).add((cell.order, cell.start))
    assert {seed: len(found) for seed, found in seen.items()} == {0: 1, 1: 1, 2: 1}
    assert len({order for found in seen.values() for order, _ in found}) == 3
    assert len({start for found in seen.values() for _, start in found}) == 3


def test_it_learns(small: Callable[..., CompareOptions], demo: Loaded) -> None:
    options = small(steps=12)
    material = load_material(options, demo.tokenizer, length=64)
    untrained = scores_of(demo.model, material.test, demo, batch=2)["bits_per_character"]
    for each in options.contenders:
        adapted = adapt(options.training(each, learning_rate=1e-2, alpha=32.0, seed=1), material.training)
        assert scores_of(adapted.model, material.test, demo, batch=2)["bits_per_character"] < 0.9 * untrained


def test_lora_is_trained_as_peft_and_torch_would(small: Callable[..., CompareOptions], demo: Loaded) -> None:
    """The first step of AdamW moves every entry of B by the learning rate, against the sign of its gradient."""
    options = small(steps=1)
    lora = options.contenders[0]
    training = options.training(lora, learning_rate=1e-2, alpha=16.0, seed=1)
    adapted = adapt(training, load_material(options, demo.tokenizer, length=64).training)
    moved = [p.detach() for name, p in adapted.model.named_parameters() if "lora_B" in name]
    assert moved
    for B in moved:
        assert B.abs().max().item() == pytest.approx(1e-2, rel=1e-2)
    assert adapted.curvatures is None


def test_a_second_run_calculates_nothing(
    done: tuple[Path, Comparison], small: Callable[..., CompareOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, comparison = done
    before = {file.name: file.stat().st_mtime_ns for file in (folder / "cells").iterdir()}
    monkeypatch.setattr("hyplora.compare.adapting.adapt", None)
    counted = []
    again = compare(small(), output=folder, on_cells=lambda *counts: counted.append(counts))
    assert again == comparison
    assert counted == [(9, 0)]
    assert {file.name: file.stat().st_mtime_ns for file in (folder / "cells").iterdir()} == before


def test_more_seeds_calculate_only_themselves(
    done: tuple[Path, Comparison], small: Callable[..., CompareOptions], tmp_path: Path
) -> None:
    cells = tmp_path / "cells"
    cells.mkdir()
    for file in (done[0] / "cells").iterdir():
        (cells / file.name).write_bytes(file.read_bytes())
    counted = []
    more = compare(small(seeds=3), output=tmp_path, on_cells=lambda *counts: counted.append(counts))
    assert counted == [(9, 2)]
    assert more.contenders[0].scores[0].values[:2] == done[1].contenders[0].scores[0].values


def test_killed_and_run_again(
    done: tuple[Path, Comparison], small: Callable[..., CompareOptions], tmp_path: Path
) -> None:
    """What was there when it was killed is not calculated again, and the result is that of a run that was not."""
    words = command_words(small(), tmp_path)
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and len(list((tmp_path / "cells").glob("*.json"))) < 4:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cells").glob("*.json")}
    counted: list[tuple[int, int]] = []
    resumed = compare(small(), output=tmp_path, on_cells=lambda *counts: counted.append(counts))
    assert counted == [(len(kept), 9 - len(kept))]
    assert {name: (tmp_path / "cells" / name).stat().st_mtime_ns for name in kept} == kept
    ours, theirs = ({**result.to_dict(), "seconds": 0} for result in (resumed, done[1]))
    assert ours == theirs


def command_words(options: CompareOptions, folder: Path) -> list[str]:
    listed = {
        "--method": options.methods,
        "--curvature": options.curvatures,
        "--learning-rates": options.learning_rates,
        "--alphas": options.alphas or (),
        "--targets": options.targets,
    }
    single = {
        "--data": options.data,
        "--seeds": options.seeds,
        "--steps": options.steps,
        "--batch": options.batch,
        "--rank": options.rank,
        "--output": folder,
    }
    words = [word for name, values in listed.items() for word in (name, *values)]
    words += [word for name, value in single.items() for word in (name, value)]
    return [sys.executable, "-m", "hyplora.compare", "-q", *map(str, words)]


def test_a_setting_that_diverges_is_out_and_stays_out(
    small: Callable[..., CompareOptions], untouched: Adapt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def partly(options: TrainOptions, training: Any) -> Adapted:
        return (untouched if options.run.learning_rate < 1 else adapt)(options, training)

    monkeypatch.setattr("hyplora.compare.adapting.adapt", partly)
    options = small(learning_rates=(3e-3, 1e30), alphas=(16.0,), steps=3)
    comparison = compare(options, output=tmp_path)
    assert comparison.failures == ()
    for each in comparison.contenders:
        assert each.learning_rate == 3e-3
        lost = each.settings[1]
        assert lost.score is None
        assert lost.error is not None
        assert re.fullmatch(r"(the loss is nan|a gradient is not finite) at step [23], learning rate .*", lost.error)
    monkeypatch.setattr("hyplora.compare.adapting.adapt", None)
    assert compare(options, output=tmp_path) == comparison


def test_a_contender_that_fails_leaves_the_others(
    small: Callable[..., CompareOptions], untouched: Adapt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(options: TrainOptions, training: Any) -> Adapted:
        if options.adapter.curvature == 2.0 and options.run.seed == 2:
            raise TrainingError("the loss is nan at step 2, learning rate 0.1: try a lower --learning-rate")
        if options.adapter.curvature == 3.0:
            raise MemoryError("no room")
        return untouched(options, training)

    monkeypatch.setattr("hyplora.compare.adapting.adapt", fails)
    options = small(curvatures=(0.5, 2.0, 3.0), alphas=(16.0,))
    comparison = compare(options, output=tmp_path)
    lora, fine, nan, memory = comparison.contenders
    assert [each.name for each in comparison.failures] == ["HypLoRA, K = 2", "HypLoRA, K = 3"]
    assert nan.error == "seed 2: the loss is nan at step 2, learning rate 0.1"
    assert memory.error == "no setting could be trained; the first: MemoryError: no room"
    assert (nan.scores, memory.scores, nan.differences) == ((), (), ())
    assert lora.scores[0].values
    (difference,) = fine.differences
    assert (difference.test.mean, difference.test.p_t, difference.p) == (0.0, None, 1.0)
    stored = [cell.error for cell in cells_of(tmp_path) if cell.error is not None]
    assert stored == ["the loss is nan at step 2, learning rate 0.1"]  # memory may be there the next time


def test_runs_that_are_no_pairs_are_not_compared(
    small: Callable[..., CompareOptions], untouched: Adapt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def otherwise(options: TrainOptions, training: Any) -> Adapted:
        found = untouched(options, training)
        return replace(found, order=options.adapter.method)

    monkeypatch.setattr("hyplora.compare.adapting.adapt", otherwise)
    with pytest.raises(RuntimeError, match="learned from the records in different orders"):
        compare(small(), output=tmp_path)


def test_none_can_be_trained(
    small: Callable[..., CompareOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(options: Any, training: Any) -> Any:
        raise TrainingError("the loss is nan at step 1, learning rate 1: try a lower --learning-rate")

    monkeypatch.setattr("hyplora.compare.adapting.adapt", fails)
    with pytest.raises(
        InputError, match=r"^no contender could be trained; LoRA: no setting could be trained; the first"
    ):
        compare(small(), output=tmp_path)


def test_a_broken_cell_is_calculated_again(
    done: tuple[Path, Comparison], small: Callable[..., CompareOptions], tmp_path: Path
) -> None:
    cells = tmp_path / "cells"
    cells.mkdir()
    for file in (done[0] / "cells").iterdir():
        (cells / file.name).write_bytes(file.read_bytes())
    one, other = sorted(cells.iterdir())[:2]
    one.write_text("{")
    changed = json.loads(other.read_text())
    changed["identity"]["device"] = "abacus"
    other.write_text(json.dumps(changed))
    counted: list[tuple[int, int]] = []
    again = compare(small(), output=tmp_path, on_cells=lambda *counts: counted.append(counts))
    assert counted == [(7, 2)]
    assert {**again.to_dict(), "seconds": 0} == {**done[1].to_dict(), "seconds": 0}


def test_the_budget(small: Callable[..., CompareOptions]) -> None:
    """r (d_in + d_out) for every layer, and two numbers more for HypLoRA, of which the simplified form has one."""
    options = small(methods=("lora", "rslora", "hyplora", "hyplora-simplified"), rank=3, targets=TARGETS)
    network, _, _ = load_base(
        options.training(options.contenders[0], learning_rate=1.0, alpha=1.0, seed=0).model, "fp32"
    )
    width, inner, keys, layers = 160, 432, 80, 5
    factors = 3 * layers * ((width + width) + 2 * (width + keys) + 2 * (width + inner))
    found = {each.method: counts for each, counts in budgets(network, options).items()}
    assert found == {
        "lora": (factors, 0),
        "rslora": (factors, 0),
        "hyplora": (factors + 2 * 25, 2 * 25),
        "hyplora-simplified": (factors + 25, 25),
    }
    assert not any("lora" in name for name, _ in network.named_parameters())
    for method in ("dora", "hyplora-time"):
        with pytest.raises(OptionError, match=f"^{method} trains .* not the same budget; leave one of the two out"):
            budgets(network, small(methods=("lora", method)))
