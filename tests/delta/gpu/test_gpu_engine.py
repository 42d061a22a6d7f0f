"""The public functions on top of the GPU kernels give what they give on top of the CPU's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embgeom import hyperbolicity, prompt_hyperbolicity

CLOUD = np.random.default_rng(0).normal(size=(24, 5))


@pytest.fixture
def on_cpu_and_gpu(device: torch.device, monkeypatch: pytest.MonkeyPatch):
    """Call a function with the CPU's backend, then with Triton's."""

    def both(function, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr("embgeom.delta.engine.backend_of", lambda where: "numba")
            of_cpu = function(*arguments, device="cpu", **options)
        with monkeypatch.context() as patch:
            patch.setattr("embgeom.delta.engine.backend_of", lambda where: "triton")
            return of_cpu, function(*arguments, device=str(device), **options)

    return both


@pytest.mark.parametrize("method", ["exact", "base"])
@pytest.mark.parametrize("metric", ["euclidean", "angular"])
def test_one_cloud(on_cpu_and_gpu, method: str, metric: str) -> None:
    of_cpu, of_gpu = on_cpu_and_gpu(hyperbolicity, CLOUD, method=method, metric=metric)
    assert of_gpu.delta == pytest.approx(of_cpu.delta, rel=1e-14)
    assert (of_gpu.exact, of_gpu.base) == (of_cpu.exact, of_cpu.base)


def test_sample(on_cpu_and_gpu) -> None:
    """The quadruples are others, so that the distributions agree as samples do."""
    of_cpu, of_gpu = on_cpu_and_gpu(hyperbolicity, CLOUD, method="sample", quadruples=20_000)
    error = of_cpu.sample.standard_deviation / np.sqrt(20_000)
    assert abs(of_gpu.sample.mean - of_cpu.sample.mean) < 6 * error
    assert of_gpu.sample.standard_deviation == pytest.approx(of_cpu.sample.standard_deviation, rel=0.05)
    assert sum(of_gpu.sample.histogram) == 20_000
    cumulated = [np.cumsum(result.sample.histogram) / 20_000 for result in (of_cpu, of_gpu)]
    assert np.abs(cumulated[0] - cumulated[1]).max() < 0.03  # Kolmogorov–Smirnov at a level far below 1e-6


@pytest.mark.parametrize("method", ["base", "exact"])
@pytest.mark.parametrize("metric", ["euclidean", "angular"])
def test_prompts(on_cpu_and_gpu, method: str, metric: str) -> None:
    prompts = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 5, 9, 10, 11], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]]
    of_cpu, of_gpu = on_cpu_and_gpu(prompt_hyperbolicity, CLOUD, prompts, method=method, metric=metric)
    np.testing.assert_allclose(of_gpu.relative_deltas, of_cpu.relative_deltas, rtol=1e-13)
