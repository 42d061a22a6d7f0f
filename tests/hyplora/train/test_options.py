"""Options: where each value comes from, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from embgeom.errors import OptionError
from hyplora.train import AdapterOptions, DataOptions, RunOptions, TrainOptions, presets, resolve
from hyplora.train.settings import to_yaml


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text)
    return file


def test_the_later_source_wins(tmp_path: Path) -> None:
    file = write(tmp_path, "run: {learning_rate: 2e-4, epochs: 1}\nmodel: some/model\n")
    options = resolve({"epochs": "2"}, preset=["math10k"], config=file)
    assert options.adapter.dropout == AdapterOptions().dropout  # from nowhere
    assert options.data.data == "math10k"  # from the preset alone
    assert options.model.model == "some/model"  # from the file alone
    assert options.run.learning_rate == 2e-4  # in preset and file
    assert options.run.epochs == 2.0  # in all three


def test_without_model_and_data_it_is_the_demo(tmp_path: Path) -> None:
    assert resolve({}) == resolve({}, preset=["demo"])
    assert resolve({"rank": "8"}).run == resolve({}, preset=["demo"]).run
    assert resolve({"data": "mine.jsonl"}).run == RunOptions()
    assert resolve({}, config=write(tmp_path, "model: some/model")).run == RunOptions()


@pytest.mark.parametrize("data", ["math10k", "commonsense170k"])
@pytest.mark.parametrize(
    ("model", "method", "alpha", "curvature"),
    [
        ("llama3-8b", "hyplora", 128.0, 1.0),
        ("llama3-8b", "hyplora-simplified", 256.0, 0.5),
        ("llama3-8b", "lora", 64.0, None),
        ("gemma3-4b", "hyplora", 32.0, None),
    ],
)
def test_settings_of_the_paper(data: str, model: str, method: str, alpha: float, curvature: float | None) -> None:
    found = resolve({"method": method}, preset=[data, model])
    assert (found.adapter.alpha, found.adapter.curvature, found.adapter.rank) == (alpha, curvature, 32)
    assert found.adapter.targets == ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
    assert (found.data.data, found.data.cutoff, found.data.validation) == (data, 256, 120)
    run = found.run
    assert (run.learning_rate, run.batch, run.micro_batch, run.epochs, run.warmup_steps) == (3e-4, 16, 4, 3.0, 100)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_valid_for_every_method(name: str) -> None:
    for method in ("hyplora", "hyplora-time", "hyplora-simplified", "lora", "dora", "rslora"):
        assert resolve({"method": method}, preset=[name]).adapter.method == method


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "rank": st.integers(1, 512),
            "learning_rate": st.floats(1e-8, 10.0),
            "curvature": st.one_of(st.just("auto"), st.floats(1e-6, 1e6)),
            "targets": st.lists(st.text("abc_", min_size=1), min_size=1),
            "skip_bad": st.booleans(),
            "data": st.text(min_size=1).filter(str.isprintable),
            "steps": st.one_of(st.none(), st.integers(1, 10**9)),
        },
    )
)
def test_the_written_options_give_the_same_ones(values: dict[str, Any]) -> None:
    options = TrainOptions.of(values)
    assert TrainOptions.of(options.values()) == options
    flat = {name: value for part in yaml.safe_load(to_yaml(options)).values() for name, value in part.items()}
    assert TrainOptions.of(flat) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rnak: 8", r"mine\.yaml: unknown key 'rnak'; the keys are: .*rank"),
        ("adapter: {epochs: 8}", r"mine\.yaml: unknown key 'epochs' of adapter; the keys are: method, .*targets$"),
        ("rank: 8\nadapter: {rank: 4}", r"mine\.yaml: rank is there twice"),
        ("a: b: c", r"mine\.yaml: malformed YAML at line 1"),
        ("- rank", r"mine\.yaml: expected names of options"),
        ("rank: [1]", r"mine\.yaml: rank is to be a whole number of at least 1, not \[1\]"),
        ("rank: true", "rank is to be a whole number"),
        ("rank: 2.5", "rank is to be a whole number"),
        ("learning_rate: .nan", "learning_rate is to be a number above 0"),
        ("data: {validation: many}", "validation is to be a whole number"),
        ("skip_bad: 1", "skip_bad is to be true or false"),
        ("output: 3", "output is to be a text"),
        ("targets: [1]", "targets is to be a list of names"),
        ("by_method: {adalora: {rank: 1}}", "by_method: unknown method 'adalora'"),
        ("by_method: {lora: {rnak: 1}}", "by_method: lora: unknown key 'rnak'"),
        ("output: 2024-13-01", r"mine\.yaml: malformed YAML: month must be in 1\.\.12"),
        ("steps: 1" + 400 * "0", r"mine\.yaml: steps is to be a whole number of at least 1"),
        ("method: [a]", "method is to be a text|unknown method"),
    ],
)
def test_a_file_at_fault(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve({}, config=write(tmp_path, text))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"rank": "0"}, "rank is to be a whole number of at least 1, not '0'"),
        ({"curvature": "0"}, "curvature is to be a number above 0, or 'auto', not '0'"),
        ({"curvature": "-1"}, "curvature is to be"),
        ({"curvature": "inf"}, "curvature is to be"),
        ({"curvature": "flat"}, "curvature is to be"),
        ({"curvature": "1", "method": "lora"}, "curvature has no meaning for method 'lora'"),
        ({"method": "adalora"}, "unknown method 'adalora'; choose one of: hyplora, .*rslora"),
        ({"cutoff": "1"}, "cutoff is to be a whole number of at least 2"),
        ({"dropout": "1"}, "dropout is to be a number of at least 0 and below 1"),
        ({"alpha": "1.5"}, "alpha is to be a whole number"),
        ({"loss_on": "prompt"}, "unknown loss_on 'prompt'; choose one of: completion, everything"),
        ({"quantize": "2bit"}, "unknown quantize '2bit'"),
        ({"precision": "fp8"}, "unknown precision 'fp8'"),
        ({"seed": "4294967296"}, "seed is to be a whole number of at least 0 and below 4294967296, not '4294967296'"),
        ({"output": ""}, "output is to be a text"),
    ],
)
def test_flags_at_fault(flags: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve(flags)


def test_other_faults(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="unknown preset 'math'; choose one of: commonsense170k, demo"):
        resolve({}, preset=["math"])
    with pytest.raises(OptionError, match=r"no\.yaml: cannot be read: No such file"):
        resolve({}, config=tmp_path / "no.yaml")
    with pytest.raises(OptionError, match="unknown option 'ranks'"):
        TrainOptions.of({"ranks": 3})
    with pytest.raises(OptionError, match="targets is to name"):
        AdapterOptions(targets=())
    with pytest.raises(OptionError, match="validation is to be"):
        DataOptions(validation=-1)


def test_a_file_may_differ_by_method(tmp_path: Path) -> None:
    file = write(tmp_path, "alpha: 8\nby_method:\n  lora: {alpha: 16}\n")
    assert resolve({"method": "lora"}, config=file).adapter.alpha == 16.0
    assert resolve({"method": "dora"}, config=file).adapter.alpha == 8.0
    assert resolve({"method": "lora", "alpha": "32"}, config=file).adapter.alpha == 32.0
