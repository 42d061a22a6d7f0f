"""What several modules ask of a number."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

__all__ = ["check_positive"]


def check_positive(name: str, value: Any) -> None:
    """Raise ``ValueError`` unless this is a number that is positive and finite."""
    if not isinstance(value, Real) or isinstance(value, bool) or not (float(value) > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite, not {value!r}")
