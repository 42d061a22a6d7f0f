"""The figures of the notebooks, as their cells draw them."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FORMATS", "keep", "notebook_names", "write_notebook_figures"]

FORMATS = ("svg", "png")
_ROOT = Path(__file__).parents[1]


def notebook_names() -> list[str]:
    """Return the names of the notebooks, without their ending."""
    return sorted(path.stem for path in (_ROOT / "notebooks").glob("*.ipynb"))


def write_notebook_figures(name: str, folder: Path) -> int:
    """Execute a notebook in a kernel of its own, and write its figures as NAME-1, NAME-2, …; return how many."""
    if find_spec("nbclient") is None:
        raise InputError("to execute notebooks takes nbclient: pip install -e '.[test]'")
    from notebooks.execute import executed

    for path in _written(name, folder):
        path.unlink()
    before = f"import sys\nsys.path.append({str(_ROOT)!r})\nfrom figures.notebooks import keep\n"
    executed(_ROOT / "notebooks" / f"{name}.ipynb", before=f"{before}keep({name!r}, {str(folder.resolve())!r})\n")
    return len(_written(name, folder)) // len(FORMATS)


def keep(name: str, folder: str) -> None:
    """Let the kernel that runs this save each figure that a cell ends with."""
    from IPython.core.getipython import get_ipython
    from matplotlib.figure import Figure

    from embgeom.plots import save_figure

    number = count(1)

    def save(outcome: Any) -> None:
        if isinstance(outcome.result, Figure):
            place = next(number)
            for ending in FORMATS:
                save_figure(outcome.result, Path(folder) / f"{name}-{place}.{ending}")

    shell: Any = get_ipython()
    shell.events.register("post_run_cell", save)


def _written(name: str, folder: Path) -> list[Path]:
    found: Iterable[Path] = (path for ending in FORMATS for path in folder.glob(f"{name}-*.{ending}"))
    return sorted(found)
