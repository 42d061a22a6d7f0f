"""Which nulls are meant, and whether so many draws can reach the level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

from embgeom.delta.checks import require_at_least
from embgeom.errors import OptionError, choose
from embgeom.nulls import NULLS

__all__ = ["VOCABULARY_NULLS", "check_calibration", "choose_nulls"]

VOCABULARY_NULLS = tuple(name for name in NULLS if name != "vocabulary")
"""The nulls of random subsets of a vocabulary: all but ``vocabulary``, which they are draws of themselves."""


def choose_nulls(nulls: str | Sequence[str], *, level: str) -> tuple[str, ...]:
    """Return the nulls that are meant by ``all``, a name or several, in the order of ``NULLS``.

    Raises
    ------
    OptionError
        If there is no such null, or none for ``level`` ("prompts" or "vocabulary").
    """
    choices = tuple(NULLS) if level == "prompts" else VOCABULARY_NULLS
    if nulls == "all":
        return choices
    named = [nulls] if isinstance(nulls, str) else list(nulls or ())
    if not named:
        raise OptionError(f"no null was named; choose from: all, {', '.join(choices)}")
    for name in named:
        if name == "vocabulary" and name not in choices:
            raise OptionError(
                "null vocabulary says nothing about random subsets of the vocabulary, which are draws of it; "
                f"choose from: all, {', '.join(choices)}"
            )
        choose("null", name, ["all", *choices])
    if "all" in named:
        return choices
    return tuple(name for name in choices if name in named)


def check_calibration(*, draws: int, level: float) -> None:
    """Raise :class:`OptionError` unless so many draws can give a p-value of ``level``."""
    if not isinstance(level, Real) or not 0 < level < 1:
        raise OptionError(f"level must lie between 0 and 1, got {level!r}")
    require_at_least("null draws", draws, 1)
    if 1 / (1 + draws) > level + 1e-12:
        least = math.ceil(1 / level - 1e-9) - 1
        raise OptionError(
            f"{draws} null draws give no p-value below {1 / (1 + draws):.2g}, and the level is {level:g}; "
            f"take {least} or more"
        )
