"""Small sweeps, run as the command that users run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from embgeom.report.ruler import ruler

PROMPTS = [
    "Tom had three apples and gave one of them to his friend. How many were left?",
    "The train goes from the city to the sea in two hours; how fast is it?",
    "A list is a sequence of values, and a tuple is one that does not change.",
    "Once upon a time there was a dog that had a friend, and the friend had a ball.",
]
OTHERS = [
    "The statement binds the name of the module to the local namespace.",
    "If the red box holds four balls and the blue one seven, what is the sum?",
    "Every object has an identity, a type and a value.",
]
FEW = ["--null", "permute", "--null-draws", "19", "--quiet"]
"""Options of a quick sweep."""


def write_prompts(folder: Path) -> list[str]:
    """Write two data sets, and return their paths."""
    paths = []
    for name, texts in (("one", PROMPTS), ("two", OTHERS)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts), encoding="utf-8")
        paths.append(str(path))
    return paths


def command(*words: object, launcher: tuple[str, ...] = ()) -> list[str]:
    """Return the command line of a sweep."""
    return [sys.executable, *launcher, "-m", "embgeom.report", *map(str, words)]


def run(*words: object, launcher: tuple[str, ...] = (), code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a sweep in a process of its own, and insist on its exit status."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command(*words, launcher=launcher), capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == code, done.stderr
    return done


def files(folder: Path) -> dict[str, bytes]:
    """Return what a report has to show, by file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "cells"
    }


def stored(folder: Path) -> dict[str, int]:
    """Return the cells in a folder with the time at which each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").glob("[0-9a-f]*.json")}


@cache
def _ruler() -> tuple[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        ruler(Path(folder), seed=0, progress=False)
        (path,) = Path(folder).iterdir()
        return path.name, path.read_bytes()


def put_ruler(folder: Path) -> Path:
    """Put the ruler of seed 0 where a report looks for it, so that not every report measures it anew."""
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    name, content = _ruler()
    (folder / "cells" / name).write_bytes(content)
    return folder
