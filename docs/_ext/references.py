"""Where the names in docstrings and signatures lead."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from docutils import nodes
from known_names import ROOTS, classes, homes
from sphinx.application import Sphinx

__all__ = ["resolve"]


def resolve(app: Sphinx, env: Any, node: nodes.Element, shown: nodes.TextElement) -> nodes.Node | None:
    """Resolve a name that Python knows where Sphinx does not: one that its module imports, or one that is not public.

    A docstring may call a class by the name that its module has for it; the link leads to the class's home. What is not
    public has no page, and is shown without a link, if it exists. Hints of other projects' names stay as they are.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    from_signature = not isinstance(shown, nodes.literal)
    if (from_signature and target not in classes()) or ("." in target and not target.startswith(ROOTS)):
        return shown
    python = env.domains.python_domain
    for name in (classes().get(target), *_known_as(target, node.get("py:module"))):
        if name is None:
            continue
        entry = python.objects.get(name)
        if entry is not None:
            builder = app.builder
            link = nodes.reference("", "", shown, internal=True)
            link["refuri"] = f"{builder.get_relative_uri(node['refdoc'], entry.docname)}#{entry.node_id}"
            return link
        return shown
    return None


def _known_as(target: str, module: str | None) -> list[str]:
    """Return the addresses of what ``target`` means to Python: its home, if it has one, or its own.

    It may be a name of the module of the page, of one inside of it, where the docstring stands, or a whole address.
    """
    inside = [name for name in sys.modules if module and f"{name}.".startswith(f"{module}.")]
    for path in [*(f"{name}.{target}" for name in sorted(inside)), target]:
        if not path.startswith(ROOTS):
            continue
        value = _look_up(path)
        if value is not None:
            return [".".join(homes()[id(value)])] if id(value) in homes() else [path]
    return []


def _look_up(path: str) -> Any:
    """Return what Python has at an address; None if there is nothing."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part, None)
        return value
    return None
