"""Times a layer with HypLoRA against the same layer with PEFT's LoRA, forward and backward, and weighs its memory.

    python benchmarks/bench_adapter.py [--device cuda] [--tokens 4096,16384] [--dtype bfloat16] [--compile]
                                       [--json FILE] [--markdown]

The layers are Llama-3-8B's, rank 32, through PEFT: once with the frozen base layer, once with a base that costs nothing
(the adapter alone). Everything runs in one process, the contenders in turn (A B C A B C …), the adapter alone twenty
steps in a row; shown are medians and their ratios to LoRA. On a CPU the adapter alone is also run with more tokens,
which shows what becomes of the ratio; a GPU is given ten steps at a time, as in training, and then waited for.
HypLoRA's output is held against the textbook formula in float64 first; where the two differ, the run ends with status
1. With ``--compile`` on a CPU the first layer alone is measured, because compiling takes longer than everything else.
``--from FILE`` shows again what ``--json FILE`` saved.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from peft import LoraConfig, get_peft_model
from race import Contender, race
from rich.console import Console
from tables import Table, rich_text, to_markdown
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import hyplora
from embgeom.progress import progress_bar
from embgeom.results import Record, versions

LORA = "LoRA (PEFT)"
BASE = "base"
TEXTBOOK = "textbook formula"
FORMS = {"HypLoRA": "space", "HypLoRA, time": "time", "HypLoRA, simplified": "simplified"}
# What the adapter is in, where it is not what the layer is in.
DTYPES = {
    "float32": (torch.float32, torch.float32),
    "bfloat16": (torch.bfloat16, torch.bfloat16),
    "mixed": (torch.bfloat16, torch.float32),
}
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}
LLAMA = ((4096, 4096), (4096, 14336), (14336, 4096))
CURVATURE = 0.5


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes
    ----------
    shapes : tuple of (in, out)
    tokens : tuple of int
    more_tokens : tuple of int
        Those with which the adapter alone is measured too.
    dtypes : tuple of str
        Names in ``DTYPES``.
    rank : int
    device : str
    compile : bool
        Whether every contender goes through ``torch.compile``.
    steps : int
        Forward and backward so many times in a row, twenty times as often without the base; times are of one.
    share, most
        See :func:`race.race`.
    """

    shapes: tuple[tuple[int, int], ...] = LLAMA
    tokens: tuple[int, ...] = (256,)
    more_tokens: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    rank: int = 32
    device: str = "cpu"
    compile: bool = False
    steps: int = 1
    share: float = 0.5
    most: int = 40


@dataclass(frozen=True)
class Measurement(Record):
    """One contender on one layer.

    Attributes
    ----------
    layer, dtype, tokens, contender : where it belongs
    base : bool
        Whether the base layer takes part.
    seconds, fastest : float
        Forward and backward: median, least.
    repeats : int
    kept : int
        Bytes that forward keeps for backward, without parameters.
    peak : int
        Most bytes at a time, with the weights, the tokens and the gradient that comes in.
    ratio, memory : float
        Time and peak over those of LoRA.
    """

    layer: str
    dtype: str
    tokens: int
    base: bool
    contender: str
    seconds: float
    fastest: float
    repeats: int
    kept: int
    peak: int
    ratio: float
    memory: float


@dataclass(frozen=True)
class Check(Record):
    """How far HypLoRA's output is from the textbook formula in float64, relative to the output."""

    layer: str
    dtype: str
    contender: str
    error: float
    right: bool


@dataclass(frozen=True)
class Report(Record):
    """Everything that was measured, and on what."""

    header: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    checks: tuple[Check, ...]


class NoBase(nn.Linear):
    """A linear layer that costs nothing and gives zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros (..., out) that take no memory."""
        return x.new_zeros(()).expand(*x.shape[:-1], self.out_features)


