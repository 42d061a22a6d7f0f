"""Progress bars on standard error, the same look everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

__all__ = ["OnProgress", "part", "progress_bar", "progress_of"]

OnProgress = Callable[[float], None]
"""Called with the fraction of the work that is done; whatever it raises (Ctrl-C) stops the work."""

_FORMAT = "{l_bar}{bar}| {elapsed}<{remaining}"


def progress_bar(total: int, description: str, *, show: bool) -> tqdm[None]:
    """Return a bar that counts to ``total``, for loops; it leaves nothing behind."""
    return tqdm(total=total, desc=description, disable=not show, file=sys.stderr, leave=False)


def part(on_progress: OnProgress, start: float, stop: float) -> OnProgress:
    """Return a function that reports the fractions of a part of the work, from ``start`` to ``stop`` of the whole."""
    return lambda fraction: on_progress(start + (stop - start) * fraction)


@contextmanager
def progress_of(description: str, *, show: bool) -> Iterator[OnProgress]:
    """Give a function that moves a bar to a fraction of its length; the bar leaves nothing behind.

    Parameters
    ----------
    description : str
    show : bool
        Whether to draw anything at all.
    """
    with tqdm(total=1.0, desc=description, disable=not show, file=sys.stderr, leave=False, bar_format=_FORMAT) as bar:

        def advance(fraction: float) -> None:
            bar.update(min(1.0, fraction) - bar.n)

        yield advance
