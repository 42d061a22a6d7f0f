"""The public names of both packages, and where each is described."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any, get_origin

__all__ = [
    "OVERVIEWS",
    "ROOTS",
    "classes",
    "homes",
    "is_described",
    "is_exception",
    "is_ours",
    "names_of",
    "public_modules",
]

ROOTS = ("embgeom", "hyplora")
OVERVIEWS = ("embgeom",)
"""Packages that only pass on what others describe."""


@cache
def public_modules() -> tuple[str, ...]:
    """Return both packages, their packages at any depth and their own modules, where they have an ``__all__``."""
    found = list(ROOTS)
    for root in ROOTS:
        for entry in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}."):
            inner = entry.name.removeprefix(f"{root}.")
            if inner.startswith("_") or "._" in inner or not (entry.ispkg or "." not in inner):
                continue
            if hasattr(importlib.import_module(entry.name), "__all__"):
                found.append(entry.name)
    return tuple(found)


def names_of(module: str) -> list[str]:
    """Return the public names of a module."""
    return list(importlib.import_module(module).__all__)


@cache
def homes() -> dict[int, tuple[str, str]]:
    """Return module and name under which each class or function is described, by its identity."""
    found: dict[int, tuple[str, str]] = {}
    modules = sorted(set(public_modules()) - set(OVERVIEWS), key=lambda name: (name.count("."), name))
    for inside in (True, False):  # what a module only passes on from a private one is at home there too
        for module in modules:
            for name in names_of(module):
                value = getattr(importlib.import_module(module), name)
                if is_described(value) and f"{value.__module__}.".startswith(f"{module}.") is inside:
                    found.setdefault(id(value), (module, name))
    return found


@cache
def classes() -> dict[str, str]:
    """Return the address of every public class by its bare name."""
    return {
        name: f"{module}.{name}"
        for module, name in homes().values()
        if inspect.isclass(getattr(importlib.import_module(module), name))
    }


def is_described(value: Any) -> bool:
    """Return whether it is a class or a function, which autodoc describes, and not a constant."""
    return (inspect.isclass(value) or inspect.isroutine(value)) and get_origin(value) is None


def is_exception(value: Any) -> bool:
    """Return whether it is a class of exceptions."""
    return inspect.isclass(value) and issubclass(value, BaseException)


def is_ours(value: Any) -> bool:
    """Return whether it is defined in one of the two packages."""
    return str(value.__module__).split(".")[0] in ROOTS
