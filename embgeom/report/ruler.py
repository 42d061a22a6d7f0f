"""The ruler of the page: relative δ and q where the shape is known, measured once per folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from embgeom.cells import key_of
from embgeom.errors import InputError
from embgeom.results import versions, write_text
from embgeom.spaces.ruler import SPACES, SpaceMeasure, measure_spaces

__all__ = ["ruler"]

# As many points as prompts have tokens, or so: relative δ grows with them.
_POINTS, _DRAWS = 50, 10


def ruler(cells: Path, *, seed: int, progress: bool) -> tuple[SpaceMeasure, ...]:
    """Return the reference spaces, from the folder of the cells if they were measured before."""
    identity = {"spaces": list(SPACES), "points": _POINTS, "draws": _DRAWS, "seed": seed, "versions": versions()}
    path = cells / f"ruler-{key_of(identity)}.json"
    with contextlib.suppress(InputError):
        found = SpaceMeasure.load_all(path)
        if len(found) == len(SPACES):
            return found
    measured = tuple(measure_spaces(points=_POINTS, draws=_DRAWS, seed=seed, progress=progress))
    write_text(path, json.dumps([each.to_dict() for each in measured], ensure_ascii=False) + "\n")
    return measured
