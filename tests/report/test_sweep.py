"""A sweep measures what the functions measure that it calls, each cell once, and goes on where it was."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embgeom import load_embeddings, load_texts, prompt_hyperbolicity
from embgeom.calibration import calibrate_prompts
from embgeom.demo import MODEL_DIR
from embgeom.errors import OptionError
from embgeom.layers import layer_statistics
from embgeom.report import REPORTED, Row, Sweep, rows_of, sweep, write_report
from embgeom.report.measure import measure_cell
from tests.report.made import put_ruler, stored, write_prompts

QUICK: dict[str, Any] = {"null": ["permute"], "null_draws": 19}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_prompts(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, data: list[str]) -> tuple[Sweep, Path]:
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    layers = ["input", "all"]
    found = sweep(["demo", "no/such-folder/at-all"], data, layers=layers, output=folder, **QUICK)
    write_report(found, put_ruler(folder))
    return found, folder


def test_cells_hold_what_the_functions_return(done: tuple[Sweep, Path], data: list[str]) -> None:
    found, _ = done
    embeddings, corpus = load_embeddings("demo"), load_texts(data[1])
    rows = {(row.model, row.data, row.layer, row.asked): row for row in rows_of(found)}
    row = rows["demo", "two", "input", "input"]
    expected = {
        "fixed_base": prompt_hyperbolicity(embeddings, corpus, method="base"),
        "relative_delta": prompt_hyperbolicity(embeddings, corpus, method="exact"),
    }
    for name, own in expected.items():
        entry = row.of(name)
        assert entry is not None
        assert (entry.mean, entry.sd, entry.prompts) == (own.relative_delta, own.relative_delta_sd, 3)
    calibration = calibrate_prompts(embeddings, corpus, nulls=["permute"], draws=19)
    assert row.verdict == calibration.verdict.sentence
    entry = row.of("pooled_q")
    assert entry is not None
    assert entry.mean == calibration.observed.pooled_q.mean
    assert entry.nulls[0].p_lower == calibration.at("pooled_q", "permute").p_lower
    profile = layer_statistics("demo", corpus, layers=[2], null="permute", null_draws=19)
    hidden = rows["demo", "two", "hidden:2", "all"]
    for name in REPORTED:
        entry = hidden.of(name)
        assert entry is not None
        assert entry.mean == pytest.approx(profile.at(2, name).spread.mean, rel=1e-12)
        assert entry.nulls[0].below == profile.at(2, name).nulls[0].below
    depth = [row for row in rows_of(found) if (row.model, row.data, row.asked) == ("demo", "one", "all")]
    assert [row.layer for row in depth] == [f"hidden:{layer}" for layer in range(profile.depth + 1)]


def test_what_fails_is_in_its_cell_and_the_rest_is_there(done: tuple[Sweep, Path], data: list[str]) -> None:
    found, folder = done
    assert len(found.cells) == 2 * 2 * 2
    assert {cell.model for cell in found.failures} == {"no/such-folder/at-all"}
    assert len(found.failures) == 4 == len(found.cells) - found.computed
    assert all("no/such-folder/at-all" in str(cell.error) and "\n" not in str(cell.error) for cell in found.failures)
    assert len(found.reasons()) == 1
    rows = Row.load_all(folder / "table.json")
    assert rows == rows_of(found)


def test_csv_and_json_hold_the_same_numbers(done: tuple[Sweep, Path]) -> None:
    _, folder = done
    with (folder / "table.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    listed = {tuple(line[name] for name in ("model", "data", "layer", "statistic", "of")): line for line in lines}
    assert len(listed) == len(lines)
    count = 0
    for row in json.loads((folder / "table.json").read_text(encoding="utf-8")):
        place = row["model"], row["data"], row["layer"]
        if row["error"] is not None:
            assert listed[(*place, "", "")]["error"] == row["error"]
            count += 1
        for entry in row["statistics"]:
            for name, values in (("data", entry), *((null["null"], null) for null in entry["nulls"])):
                line = listed[(*place, entry["name"], name)]
                assert (float(line["mean"]), float(line["sd"])) == (values["mean"], values["sd"])
                count += 1
    assert count == len(lines)


def test_nothing_is_measured_twice(done: tuple[Sweep, Path], data: list[str], tmp_path: Path) -> None:
    _, before = done
    folder = tmp_path / "copy"
    shutil.copytree(before, folder)
    cells = stored(folder)
    again = sweep(["demo"], data, layers=["input", "all"], output=folder, **QUICK)
    assert again.computed == 0
    assert stored(folder) == cells
    # In another order, and with less: the same cells.
    assert sweep(["demo"], data[::-1], layers=["all"], output=folder, **QUICK).computed == 0


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"seed": 1}, 4),
        ({"null": ["directions"]}, 4),
        ({"null_draws": 20}, 4),
        ({"limit": 3}, 2),  # the second data set has no more than three texts
        ({"layers": ["input", "hidden:1"]}, 2),
        ({"layers": ["output", "all"]}, 2),
    ],
    ids=str,
)
def test_only_what_an_option_changes_is_measured_again(
    done: tuple[Sweep, Path], data: list[str], tmp_path: Path, changed: dict[str, Any], again: int
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(done[1], folder)
    asked: dict[str, Any] = {"layers": ["input", "all"], **QUICK, **changed}
    assert sweep(["demo"], data, output=folder, **asked).computed == again
    assert sweep(["demo"], data, layers=["input", "all"], output=folder, **QUICK).computed == 0


def test_changed_files_are_measured_again(tmp_path: Path, data: list[str]) -> None:
    model, prompts = tmp_path / "model", tmp_path / "prompts.txt"
    shutil.copytree(MODEL_DIR, model)
    prompts.write_text("the first text of them all\n", encoding="utf-8")
    asked: dict[str, Any] = {"null": ["none"], "output": tmp_path / "report"}

    def computed() -> int:
        return sweep([str(model)], [str(prompts), data[0]], **asked).computed

    assert [computed(), computed()] == [2, 0]
    prompts.write_text("the first text of all these\n", encoding="utf-8")
    assert computed() == 1
    (model / "NOTES.md").write_text("nothing that a number depends on", encoding="utf-8")
    assert computed() == 0
    weights = next(model.glob("*.safetensors"))
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[:-4] + np.array([1, 2], np.float16).tobytes())
    assert computed() == 2


def test_a_damaged_cell_is_measured_again(tmp_path: Path, data: list[str]) -> None:
    asked: dict[str, Any] = {"null": ["none"], "output": tmp_path}
    first = sweep(["demo"], data, **asked)
    path = next((tmp_path / "cells").glob("*.json"))
    path.write_text(path.read_text(encoding="utf-8")[:500], encoding="utf-8")
    again = sweep(["demo"], data, **asked)
    assert again.computed == 1
    assert rows_of(again) == rows_of(first)


def test_a_fault_in_one_cell_is_not_that_of_the_others(
    tmp_path: Path, data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(model: str, corpus: Any, **known: Any) -> Any:
        if corpus.name == "one":
            raise RuntimeError("out of\nmemory")
        return measure_cell(model, corpus, **known)

    monkeypatch.setattr("embgeom.report.running.measure_cell", faulty)
    found = sweep(["demo"], data, null=["none"], output=tmp_path)
    assert [cell.error for cell in found.cells] == ["RuntimeError: out of memory", None]
    write_report(found, put_ruler(tmp_path))
    monkeypatch.undo()
    assert [cell.error for cell in sweep(["demo"], data, null=["none"], output=tmp_path).cells] == [None, None]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layers": ["inputs"]}, "unknown layer 'inputs'"),
        ({"layers": ["all", "hidden:1"]}, "layer all has hidden:1 in it"),
        ({"null": ["noise"]}, "unknown null 'noise'"),
        ({"null": ["none", "permute"]}, "leaves out all nulls"),
        ({"null": ["gaussian"], "layers": ["hidden:1"]}, "hidden layers have not"),
        ({"null_draws": 5}, "take 19 or more"),
        ({"null_draws": 0}, "at least 1"),
        ({"null": ["none"], "null_draws": 19}, "and no null"),
        ({"limit": 0}, "limit"),
        ({"seed": -1}, "seed must be"),
        ({"data": ["demo", "demo"]}, "data set 'demo' is named twice"),
        ({"models": []}, "expected a list of names"),
        ({"models": "demo"}, "expected a list of names"),
    ],
    ids=str,
)
def test_bad_options_are_refused_before_any_work(tmp_path: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        sweep(output=tmp_path / "never", **asked)
    assert not (tmp_path / "never").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot make the folder"):
        sweep(output=tmp_path / "file" / "report")
