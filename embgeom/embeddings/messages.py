"""What others raise, quoted in a message of one line."""

from __future__ import annotations

import textwrap

__all__ = ["quote"]


def quote(error: BaseException, *, width: int = 200) -> str:
    """Return the error's text in one line of at most ``width`` characters.

    Unlike its first line, that does not lose the reason where the first line only announces one.
    """
    return textwrap.shorten(str(error), width, placeholder=" …") or type(error).__name__
