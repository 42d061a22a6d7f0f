"""Execute the notebooks from top to bottom, and save them in place with what they show.

``python notebooks/execute.py`` does all of them, ``python notebooks/execute.py 03_delta_hyperbolicity.ipynb`` one. The
kernel is the Python that runs this, with one thread, so that the numbers do not depend on the machine's cores. What
changes from run to run is not kept: times, and standard error.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

__all__ = ["FOLDER", "cleaned", "executed"]

FOLDER = Path(__file__).parent
_PATIENCE = 3600  # seconds for a cell: with other models than the demo they are slow
_THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


class ThisPython(AsyncKernelManager):
    """Starts the Python that runs this, whatever kernels are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """Return what to start."""
        command = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def executed(path: Path, *, before: str = "") -> Any:
    """Return the notebook with the outputs of a fresh kernel; raise ``CellExecutionError`` where a cell fails.

    The code that is to run ``before`` leaves no trace in the notebook.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        timeout=_PATIENCE,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    # A folder of its own, lest somebody's IPython profile have a say.
    with tempfile.TemporaryDirectory() as profile:
        startup = Path(profile, "profile_default", "startup")
        startup.mkdir(parents=True)
        (startup / "before.py").write_text(before, encoding="utf-8")
        client.execute(env={**os.environ, **dict.fromkeys(_THREADS, "1"), "IPYTHONDIR": profile})
    return notebook


def cleaned(notebook: Any) -> Any:
    """Return the notebook without what changes from run to run, or says nothing."""
    version = notebook.metadata.language_info.version
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": version},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = {}
    return nbformat.from_dict(notebook)


def main() -> None:
    """Execute those that are named, or all."""
    named = [Path(word) for word in sys.argv[1:]]
    for path in named or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(cleaned(executed(path)), path)


if __name__ == "__main__":
    main()
