"""A module imports only from the floors below its own, at any depth; CONTRIBUTING.md names them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import embgeom

ROOT = Path(embgeom.__file__).parent
FLOORS = (
    "errors progress results device demo provenance checks",
    "embeddings corpus metric",
    "cells counts token_classes delta curvature",
    "words frequency norms trees treelikeness nulls",
    "spaces hierarchy calibration layers",
    "plots",
    "cli",
    "commands report",
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}
LIBRARY = [path for path in sorted(ROOT.rglob("*.py")) if path.name != "__main__.py" and path.parent != ROOT / "demo"]


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """Yield the packages of embgeom that a module imports when it runs, not those that only its type hints name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hints = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in hints and node.level == 0 and node.module:
            if node.module == "embgeom":
                yield from (alias.name for alias in node.names)
            elif node.module.startswith("embgeom."):
                yield node.module.split(".")[1]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_come_from_below(path: Path) -> None:
    own = package_of(path)
    if own == "__init__":
        return
    above = {name for name in imported(path) if name != own and FLOOR[name] > FLOOR[own]}
    assert not above


def test_every_module_has_a_floor() -> None:
    assert {package_of(path) for path in LIBRARY} - {"__init__"} <= set(FLOOR)
