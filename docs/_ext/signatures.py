"""Signatures as the pages show them."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from typing import Any

from known_names import classes, is_ours
from sphinx.application import Sphinx

__all__ = ["show_signature"]


def show_signature(app: Sphinx, what: str, name: str, value: Any, options: Any, given: Any, returns: Any) -> Any:
    """Show hints as the source has them, our own classes with links; the fields of a record not at all."""
    from embgeom.results import Record

    if inspect.isclass(value) and issubclass(value, Record):
        return "", None
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())
    if what == "method" and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    if inspect.isclass(value) and is_dataclass(value) and not all(map(is_ours, value.__mro__[:-1])):
        own = [parameter for parameter in parameters if parameter.name in value.__annotations__]
        parameters = [*own, inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)]
    back = signature.return_annotation
    hint = None if inspect.isclass(value) or back is signature.empty else _linked(_source(back))
    return _written(parameters), hint


def _written(parameters: list[inspect.Parameter]) -> str:
    parts: list[str] = []
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    needs_star = True
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and needs_star:
            parts.append("*")
        needs_star &= parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        text = stars.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {_linked(_source(parameter.annotation))}"
        if parameter.default is not parameter.empty:
            text += f" = {_default(parameter.default)}"
        parts.append(text)
    return f"({', '.join(parts)})"


def _source(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    """Return a default that reads as Python, or an ellipsis."""
    shown = repr(value)
    return shown if len(shown) < 60 and re.fullmatch(r"[\w\s.'\"()\[\]{},:+-]*", shown) else "..."


def _linked(hint: str) -> str:
    """Give the names of our own classes their addresses, of which the pages show the last part."""
    return re.sub(
        r"(?<![\w.'\"])[A-Z]\w+\b(?!['\"])",
        lambda found: f"~{classes()[found.group()]}" if found.group() in classes() else found.group(),
        hint,
    )
