"""Exact and sampled δ on a GPU, by Triton kernels.

Importing this package needs neither Triton nor a GPU; :func:`available` says whether the kernels can run.

* :func:`embgeom.delta.gpu.fixed_base.fixed_base` and :func:`embgeom.delta.gpu.four_point.four_point`: exact, one cloud.
* :func:`embgeom.delta.gpu.prompts.fixed_base_batch`: exact, many small clouds at once.
* :func:`embgeom.delta.gpu.sampling.sample`: random quadruples, drawn on the device.
* :mod:`embgeom.delta.gpu.sharded`: the same on all ranks of ``torchrun``.
"""

from __future__ import annotations

from embgeom.delta.gpu.device import available

__all__ = ["available"]