class Textbook(nn.Module):
    """The formulas as written, tensor by tensor, left to autograd."""

    def __init__(self, base: nn.Linear, rank: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.base, self.scale = base, math.sqrt(base.in_features)
        self.lora_A = nn.Parameter(torch.randn(rank, base.in_features).to(dtype) / self.scale)
        self.lora_B = nn.Parameter(0.02 * torch.randn(base.out_features, rank).to(dtype))
        self.K = nn.Parameter(torch.tensor([CURVATURE]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the base layer's output plus the adapter's."""
        result = self.base(x)
        return result + textbook(x.to(self.lora_A.dtype), self.lora_A, self.lora_B, self.K, self.scale, 2.0).to(
            result.dtype
        )


def textbook(x: Tensor, A: Tensor, B: Tensor, K: Tensor, scale: float, scaling: float) -> Tensor:
    """Return scaling · logmap0(LLR(BA, expmap0(x / scale)))."""
    root = K.sqrt()
    x = x / scale
    norm = x.norm(dim=-1, keepdim=True)
    space = (root * torch.sinh(norm / root)).to(x.dtype) * x / norm
    y = space @ A.mT @ B.mT
    length = y.norm(dim=-1, keepdim=True)
    return scaling * (root * torch.asinh(length / root)).to(x.dtype) * y / length


def measure(plan: Plan, *, quiet: bool = False) -> Report:
    """Measure everything in the plan."""
    torch.manual_seed(0)
    measurements: list[Measurement] = []
    checks: list[Check] = []
    inputs = [*itertools.product(plan.dtypes, plan.shapes, plan.tokens, (True, False))]
    inputs += itertools.product(plan.dtypes, plan.shapes, plan.more_tokens, (False,))
    with progress_bar(len(inputs), "layers", show=not quiet) as bar:
        for name, shape, tokens, with_base in inputs:
            found, right = _layer(plan, name, shape, tokens, with_base)
            measurements += found
            checks += right
            bar.update(1)
    return Report(_header(plan), tuple(measurements), tuple(checks))


def _layer(
    plan: Plan, name: str, shape: tuple[int, int], tokens: int, with_base: bool
) -> tuple[list[Measurement], list[Check]]:
    dtype, of_adapter = DTYPES[name]
    layer = f"{shape[0]} → {shape[1]}"
    base = (nn.Linear if with_base else NoBase)(*shape, bias=False, dtype=dtype).requires_grad_(False)
    models = _models(plan, base, of_adapter, with_base)
    for model in models.values():
        model.to(plan.device)
    x = torch.randn(tokens, shape[0], device=plan.device, dtype=dtype).requires_grad_()
    upstream = torch.randn(tokens, shape[1], device=plan.device, dtype=dtype)
    checks = [] if with_base else _checks(models, x, tokens, layer, name, of_adapter)
    torch.compiler.reset()
    runs = {each: (torch.compile(model) if plan.compile else model) for each, model in models.items()}
    steps = {each: partial(_step, model, list(models[each].parameters()), x, upstream) for each, model in runs.items()}
    # What is quick takes many steps in a row, as in training, where a model has some hundred adapters of a kind: the
    # first ones find the caches as another contender left them.
    count = plan.steps if with_base else 20 * plan.steps
    timed = race(
        [Contender(each, partial(_steps, step, count, plan.device)) for each, step in steps.items()],
        share=plan.share,
        most=plan.most,
        long=math.inf,
    )
    found = []
    # What all have in common, so that an unused weight counts for nothing.
    common = x.nbytes + upstream.nbytes + (base.weight.nbytes if with_base else 0)
    peaks = {each: _peak(step, plan.device) + common + _trained(models[each]) for each, step in steps.items()}
    for each, run in timed.items():
        found.append(
            Measurement(
                layer,
                name,
                tokens,
                with_base,
                each,
                run.median / count,
                min(run.seconds) / count,
                len(run.seconds),
                0 if each == BASE else _kept(models[each], x),
                peaks[each],
                run.median / timed[LORA].median,
                peaks[each] / peaks[LORA],
            )
        )
    return found, checks


def _models(plan: Plan, base: nn.Linear, dtype: torch.dtype, with_base: bool) -> dict[str, nn.Module]:
    """Return the contenders around one base layer, with factors B that are not 0."""
    options = {"r": plan.rank, "lora_alpha": 2 * plan.rank, "target_modules": ["0"]}
    configs = {LORA: LoraConfig(**options)}
    configs |= {name: hyplora.HypLoraConfig(form=form, curvature=CURVATURE, **options) for name, form in FORMS.items()}
    models: dict[str, nn.Module] = {BASE: base} if with_base else {}
    for name, config in configs.items():
        model = get_peft_model(nn.Sequential(base), config, autocast_adapter_dtype=False)
        layer = model.base_model.model[0]
        for key, parameter in layer.named_parameters():
            if "lora_A" in key or "lora_B" in key:
                parameter.data = parameter.data.to(dtype)
            if "lora_B" in key:
                nn.init.normal_(parameter, std=0.02)
        models[name] = layer
    return models | {TEXTBOOK: Textbook(base, plan.rank, dtype)}


def _step(run: Callable[[Tensor], Tensor], parameters: Sequence[Tensor], x: Tensor, upstream: Tensor) -> None:
    run(x).backward(upstream)
    x.grad = None
    for parameter in parameters:  # as an optimizer does it, without a walk through the modules
        parameter.grad = None


def _steps(step: Callable[[], None], count: int, device: str) -> float:
    for _ in range(count):
        step()
    if device != "cpu":
        torch.cuda.synchronize()
    return 0.0


def _checks(
    models: dict[str, nn.Module], x: Tensor, tokens: int, layer: str, dtype: str, of_adapter: torch.dtype
) -> list[Check]:
    few = x.detach()[:8]
    adapter = models["HypLoRA"]
    A, B = (getattr(adapter, key)["default"].weight.detach().double() for key in ("lora_A", "lora_B"))
    K = torch.tensor([CURVATURE], dtype=torch.float64, device=x.device)
    expected = textbook(few.double(), A, B, K, math.sqrt(x.shape[-1]), 2.0)
    error = float((adapter(few).detach().double() - expected).norm() / expected.norm())
    # The layer rounds its sum to the dtype of its input.
    layer = f"{layer}, {tokens:,} tokens"
    return [Check(layer, dtype, "HypLoRA", error, error <= max(TOLERANCE[of_adapter], TOLERANCE[x.dtype]))]


def _trained(model: nn.Module) -> int:
    return sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)


def _kept(model: nn.Module, x: Tensor) -> int:
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = model(x)
    del held
    for parameter in model.parameters():
        storages.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def _peak(step: Callable[[], object], device: str) -> int:
    """Return the most bytes that a step allocates at a time, temporaries inside operators included."""
    if device != "cpu":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(itertools.accumulate((event.nbytes() for event in events), initial=0))


def _header(plan: Plan) -> tuple[str, ...]:
    if plan.device == "cpu":
        device = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    else:
        device = torch.cuda.get_device_name()
    return (
        f"bench_adapter: rank {plan.rank}, {'torch.compile' if plan.compile else 'eager'}, {device}",
        ", ".join(f"{name} {version}" for name, version in versions().items() if name in ("torch", "peft", "python")),
    )


def tables_of(report: Report) -> list[Table]:
    """Return a table with the base layer and one without, and that of the values."""
    tables = []
    for with_base in (True, False):
        own = [each for each in report.measurements if each.base == with_base]
        names = list(dict.fromkeys(each.contender for each in own))
        times, weights = [], []
        for key in dict.fromkeys((each.layer, each.dtype, each.tokens) for each in own):
            found = {each.contender: each for each in own if (each.layer, each.dtype, each.tokens) == key}
            place = (key[0], key[1], f"{key[2]:,}")
            times.append((*place, *(_time(found[name]) for name in names)))
            weights.append((*place, *(_memory(found[name]) for name in names)))
        what = "the layer with its base" if with_base else "the adapter alone"
        header = ("layer", "dtype", "tokens", *names)
        caption = "(n×): over LoRA."
        tables.append(Table(f"Forward and backward: time of {what}", caption, header, tuple(times), words=2))
        caption = "Peak in MiB, with weights, input and incoming gradient (n×: over LoRA) · kept for backward."
        tables.append(Table(f"Forward and backward: memory of {what}", caption, header, tuple(weights), words=2))
    rows = [
        (each.layer, each.dtype, each.contender, f"{each.error:.0e}", "yes" if each.right else "WRONG")
        for each in report.checks
    ]
    header = ("layer", "dtype", "contender", "relative difference", "as it should be")
    caption = "Output beside the textbook formula in float64."
    return [*tables, Table("Values", caption, header, tuple(rows), words=3)]


def _time(each: Measurement) -> str:
    return f"{1e3 * each.seconds:.3g} ms ({each.ratio:.2f}×)"


def _memory(each: Measurement) -> str:
    return f"{each.peak / 2**20:,.0f} ({each.memory:.2f}×) · {each.kept / 2**20:,.1f}"


def show(report: Report, *, markdown: bool) -> None:
    if markdown:
        print("\n".join(report.header))
        for table in tables_of(report):
            print(f"\n{to_markdown(table)}")
        return
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print("\n".join(report.header))
    rich_text(tables_of(report), console)


def _plan(options: argparse.Namespace) -> Plan:
    plan = Plan(device=options.device, compile=options.compile)
    if options.device != "cpu":
        plan = replace(plan, tokens=(4096, 16384), steps=10)
    elif options.compile:
        plan = replace(plan, shapes=LLAMA[:1])
    else:
        _keep_memory()
        plan = replace(plan, more_tokens=(1024,))
    if options.tokens:
        plan = replace(plan, tokens=options.tokens, more_tokens=())
    if options.dtype:
        return replace(plan, dtypes=tuple(options.dtype))
    if options.device == "cpu" and not _multiplies_bfloat16():
        print(
            "float32 only: PyTorch multiplies bfloat16 here number by number, and a layer would take minutes; "
            "--dtype bfloat16 measures it",
            file=sys.stderr,
        )
        return replace(plan, dtypes=("float32",))
    return plan


def _multiplies_bfloat16() -> bool:
    """Return whether PyTorch has products in bfloat16 for this processor; without, some take fifty times float32's."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(512, 512, dtype=dtype)
        torch.mm(x, x)  # the first finds out how
        start = time.perf_counter()
        torch.mm(x, x)
        seconds[dtype] = time.perf_counter() - start
    return seconds[torch.bfloat16] < 20.0 * seconds[torch.float32]


def _keep_memory() -> None:
    """Have glibc keep what is freed: else a contender pays for the pages that the one before it gave back."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-4, 0)  # M_MMAP_MAX


def _whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--tokens", type=_whole_numbers, help="default 256 on a CPU, and 1024 without the base; 4096,16384 on a GPU"
    )
    parser.add_argument(
        "--dtype",
        choices=tuple(DTYPES),
        action="append",
        help="default float32, and bfloat16 where PyTorch has products of it",
    )
    parser.add_argument("--compile", action="store_true", help="all contenders through torch.compile")
    parser.add_argument("--json", metavar="FILE", help="save what was measured")
    parser.add_argument("--from", dest="saved", metavar="FILE", help="measure nothing; show what --json saved")
    parser.add_argument("--markdown", action="store_true", help="print tables for a README")
    options = parser.parse_args(arguments)
    report = Report.load(options.saved) if options.saved else measure(_plan(options))
    if options.json:
        report.save(options.json)
    show(report, markdown=options.markdown)
    return 0 if all(check.right for check in report.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
