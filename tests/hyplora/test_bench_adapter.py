"""The benchmark of the adapter on tiny layers: it runs, its values are right, and its memory is what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import bench_adapter
from bench_adapter import BASE, FORMS, LORA, TEXTBOOK, Plan, Report

TINY = Plan(shapes=((64, 48),), tokens=(40,), dtypes=("float32", "bfloat16", "mixed"), rank=4, share=0.0, most=1)


@pytest.fixture(scope="module")
def report() -> Report:
    return bench_adapter.measure(TINY, quiet=True)


def test_everything_is_measured(report: Report) -> None:
    names = [LORA, *FORMS, TEXTBOOK]
    for dtype in TINY.dtypes:
        for base in (True, False):
            own = [each for each in report.measurements if (each.dtype, each.base) == (dtype, base)]
            assert [each.contender for each in own] == ([BASE] if base else []) + names
            assert all(each.seconds > 0 and each.peak > 0 for each in own)
            assert next(each for each in own if each.contender == LORA).ratio == 1.0
    assert len(report.checks) == 3
    assert all(check.right for check in report.checks)


def test_kept_is_counted_right() -> None:
    # By hand: LoRA keeps x and A x; the formula tensor by tensor keeps more than twice x.
    plan = Plan(shapes=((64, 48),), tokens=(40,), dtypes=("float32",), rank=4, share=0.0, most=1)
    found = {each.contender: each for each in bench_adapter.measure(plan, quiet=True).measurements if each.base}
    x, u = 40 * 64 * 4, 40 * 4 * 4
    assert found[LORA].kept == x + u
    assert found["HypLoRA"].kept == x + u + 40 * 4 + 8 * 4 * 4  # one number per token, and BᵀB
    assert found[TEXTBOOK].kept > 2 * x


def test_more_tokens_are_measured_without_the_base() -> None:
    plan = Plan(((64, 48), (48, 64)), (10,), (20, 30), ("float32",), rank=4, share=0.0, most=1, steps=2)
    report = bench_adapter.measure(plan, quiet=True)
    more = [each for each in report.measurements if each.tokens > 10]
    layers = {(layer, tokens) for layer in ("64 → 48", "48 → 64") for tokens in (20, 30)}
    assert {(each.layer, each.tokens) for each in more} == layers
    assert {each.contender for each in more} == {LORA, *FORMS, TEXTBOOK}
    assert not any(each.base for each in more)
    assert all(len({len(row) for row in table.rows}) == 1 for table in bench_adapter.tables_of(report))


def test_peak_is_counted_right() -> None:
    def step() -> float:
        one = torch.empty(1000, dtype=torch.float64)
        two = torch.empty(500, dtype=torch.float64)
        del one
        three = torch.empty(100, dtype=torch.float64)
        del two, three
        return 0.0

    assert 12_000 <= bench_adapter._peak(step, "cpu") < 12_200


def test_no_base_is_a_layer_of_zeros() -> None:
    layer = bench_adapter.NoBase(3, 5)
    assert torch.equal(layer(torch.ones(2, 3)), torch.zeros(2, 5))
    assert isinstance(layer, nn.Linear)


def test_command_saves_and_shows(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "adapter.json"
    monkeypatch.setattr(bench_adapter, "measure", lambda plan: report)
    assert bench_adapter.main(["--json", str(file)]) == 0
    first = capsys.readouterr().out
    assert Report.load(file) == report
    assert bench_adapter.main(["--from", str(file), "--markdown"]) == 0
    second = capsys.readouterr().out
    for text in (first, second):
        assert "HypLoRA, simplified" in text
        assert "the adapter alone" in text
        assert "WRONG" not in text


def test_bfloat16_where_there_are_products_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], report: Report
) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(bench_adapter, "measure", lambda plan: (plans.append(plan), report)[1])
    for has_them in (True, False):
        monkeypatch.setattr(bench_adapter, "_multiplies_bfloat16", lambda has_them=has_them: has_them)
        for arguments in ([], ["--dtype", "bfloat16"]):
            assert bench_adapter.main(arguments) == 0
    assert [plan.dtypes for plan in plans] == [("float32", "bfloat16"), ("bfloat16",), ("float32",), ("bfloat16",)]
    assert capsys.readouterr().err.count("--dtype bfloat16 measures it") == 1
