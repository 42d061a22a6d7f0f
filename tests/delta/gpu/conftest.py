"""Without a GPU the kernel tests run in Triton's interpreter, which must be chosen before Triton is first imported.

So as not to disturb the rest of the run they then go to a process of their own, which ``test_gpu_interpreter.py``
starts. With a GPU, or with TRITON_INTERPRET=1 in the environment, they are collected here.
"""

import os

import pytest
import torch

KERNEL_TESTS = ["test_gpu_engine.py", "test_gpu_sampling.py", "test_gpu_search.py", "test_gpu_sharded.py"]

if os.environ.get("TRITON_INTERPRET") == "1" or torch.cuda.is_available():
    collect_ignore = ["test_gpu_interpreter.py"]
else:
    collect_ignore = KERNEL_TESTS


@pytest.fixture(scope="session")
def device() -> torch.device:
    pytest.importorskip("triton")
    return torch.device("cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda")
