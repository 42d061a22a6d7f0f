"""What can be wrong with the input: one exception class per kind, all of them ``ValueError``.

Every message is one line that says what was expected, what came, and what to do about it. The command lines print
it as it is and exit with status 1.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "CorpusError",
    "CountsError",
    "DistanceWarning",
    "EqualPointsError",
    "InputError",
    "ModelError",
    "OptionError",
    "PointsError",
    "choose",
    "first_line",
]


class InputError(ValueError):
    """The input is at fault; the message says how, in one line."""


class ModelError(InputError):
    """A model that cannot be found or read, or has not the tensor that was asked for."""


class CorpusError(InputError):
    """Texts that cannot be found or read, or of which nothing is left."""


class CountsError(InputError):
    """Counts that are no counts, or too few different ones for the statistic to be defined."""


class PointsError(InputError):
    """A point cloud or distance matrix that the statistic is not defined for."""


class EqualPointsError(PointsError):
    """A cloud whose points are all equal: its diameter is 0, and no statistic relative to it is defined."""


class OptionError(InputError):
    """An option whose value is not one of those there are."""


class DistanceWarning(UserWarning):
    """A distance matrix that is one but for rounding; it was repaired or accepted, and the message says by how much."""


def choose(name: str, value: str, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``; raise :class:`OptionError` that lists them otherwise."""
    valid = list(choices)
    if value not in valid:
        raise OptionError(f"unknown {name} {value!r}; choose one of: {', '.join(valid)}")
    return value


def first_line(error: BaseException) -> str:
    """Return the first line of an error from elsewhere, to be quoted in a message of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
