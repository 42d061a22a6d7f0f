"""The notebooks run from top to bottom, offline, and show what is committed."""

from __future__ import annotations

import ast
import importlib
import math
import platform
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

from notebooks.execute import FOLDER, cleaned, executed

NAMES = (
    "01_token_frequency",
    "02_frequency_vs_norm",
    "03_delta_hyperbolicity",
    "04_hierarchy",
    "05_hyplora",
    "06_across_models",
)
LARGEST = 600_000  # bytes
# What other packages say of packages that happen to be there, or not: bitsandbytes of kernels, tqdm of ipywidgets.
OF_OTHERS = re.compile(r".*kernels-community.*|.*IProgress not found.*|  from \.autonotebook import .*")
NUMBER = re.compile(r"[−+-]?\d+(?:\.\d+)?(?:e[−+-]?\d+)?")

every_notebook = pytest.mark.parametrize("name", NAMES)


def committed(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("EMBGEOM_DATA", raising=False)


@cache
def fresh(name: str) -> Any:
    return executed(FOLDER / f"{name}.ipynb")


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parsed(cell: Any) -> ast.Module:
    """Return the cell's syntax without its magics."""
    return ast.parse(re.sub(r"^(\s*)%.*$", r"\1pass", cell.source, flags=re.MULTILINE))


def texts(cell: Any) -> list[str]:
    """Return what a cell shows, in order: text, or that it is a picture."""
    shown = []
    for output in cell.outputs:
        if output.output_type == "stream":
            shown += [output.text] if output.name == "stdout" else []
        else:
            shown.append("picture" if "image/png" in output.data else output.data["text/plain"])
    return shown


def differences(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield what is not the same: a word, or a number by more than machines differ in the last digits shown."""
    if len(old) != len(new):
        yield f"{len(old)} outputs, now {len(new)}"
    for before, after in zip(old, new, strict=False):
        if [part.split() for part in NUMBER.split(before)] != [part.split() for part in NUMBER.split(after)]:
            yield f"{before!r} is now {after!r}"
            continue
        for was, has in zip(NUMBER.findall(before), NUMBER.findall(after), strict=True):
            values = (float(text.replace("−", "-")) for text in (was, has))
            if not math.isclose(*values, rel_tol=0.02, abs_tol=0.002):
                yield f"{was} is now {has}, in {before!r}"


def test_all_are_there() -> None:
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb"))) == NAMES


@pytest.mark.usefixtures("offline")
@every_notebook
def test_runs_and_leaves_nothing_behind(name: str) -> None:
    before = sorted(path.name for path in FOLDER.iterdir())
    notebook = fresh(name)
    assert not [output for cell in code_cells(notebook) for output in cell.outputs if output.output_type == "error"]
    assert sorted({path.name for path in FOLDER.iterdir()} - {"__pycache__"}) == sorted(set(before) - {"__pycache__"})


@pytest.mark.usefixtures("offline")
@every_notebook
def test_standard_error_is_empty(name: str) -> None:
    written = [
        line
        for cell in code_cells(fresh(name))
        for output in cell.outputs
        if output.get("name") == "stderr"
        for line in output.text.splitlines()
        if line.strip() and not OF_OTHERS.fullmatch(line)
    ]
    assert not written


@pytest.mark.usefixtures("offline")
@every_notebook
def test_shows_what_is_committed(name: str) -> None:
    stored, now = committed(name), fresh(name)
    version = stored.metadata.language_info.version
    if version != platform.python_version():
        pytest.skip(f"the built-in texts are those of the running Python; the notebooks were executed with {version}")
    found = [
        f"cell {number}: {difference}"
        for number, (old, new) in enumerate(zip(code_cells(stored), code_cells(now), strict=True), start=1)
        for difference in differences(texts(old), texts(new))
    ]
    assert not found, "stale outputs; execute anew: python notebooks/execute.py"


def test_differences_are_seen() -> None:
    shown = ["γ = 2.009 ± 0.030 (p = 1e-05)\n  demo   −0.55"]
    assert not list(differences(shown, ["γ = 2.01 ± 0.030 (p = 1e-05)\ndemo −0.551"]))
    for other in ("γ = 2.109 ± 0.030 (p = 1e-05) demo −0.55", "γ = 2.009 ± 0.030 (p = 1e-05) demo 0.55", "γ"):
        assert list(differences(shown, [other]))
    assert list(differences(["picture"], []))
    assert list(differences(["picture"], ["text"]))


@every_notebook
def test_outputs_are_committed(name: str) -> None:
    notebook = committed(name)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        last = parsed(cell).body[-1]
        if isinstance(last, ast.Expr) and not cell.source.rstrip().endswith(";"):
            assert cell.outputs, cell.source
    assert any("picture" in texts(cell) for cell in cells)
    assert cleaned(notebook) == notebook, "not as execute.py saves it"
    assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST


@every_notebook
def test_names_no_place_on_a_machine(name: str) -> None:
    shown = "\n".join(
        cell.source + "\n".join(texts(cell) if cell.cell_type == "code" else []) for cell in committed(name).cells
    )
    assert not re.findall(r"(?<![\w./:])/(?:home|root|tmp|work|Users|var|private)/\S*", shown)
    assert str(Path.home()) not in shown


@every_notebook
def test_opens_with_what_it_shows(name: str) -> None:
    cells = committed(name).cells
    assert cells[0].cell_type == "markdown"
    title, *paragraphs = cells[0].source.split("\n\n")
    assert title.startswith("# ")
    assert len(paragraphs) >= 2
    assert re.match(r"Takes some \d+ s on one CPU core, with the demo model\.", paragraphs[-1])
    install, settings = code_cells(committed(name))[:2]
    assert install.source == code_cells(committed(NAMES[0]))[0].source
    defaults = {
        target.id: ast.literal_eval(statement.value)
        for statement in parsed(settings).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in ("MODEL", "DATA")
    }
    assert defaults["MODEL"] in ("demo", ["demo"])
    assert defaults["DATA"] in ("demo", ["demo"], "arithmetic")


@every_notebook
def test_defines_no_function(name: str) -> None:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    for cell in code_cells(committed(name)):
        assert not [node for node in ast.walk(parsed(cell)) if isinstance(node, kinds)], cell.source


@every_notebook
def test_uses_public_names(name: str) -> None:
    modules: dict[str, ModuleType] = {}
    for cell in code_cells(committed(name)):
        for node in ast.walk(parsed(cell)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("embgeom", "hyplora"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert alias.name in module.__all__
                    if isinstance(found := getattr(module, alias.name), ModuleType):
                        modules[alias.asname or alias.name] = found
            elif isinstance(node, ast.Import):
                assert not [alias for alias in node.names if alias.name.split(".")[0] in ("embgeom", "hyplora")]
            elif isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")
                if isinstance(node.value, ast.Name) and node.value.id in modules:
                    assert node.attr in modules[node.value.id].__all__


OTHER_MODELS = {
    "01_token_frequency": 'MODEL = ["{assets}/tokenizers/llama2", "{assets}/tokenizers/llama3"]\nDATA = ["mawps"]',
    "02_frequency_vs_norm": 'MODEL = "{minilm}"\nDATA = "gsm8k"',
    "03_delta_hyperbolicity": 'MODEL = "{minilm}"\nDATA = "mawps"',
    "04_hierarchy": (
        'MODEL = "{minilm}"\nDATA = "gsm8k"\nGROUPS = PAIRS = None\n'
        'WORDS = ["dog", "cow", "animal", "apple", "banana", "fruit", "red", "purple", "color"]'
    ),
    "05_hyplora": 'MODEL = "{assets}/models/stories260k"\nDATA = "arc_challenge_train"\nTEXTS = "gsm8k"\nSTEPS = 3',
    "06_across_models": 'MODEL = ["{minilm}", "{assets}/models/stories260k"]\nDATA = ["gsm8k", "SVAMP"]\nLIMIT = 5',
}


@pytest.mark.slow
@every_notebook
def test_runs_with_other_models_and_data(
    name: str, assets: Path, minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("EMBGEOM_DATA", str(assets / "data"))
    notebook = committed(name)
    code_cells(notebook)[1].source = OTHER_MODELS[name].format(assets=assets, minilm=minilm)
    nbformat.write(notebook, tmp_path / "other.ipynb")
    assert any("picture" in texts(cell) for cell in code_cells(executed(tmp_path / "other.ipynb")))
