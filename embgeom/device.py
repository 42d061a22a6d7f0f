"""Where to compute: one word for a device, checked before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embgeom.errors import OptionError, first_line

if TYPE_CHECKING:
    import torch

__all__ = ["free_memory", "pick_device", "require_memory"]


def pick_device(name: str | None = None) -> torch.device:
    """Return the torch device called ``name``; for None or ``auto``, the first GPU if there is one, else the CPU.

    Raises
    ------
    OptionError
        If torch does not know the name, or this machine has no such device.
    """
    import torch

    if name in (None, "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        float(torch.ones(1, device=device, dtype=torch.float64))  # a device that computes, and has float64
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        present = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        raise OptionError(
            f"device {name!r} cannot be used here ({first_line(error)[:100]}); there is: {', '.join(present)}"
        ) from None
    return device


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on ``device``."""
    import psutil
    import torch

    return int(torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available)


def require_memory(needed: int, *, device: torch.device, purpose: str) -> None:
    """Raise :class:`OptionError` if ``needed`` bytes are not free on ``device``, before the work starts."""
    free = free_memory(device)
    if needed > free:
        raise OptionError(
            f"{purpose} needs {needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are free on {device}: "
            "take fewer points, or method 'bounds' or 'sample', which can do without the matrix"
        )
