"""Progress bars on standard error, the same look everywhere."""

from __future__ import annotations

import sys

from tqdm import tqdm

__all__ = ["progress_bar"]


def progress_bar(total: int | None, description: str, *, show: bool) -> tqdm[None]:
    """Return a bar that writes to standard error, leaves nothing behind, and is silent unless ``show``."""
    return tqdm(total=total, desc=description, disable=not show, file=sys.stderr, leave=False, dynamic_ncols=True)
