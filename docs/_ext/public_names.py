"""The directive ``.. public:: MODULE``: every name of a module's ``__all__``, from its docstring.

A name that several modules export is described in one of them, its home, and has a line that leads there in the others,
so that each of its addresses is in the index and no text stands twice. ``embgeom`` itself is an overview of such lines.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from types import ModuleType
from typing import Any

from code_links import link_code
from docutils import nodes
from docutils.statemachine import StringList
from known_names import OVERVIEWS, homes, is_described, is_exception, names_of, public_modules
from references import resolve
from signatures import show_signature
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError, PycodeError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

# A table of the names of a module with fewer would only repeat them.
_TABLE = 4
# What the docstring of a package says of its stub.
_NOT_FOR_READERS = re.compile(r"(^|\s)Names load when first used(?:\s+\(see\s+``__init__\.pyi``\))?[^.]*\.")


class Public(SphinxDirective):
    """``.. public:: MODULE``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the entries as reStructuredText, and let Sphinx read them."""
        module = self.arguments[0]
        if module not in public_modules():
            raise ExtensionError(f"{module} is no public module; they are: {', '.join(public_modules())}")
        names = sorted(names_of(module), key=lambda name: _order(getattr(importlib.import_module(module), name)))
        text = _NOT_FOR_READERS.sub(r"\1", "\n".join(_docstring(importlib.import_module(module)))).splitlines()
        lines = [f".. py:module:: {module}", "", *text, ""]
        described = [name for name in names if is_described(getattr(importlib.import_module(module), name))]
        if len(described) >= _TABLE and module not in OVERVIEWS:
            lines += [".. autosummary::", "   :nosignatures:", "", *_indented(described), ""]
        for name in names:
            lines += [*_entry(module, name), ""]
        written = self.parse_text_to_nodes(StringList(lines, source=f"<names of {module}>"))
        objects = self.env.domains.python_domain.objects
        for name in names:  # a bare name in a docstring is to lead home
            value = getattr(importlib.import_module(module), name)
            if homes().get(id(value), (module, name)) != (module, name) and f"{module}.{name}" in objects:
                objects[f"{module}.{name}"] = objects[f"{module}.{name}"]._replace(aliased=True)
        return written


def _entry(module: str, name: str) -> list[str]:
    value = getattr(importlib.import_module(module), name)
    if isinstance(value, ModuleType):
        return [f":py:mod:`{value.__name__}`", f"   {_first_sentence(value)}"]
    if not is_described(value):
        return _data(module, name, value)
    is_class = inspect.isclass(value)
    home = homes().get(id(value), (module, name))
    if home != (module, name):
        role = f":class:`{'.'.join(home)}`" if is_class else f":func:`{'.'.join(home)}`"
        if is_class and f"{module}.{name}" == f"{value.__module__}.{value.__qualname__}":  # autodoc enters this address
            return [f"``{name}``", f"   {_first_sentence(value)} See {role}."]
        head = [f".. py:{'class' if is_class else 'function'}:: {name}", "   :no-index-entry:", ""]
        return [*head, f"   {_first_sentence(value)} See {role}."]
    if is_exception(value):
        bases = ", ".join(f":class:`{base.__name__}`" for base in value.__bases__)
        origin = f"{value.__module__}.{value.__qualname__}"
        canonical = [f"   :canonical: {origin}"] if origin != f"{module}.{name}" else []
        return [f".. py:exception:: {name}", *canonical, "", f"   Bases: {bases}", "", *_indented(_docstring(value))]
    return [f".. auto{'class' if is_class else 'function'}:: {name}"]


def _data(module: str, name: str, value: Any) -> list[str]:
    """Describe a constant: its value where it is short, and the docstring below its assignment."""
    text, origin = _data_docstring(module, name)
    shown = repr(value)
    lines = [f".. py:data:: {name}"]
    if len(shown) <= 120 and " at 0x" not in shown and "Path(" not in shown:
        lines.append(f"   :value: {shown}")
    if origin != module:
        lines.append(f"   :canonical: {origin}.{name}")
    return [*lines, "", *_indented(text)]


def _data_docstring(module: str, name: str) -> tuple[list[str], str]:
    """Return the docstring of a constant, and the module that assigns it."""
    path = getattr(importlib.import_module(module), "__path__", [])
    for origin in [module, *(f"{module}.{entry.name}" for entry in pkgutil.iter_modules(path))]:
        try:
            found = ModuleAnalyzer.for_module(origin).find_attr_docs()
        except PycodeError:
            continue
        if ("", name) in found:
            return found["", name], origin
    return [], module


def _order(value: Any) -> int:
    """Put functions first, then classes, exceptions and constants."""
    if not is_described(value):
        return 3
    return 2 if is_exception(value) else 1 if inspect.isclass(value) else 0


def _docstring(value: Any) -> list[str]:
    return (inspect.getdoc(value) or "").splitlines()


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}" for line in lines]


def _first_sentence(value: Any) -> str:
    paragraph = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".") + "."


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and how names are shown and found."""
    app.add_directive("public", Public)
    app.connect("autodoc-process-signature", show_signature)
    app.connect("missing-reference", resolve)
    app.connect("doctree-resolved", link_code)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
