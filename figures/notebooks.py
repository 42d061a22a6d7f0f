"""The figures of the notebooks, as their cells draw them."""

from __future__ import annotations

import logging
import re
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from embgeom.errors import InputError, first_line

__all__ = ["FORMATS", "keep", "notebook_names", "write_notebook_figures"]

FORMATS = ("svg", "png")
_ROOT = Path(__file__).parents[1]


def notebook_names() -> list[str]:
    """Return the names of the notebooks, without their ending."""
    return sorted(path.stem for path in (_ROOT / "notebooks").glob("*.ipynb"))


def write_notebook_figures(name: str, folder: Path) -> int:
    """Execute a notebook in a kernel of its own, and write its figures as NAME-1, NAME-2, …; return how many.

    Figures that the notebook no longer draws are removed. Nothing is touched before it has run to its end.

    Raises
    ------
    InputError
        If the notebook cannot be executed.
    """
    if find_spec("nbclient") is None:
        raise InputError("to execute notebooks takes nbclient: pip install -e '.[test]'")
    from nbclient.exceptions import CellExecutionError

    from notebooks.execute import executed

    with TemporaryDirectory(dir=folder.resolve()) as drawn:
        before = f"import sys\nsys.path.append({str(_ROOT)!r})\nfrom figures.notebooks import keep\nkeep({drawn!r})\n"
        try:
            executed(_ROOT / "notebooks" / f"{name}.ipynb", before=before)
        except AssertionError:  # nbclient ends the kernel at Ctrl-C, and then misses it, in another task too
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            raise KeyboardInterrupt from None
        except Exception as error:
            told = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else first_line(error)
            raise InputError(f"notebook {name}: {told}") from None
        figures = sorted(Path(drawn).iterdir())
        for path in folder.iterdir():
            if re.fullmatch(rf"{re.escape(name)}-\d+\.({'|'.join(FORMATS)})", path.name):
                path.unlink()
        for path in figures:
            path.replace(folder / f"{name}-{path.name}")
    return len(figures) // len(FORMATS)


def keep(folder: str) -> None:
    """Let the kernel that runs this save each figure that a cell ends with, as 1, 2, …."""
    from IPython.core.getipython import get_ipython
    from matplotlib.figure import Figure

    from embgeom.plots import save_figure

    number = count(1)

    def save(outcome: Any) -> None:
        if isinstance(outcome.result, Figure):
            place = next(number)
            for ending in FORMATS:
                save_figure(outcome.result, Path(folder) / f"{place}.{ending}")

    shell: Any = get_ipython()
    shell.events.register("post_run_cell", save)
