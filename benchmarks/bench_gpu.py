"""Times the GPU kernels: fixed base, exact four-point and sampled δ; medians after a warm-up, in one process.

    python benchmarks/bench_gpu.py [--device cuda:0] [--repeats 5] [--largest 3000]

Every kernel is first held against a float64 brute force on the CPU; a wrong value ends the run with status 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
import torch

from embgeom.delta.gpu import available

SIZES = (500, 1000, 1500, 2000, 3000)
FIXED_SIZES = (500, 1500, 3000, 5000, 10_000, 20_000)
PROMPTS, PROMPT_LENGTH = 1319, 40


def gaussian(n: int, device: str, dimensions: int = 384, seed: int = 0) -> torch.Tensor:
    """Distances (n, n) in float64 of n standard normal points, by the centred Gram matrix."""
    points = torch.from_numpy(np.random.default_rng(seed).normal(size=(n, dimensions))).to(device)
    points -= points.mean(0)
    norms = (points * points).sum(1)
    squares = (norms[:, None] + norms - 2 * points @ points.T).clamp_(min=0)
    distances = torch.minimum(squares, squares.T).sqrt_()
    return distances.fill_diagonal_(0)


def random_tree(n: int, device: str) -> torch.Tensor:
    """Path lengths in a random tree: every quadruple ties at δ = 0, the worst case of the float64 settlement."""
    rng = np.random.default_rng(0)
    distances = np.zeros((n, n))
    for child in range(1, n):
        parent, length = rng.integers(child), rng.random()
        distances[child, :child] = distances[:child, child] = distances[parent, :child] + length
    return torch.from_numpy(distances).to(device)


def oracle(distances: np.ndarray, base: int | None = None) -> float:
    """The largest S1 − S2 over all quadruples (of ``base``), in float64 on the CPU."""
    quads = np.array(list(combinations(range(len(distances)), 4)))
    if base is not None:
        quads = quads[(quads == base).any(axis=1)]
    a, b, c, d = quads.T
    sums = [distances[a, b] + distances[c, d], distances[a, c] + distances[b, d], distances[a, d] + distances[b, c]]
    ranked = np.sort(np.stack(sums), axis=0)
    return float((ranked[2] - ranked[1]).max())


def check(device: str) -> list[str]:
    """Return what is wrong with the kernels' values on small clouds; nothing if all is well."""
    from embgeom.delta.gpu.fixed_base import fixed_base
    from embgeom.delta.gpu.four_point import four_point
    from embgeom.delta.gpu.prompts import fixed_base_batch
    from embgeom.delta.gpu.sampling import sample

    wrong = []
    for name, distances in (("gauss", gaussian(60, device, 8)), ("tree", random_tree(60, device))):
        host = distances.cpu().numpy()
        exact, based = oracle(host), oracle(host, 7)
        batch = fixed_base_batch(distances[None].repeat(3, 1, 1))[0].tolist()
        for kernel, value, expected in (
            ("four_point", four_point(distances).two_delta, exact),
            ("fixed_base", fixed_base(distances, 7).two_delta, based),
            ("fixed_base_batch", max(batch), oracle(host, 0)),
            ("fixed_base_batch", min(batch), oracle(host, 0)),
        ):
            if value != expected:
                wrong.append(f"{kernel} on {name}: {value!r}, not {expected!r}")
        sampled = sample(distances, 10_000_000, seed=0)
        # 487,635 quadruples, each drawn about 20 times: the largest is missed with probability e^−20.
        if sampled.largest.two_delta > exact or (name == "gauss" and sampled.largest.two_delta != exact):
            wrong.append(f"sample on {name}: {sampled.largest.two_delta!r}, not {exact!r}")
    return wrong


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of ``work`` after one unmeasured call."""
    seconds = []
    for repeat in range(repeats + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if repeat:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def rows(device: str, repeats: int, largest: int) -> list[tuple[str, int, float, str]]:
    """Measure everything; return (what, n, seconds, rate)."""
    from embgeom.delta.gpu.fixed_base import fixed_base
    from embgeom.delta.gpu.four_point import four_point
    from embgeom.delta.gpu.prompts import fixed_base_batch
    from embgeom.delta.gpu.sampling import sample

    table = []
    for n in FIXED_SIZES:
        cloud = gaussian(n, device)
        seconds = median_seconds(lambda cloud=cloud: fixed_base(cloud, 0), repeats)
        table.append(("fixed base", n, seconds, f"{2 * n**3 / seconds / 1e9:,.0f} Gop/s equiv"))
    for n in (size for size in SIZES if size <= largest):
        quads = n * (n - 1) * (n - 2) * (n - 3) / 24
        cloud = gaussian(n, device)
        seconds = median_seconds(lambda cloud=cloud: four_point(cloud), repeats)
        table.append(("exact four-point", n, seconds, f"{quads / seconds / 1e9:,.0f} Gquad/s"))
        if n <= 1500:
            cloud = random_tree(n, device)
            seconds = median_seconds(lambda cloud=cloud: four_point(cloud), 1)
            table.append(("exact, random tree", n, seconds, f"{quads / seconds / 1e9:,.0f} Gquad/s"))
    for n in (500, 1500, 5000, 30_000):
        cloud, count = gaussian(n, device), 2_000_000_000
        seconds = median_seconds(lambda cloud=cloud, count=count: sample(cloud, count, seed=0), repeats)
        table.append(("sampling, 2e9", n, seconds, f"{count / seconds / 1e9:.1f} Gquad/s"))
    prompts = torch.stack([gaussian(PROMPT_LENGTH, device, seed=seed) for seed in range(PROMPTS)])
    seconds = median_seconds(lambda: fixed_base_batch(prompts), repeats)
    table.append((f"{PROMPTS} prompts", PROMPT_LENGTH, seconds, f"{PROMPTS / seconds:,.0f} prompts/s"))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, default=3000, help="largest n of the exact search")
    options = parser.parse_args()
    if not (torch.cuda.is_available() and available()):
        print("bench_gpu: nothing to measure: no CUDA device, or triton is not installed", file=sys.stderr)
        return 1
    torch.cuda.set_device(torch.device(options.device))
    wrong = check(options.device)
    if wrong:
        print("\n".join(["bench_gpu: wrong values:", *wrong]), file=sys.stderr)
        return 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; all values agree with float64 on the CPU")
    print(f"{'what':<20} {'n':>7} {'median s':>10}  rate")
    for what, n, seconds, rate in rows(options.device, options.repeats, options.largest):
        print(f"{what:<20} {n:>7} {seconds:>10.4f}  {rate}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
