"""Runs the tests of the Triton kernels, and compiles the kernels for GPUs that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.hyplora.kernel_cases import FORMS

ROOT = Path(__file__).parents[2]


def test_kernels() -> None:
    # In a process of their own: the interpreter must be chosen before Triton is first imported.
    pytest.importorskip("triton")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/hyplora/triton_cases.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if not torch.cuda.is_available():
        environment["TRITON_INTERPRET"] = "1"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout[-2000:]


COMPILE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from hyplora.kernels import _triton

form, dtype, wide, capability = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
numbers = dict.fromkeys(("K_start", "c_start", "scaling", "most"), "fp64")
types = {"tokens": "i32", "norm": "*fp32", "pull": "*fp32", "K_tensor": "*fp32", "c_tensor": "*bf16", "size": "*fp32"}
types |= dict.fromkeys(("gram", "part", "hidden", "by_point"), "*" + wide) | {"by_numbers": "*fp64"}
constants = {"FORM": form, "K_KIND": 2, "c_KIND": 0, "HALF": dtype == "fp16", "RANK": 8, "PAD": 16, "BLOCK": 16}
for kernel in (_triton.weigh, _triton.slopes):
    signature = {}
    for name in kernel.arg_names:
        signature[name] = "constexpr" if name in constants else (numbers | types).get(name, "*" + dtype)
    constexprs = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constexprs)
    print(len(compile(source, target=GPUTarget("cuda", capability, 32)).asm["cubin"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", range(len(FORMS)), ids=FORMS)
@pytest.mark.parametrize(("dtype", "wide"), [("fp32", "fp64"), ("bf16", "fp32"), ("fp16", "fp32")])
@pytest.mark.parametrize("capability", [80, 90])
def test_kernels_compile(form: int, dtype: str, wide: str, capability: int) -> None:
    pytest.importorskip("triton")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-c", COMPILE, str(form), dtype, wide, str(capability)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [int(size) > 0 for size in done.stdout.split()] == [True, True]
