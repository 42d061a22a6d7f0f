"""The C yardstick ``yardstick.c``, compiled on the spot with gcc: what hand-written code gets out of this processor."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Yardstick", "YardstickError", "build_yardstick"]

_SOURCE = Path(__file__).with_suffix(".c")
_DOUBLES = ctypes.POINTER(ctypes.c_double)


class YardstickError(Exception):
    """There is no yardstick here; the message says why in one line."""


class Yardstick:
    """The compiled functions. Values are δ in float32: good to about 1e-6 of the diameter.

    Attributes
    ----------
    threads : int
        How many OpenMP uses.
    compiler : str
    """

    def __init__(self, library: ctypes.CDLL, compiler: str) -> None:
        library.yardstick_fixed_base.argtypes = [_DOUBLES, ctypes.c_int, ctypes.c_int]
        library.yardstick_four_point.argtypes = [_DOUBLES, ctypes.c_int]
        library.yardstick_fixed_base.restype = library.yardstick_four_point.restype = ctypes.c_float
        self._library = library
        self.compiler = compiler
        self.threads = int(library.yardstick_threads())

    def fixed_base(self, distances: NDArray[np.float64], base: int) -> float:
        """Return δ_p of a matrix (n, n)."""
        return self._half(self._library.yardstick_fixed_base(*self._matrix(distances), base))

    def four_point(self, distances: NDArray[np.float64]) -> float:
        """Return δ of a matrix (n, n), by brute force."""
        return self._half(self._library.yardstick_four_point(*self._matrix(distances)))

    @staticmethod
    def _matrix(distances: NDArray[np.float64]) -> tuple[ctypes._Pointer[ctypes.c_double], int]:
        if distances.dtype != np.float64 or not distances.flags.c_contiguous:
            raise TypeError("the yardstick takes a contiguous float64 matrix")
        return distances.ctypes.data_as(_DOUBLES), len(distances)

    @staticmethod
    def _half(two_delta: float) -> float:
        if two_delta < 0:
            raise MemoryError("the yardstick could not allocate its workspace")
        return two_delta / 2


def build_yardstick(folder: Path) -> Yardstick:
    """Compile the yardstick into ``folder`` and load it.

    ``OMP_WAIT_POLICY=passive`` must be in the environment before this is called for the first time: OpenMP reads it
    when it is loaded, and by default its idle threads spin for a while on cores that others were given.

    Raises
    ------
    YardstickError
        If there is no gcc, or it does not compile the file.
    """
    gcc = shutil.which("gcc")
    if gcc is None:
        raise YardstickError("no gcc")
    target = folder / "yardstick.so"
    options = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
    done = subprocess.run([gcc, *options, "-o", target, _SOURCE], capture_output=True, text=True, check=False)
    if done.returncode:
        raise YardstickError(f"gcc failed: {(done.stderr.strip().splitlines() or ['no message'])[0]}")
    version = subprocess.run([gcc, "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    return Yardstick(ctypes.CDLL(str(target)), f"gcc {version} {' '.join(options[:3])}")
