"""What a layer is called on the command line and in a sweep: input, output, hidden:K, all."""

from __future__ import annotations

from embgeom.errors import OptionError

__all__ = ["hidden_layers"]

# As `embgeom.embeddings.LAYERS`, without importing torch before the options are checked.
_EMBEDDINGS = ("input", "output")


def hidden_layers(layer: str) -> str | list[int] | None:
    """Return which hidden layers ``layer`` means: ``all``, a list of one, or None for embeddings.

    Raises
    ------
    OptionError
        For none of these.
    """
    if layer in _EMBEDDINGS:
        return None
    if layer == "all":
        return "all"
    name, _, number = layer.partition(":")
    digits = number.removeprefix("-")
    if name == "hidden" and digits.isascii() and digits.isdecimal():
        return [int(number)]
    raise OptionError(f"unknown layer {layer!r}; choose one of: {', '.join(_EMBEDDINGS)}, hidden:K (a number), all")
