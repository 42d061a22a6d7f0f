"""The data sets of the paper: where each lives on the Hub, and what its local copy is called.

The paper (*Hyperbolic Fine-Tuning for Large Language Models*, arXiv 2410.04010) uses the files of LLM-Adapters, in
which every record has an ``instruction``: the question wrapped in a template such as "Please answer the following
question with true or false". The Hub holds the original data sets, without that template; figures made from them
differ a little from those of the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from embgeom.corpus.files import list_folder

__all__ = ["DATASETS", "PaperDataset", "dataset_of_hub_id", "find_dataset", "find_in_root"]


@dataclass(frozen=True)
class PaperDataset:
    """One data set of the paper.

    Attributes
    ----------
    name
        What the user types; upper case, ``-`` and ``_`` make no difference.
    hub_id, config, split, revision
        Where the Hub has it.
    fields
        What makes up a text there, joined by one space.
    """

    name: str
    hub_id: str
    split: str
    fields: tuple[str, ...]
    config: str | None = None
    revision: str | None = None

    @property
    def local_file(self) -> str:
        """Its file in a folder of its own: the authors call even a validation split ``test.json``."""
        return "train.json" if self.split == "train" else "test.json"


_ALL = (
    PaperDataset("gsm8k", "openai/gsm8k", "test", ("question",), "main"),
    PaperDataset("aqua", "deepmind/aqua_rat", "test", ("question", "options"), "raw"),
    PaperDataset("svamp", "ChilleD/SVAMP", "test", ("Body", "Question")),
    PaperDataset("mawps", "MU-NLPC/Calc-mawps", "test", ("question",)),
    PaperDataset("boolq", "google/boolq", "validation", ("question",)),
    # The main branch is a loading script, which datasets >= 4 refuses to run; the Hub's own conversion is parquet.
    PaperDataset("piqa", "ybisk/piqa", "validation", ("goal", "sol1", "sol2"), revision="refs/convert/parquet"),
    PaperDataset(
        "social_i_qa", "lighteval/siqa", "validation", ("context", "question", "answerA", "answerB", "answerC")
    ),
    PaperDataset("hellaswag", "Rowan/hellaswag", "validation", ("ctx", "endings")),
    PaperDataset("winogrande", "allenai/winogrande", "validation", ("sentence", "option1", "option2"), "winogrande_xl"),
    PaperDataset("arc_easy", "allenai/ai2_arc", "test", ("question", "choices"), "ARC-Easy"),
    PaperDataset("arc_challenge", "allenai/ai2_arc", "test", ("question", "choices"), "ARC-Challenge"),
    PaperDataset("openbookqa", "allenai/openbookqa", "test", ("question_stem", "choices"), "main"),
    PaperDataset("math10k", "lmms-lab/Math10K", "train", ("instruction",)),
    PaperDataset("commonsense170k", "zwhe99/commonsense_170k", "train", ("instruction",)),
)

DATASETS: Mapping[str, PaperDataset] = MappingProxyType({dataset.name: dataset for dataset in _ALL})
"""The paper's data sets by name, in the order of its tables: arithmetic, common sense, the two training sets."""


def _plain(name: str) -> str:
    """``ARC-Easy`` and ``arc_easy``, ``math_10k`` and ``math10k`` are the same name."""
    return name.lower().replace("-", "").replace("_", "")


_BY_PLAIN_NAME = {_plain(dataset.name): dataset for dataset in _ALL}


def find_dataset(name: str) -> PaperDataset | None:
    """Return the paper's data set of this name, spelt in any way, or None."""
    return _BY_PLAIN_NAME.get(_plain(name))


def dataset_of_hub_id(hub_id: str, config: str | None) -> PaperDataset | None:
    """Return the paper's data set with this Hub id, if it is the only one (``allenai/ai2_arc`` is two)."""
    found = [d for d in _ALL if d.hub_id.lower() == hub_id.lower() and config in (None, d.config)]
    return found[0] if len(found) == 1 else None


def find_in_root(root: Path, name: str) -> Path | None:
    """Find a data set below a data root, laid out as the authors do.

    Parameters
    ----------
    root
        An existing folder.
    name
        A name of the registry, or any other folder name in ``root``; spelling as in :func:`find_dataset`.

    Returns
    -------
    Path or None
        ``<name>/test.json`` (``<name>/train.json`` for a training set; for a name that is not in the registry the
        first of the two that is there), else ``<name>.json``, else None.
    """
    dataset = find_dataset(name)
    files = (dataset.local_file,) if dataset else ("test.json", "train.json")
    # The exact spelling wins where two folders differ in spelling only.
    alike = sorted(list_folder(root), key=lambda entry: entry.name != name)
    folders = [entry for entry in alike if _plain(entry.name) == _plain(name)]
    candidates = [folder / file for folder in folders for file in files]
    candidates += [entry for entry in alike if entry.suffix == ".json" and _plain(entry.stem) == _plain(name)]
    return next((path for path in candidates if path.is_file()), None)
