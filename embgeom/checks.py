"""Whether an argument is what it is used as: one line that says what was expected, in place of a traceback."""

from __future__ import annotations

from collections.abc import Sized
from numbers import Integral
from typing import Any

from embgeom.errors import ModelError, OptionError

__all__ = ["require_embeddings", "require_tokenizer", "require_whole", "shown"]

_LONGEST = 40


def require_tokenizer(tokenizer: Any) -> None:
    """Raise :class:`ModelError` unless this is a tokenizer of transformers, as far as it is used here."""
    if not (callable(tokenizer) and isinstance(tokenizer, Sized) and hasattr(tokenizer, "all_special_ids")):
        raise ModelError(
            f"expected a tokenizer of transformers, got {shown(tokenizer)}; load one with "
            "embgeom.embeddings.load_tokenizer(model)"
        )


def require_embeddings(embeddings: Any) -> None:
    """Raise :class:`ModelError` unless these are embeddings with their tokenizer, or if that cannot be loaded."""
    if not (hasattr(embeddings, "matrix") and hasattr(embeddings, "tokenizer")):
        raise ModelError(
            "expected Embeddings, as embgeom.load_embeddings(model) returns them with their tokenizer, got "
            f"{shown(embeddings)}"
        )


def require_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise :class:`OptionError` unless ``value`` is a whole number from ``least`` to ``most``."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        expected = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise OptionError(f"{name} must be a whole number {expected}, got {value!r}")


def shown(value: Any) -> str:
    """Return the type of a value, with the value itself where it is a short text or number."""
    kind = type(value).__name__
    return f"{kind} {value!r}" if isinstance(value, str | int | float) and len(repr(value)) <= _LONGEST else kind
