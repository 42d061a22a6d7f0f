"""The benchmark of δ on tiny inputs: every contender is right, the yardstick too, and the whole run holds together."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import embgeom
from tests import oracles

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import bench_delta
from peers import authors_delta, authors_prompts, hypdelta_at_first_base, hypdelta_four_point, numpy_sample
from race import Contender, Forecast, entries_of, race
from tables import Report, tables_of, to_markdown
from yardstick import Yardstick, YardstickError, build_yardstick

TINY = bench_delta.Plan(
    fixed=(12, 70),
    four=(12, 20),
    sampling=(12,),
    estimators=20,
    prompts=5,
    climbs=(10,),
    draws=(100,),
    share=0.01,
    most=3,
    latency=1,
    peers_to=20,
    torch_to=20,
    brute_to=12,
    compile=False,
)


def distances_of(points: np.ndarray) -> np.ndarray:
    return embgeom.pairwise_distances(points).numpy()


@pytest.fixture(scope="module")
def yardstick(tmp_path_factory: pytest.TempPathFactory) -> Yardstick:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here: the C yardstick is not tested")
    return build_yardstick(tmp_path_factory.mktemp("yardstick"))


# 64 columns make a panel and 6 rows a tile: sizes on either side of both.
@pytest.mark.parametrize("n", [4, 5, 23, 63, 64, 65, 71, 130, 150])
def test_yardstick_at_a_base(yardstick: Yardstick, n: int) -> None:
    matrix = distances_of(oracles.cloud(n, 8, seed=n))
    for base in (0, n // 2, n - 1):
        row = np.r_[base, np.delete(np.arange(n), base)]
        expected = authors_delta(matrix[np.ix_(row, row)])
        assert yardstick.fixed_base(matrix, base) == pytest.approx(expected, abs=1e-6 * matrix.max())


@pytest.mark.parametrize("n", [4, 5, 9, 23, 66, 70])
def test_yardstick_on_all_quadruples(yardstick: Yardstick, n: int) -> None:
    matrix = distances_of(oracles.cloud(n, 8, seed=n))
    expected = embgeom.hyperbolicity(distances=matrix, method="exact", device="cpu").delta
    if n < 25:
        assert expected == pytest.approx(oracles.brute_force_two_delta(matrix) / 2, rel=1e-12)
    assert yardstick.four_point(matrix) == pytest.approx(expected, abs=1e-6 * matrix.max())


def test_yardstick_of_a_tree_is_zero(yardstick: Yardstick) -> None:
    matrix = oracles.random_tree(70, seed=0, integer=True)
    assert yardstick.four_point(matrix) == 0
    assert yardstick.fixed_base(matrix, 3) == 0


def test_yardstick_takes_nothing_but_contiguous_float64(yardstick: Yardstick) -> None:
    matrix = distances_of(oracles.cloud(8, 3, seed=0))
    for wrong in (matrix.astype(np.float32), matrix[::2, ::2]):
        with pytest.raises(TypeError, match="contiguous float64"):
            yardstick.fixed_base(wrong, 0)


def test_no_compiler_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(YardstickError, match=r"^no gcc$"):
        build_yardstick(tmp_path)


def test_authors_formula_is_delta_at_the_first_point() -> None:
    matrix = distances_of(oracles.cloud(11, 4, seed=0))
    assert 2 * authors_delta(matrix) == pytest.approx(oracles.brute_force_two_delta_at(matrix, 0), rel=1e-12)


def test_authors_loop_over_prompts() -> None:
    vectors = oracles.cloud(9, 4, seed=1)
    prompts = [np.array([3, 1, 4, 1, 5]), np.array([2, 7, 1, 8, 2, 8])]
    matrices = [distances_of(vectors[ids]) for ids in prompts]
    expected = [oracles.brute_force_two_delta_at(matrix, 0) / matrix.max() for matrix in matrices]
    for faster in (False, True):
        assert authors_prompts(vectors, prompts, faster_distances=faster) == pytest.approx(expected, rel=1e-9)


def test_numpy_sampler_sees_every_quadruple_alike() -> None:
    matrix = distances_of(oracles.cloud(5, 3, seed=0))
    five = [np.delete(np.arange(5), left_out) for left_out in range(5)]
    each = [oracles.brute_force_two_delta(matrix[np.ix_(ids, ids)]) / 2 for ids in five]
    mean, largest = numpy_sample(matrix, 200_000, seed=0)
    assert largest == pytest.approx(max(each), rel=1e-12)
    assert mean == pytest.approx(np.mean(each), abs=6 * np.std(each) / np.sqrt(30_000))


def test_hypdelta_is_called_as_it_wants_to_be() -> None:
    pytest.importorskip("hypdelta", reason="hypdelta is not installed")
    matrix = distances_of(oracles.cloud(15, 4, seed=2))
    exact = oracles.brute_force_two_delta(matrix) / 2
    values = {name: work(matrix) for name, work in hypdelta_four_point(slow_to_compile=False).items()}
    assert values["hypdelta naive"] == pytest.approx(exact, rel=1e-12)
    assert values["hypdelta CCL (all pairs)"] == pytest.approx(exact, rel=1e-12)
    assert 0 <= values["hypdelta CCL (l = 0.05)"] <= exact * (1 + 1e-12)
    (at_base,) = (work(matrix) for work in hypdelta_at_first_base().values())
    assert 2 * at_base == pytest.approx(oracles.brute_force_two_delta_at(matrix, 0), rel=1e-12)


def test_contenders_run_in_turn_and_slow_ones_less_often() -> None:
    order: list[str] = []
    clock = iter(np.arange(0.0, 1e6, 0.5))

    def work(name: str) -> float:
        order.append(name)
        if name == "slow":
            for _ in range(8):
                next(clock)
        return 1.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("race.time.perf_counter", lambda: float(next(clock)))
        runs = race([Contender("fast", lambda: work("fast")), Contender("slow", lambda: work("slow"))], share=2, most=9)
    assert order[:4] == ["fast", "slow", "fast", "fast"]  # the first call of the slow one counts, and is enough
    assert runs["slow"].seconds == [4.5]
    assert runs["fast"].median == 0.5
    assert len(runs["fast"].seconds) == 4
    assert len(runs["fast"].values) == 5  # the first call warms up


def test_wrong_values_are_found() -> None:
    contenders = [
        Contender("ours", lambda: 1.0),
        Contender("equal", lambda: 1.0 + 1e-12),
        Contender("off", lambda: 1.001),
        Contender("below", lambda: 0.9, "lower bound", None),
        Contender("above", lambda: 1.1, "lower bound", None),
    ]
    runs = race(contenders, share=0.0, most=1)
    entries = entries_of("s", "c", 4, contenders, runs, ours="ours", diameter=2.0)
    assert {entry.contender: entry.right for entry in entries} == {
        "ours": True, "equal": True, "off": False, "below": True, "above": False,
    }  # fmt: skip
    assert entries[2].error == pytest.approx(0.0005)
    assert entries[0].ratio == 1


def test_forecast_leaves_out_what_would_take_too_long() -> None:
    forecast, cubic = Forecast(limit=10), Contender("cubic", lambda: 0.0)
    assert forecast.allows("s", cubic, 100)
    forecast.learn("s", cubic, 100, 1.0)
    assert forecast.allows("s", cubic, 200)
    assert not forecast.allows("s", cubic, 300)
    assert forecast.allows("another section", cubic, 300)


def test_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    clouds = [bench_delta.Cloud(name, torch.from_numpy(rng.normal(size=(70, 5)))) for name in ("one", "two")]
    prompts = [rng.integers(70, size=size) for size in (6, 9, 12)]
    corpus = bench_delta.Corpus("texts", clouds[0].points.float(), prompts)
    monkeypatch.setattr(bench_delta, "FIRST_DELTA", "pass")  # the real one takes seconds
    monkeypatch.setattr(bench_delta, "clouds_and_corpus", lambda model, data, plan: (clouds, corpus))
    monkeypatch.setattr(bench_delta, "QUICK", TINY)
    saved = tmp_path / "run.json"
    assert bench_delta.main(["--quick", "--json", str(saved)]) == 0
    text = capsys.readouterr().out
    assert "WRONG" not in text
    assert "load average" in text
    report = Report.load(saved)
    assert {entry.section for entry in report.entries} == {section.name for section in bench_delta.SECTIONS}
    tables = tables_of(report.entries, bench_delta.SECTIONS)
    assert len(tables) == 1 + len(bench_delta.SECTIONS)
    assert bench_delta.main(["--from", str(saved), "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert all(to_markdown(table) in shown for table in tables)


def test_a_wrong_value_ends_the_run_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contenders = [Contender(bench_delta.OURS, lambda: 1.0), Contender(bench_delta.C, lambda: 2.0)]
    runs = race(contenders, share=0.0, most=1)
    entries = entries_of("fixed base", "c", 4, contenders, runs, ours=bench_delta.OURS, diameter=2.0)
    Report(("header",), tuple(entries)).save(tmp_path / "run.json")
    assert bench_delta.main(["--from", str(tmp_path / "run.json")]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_missing_files_are_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_delta.main(["--data", "nosuch.json"]) == 2
    assert capsys.readouterr().err == "bench_delta: no such file or folder: nosuch.json\n"


def test_clouds_and_corpus_of_the_demo() -> None:
    clouds, corpus = bench_delta.clouds_and_corpus("demo", None, TINY)
    assert [cloud.name for cloud in clouds] == ["demo vocabulary", "Gaussian, d = 384"]
    assert all(len(cloud.points) == 70 for cloud in clouds)
    assert len(corpus.token_ids) == 5
    clouds, _ = bench_delta.clouds_and_corpus("demo", "demo", TINY)
    assert clouds[1].name == "demo tokens"
    distinct = np.unique(clouds[1].points.numpy(), axis=0)
    assert len(distinct) == 70
