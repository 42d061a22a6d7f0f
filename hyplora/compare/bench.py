"""What cells have in common, and each cell once: taken from the folder, or calculated and stored."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embgeom.cells import key_of, model_identity
from embgeom.errors import InputError, first_line
from embgeom.results import versions, write_text
from hyplora.compare.material import Material, Part, load_material
from hyplora.compare.options import TUNING_SEED, CompareOptions, Contender
from hyplora.compare.records import CellResult

__all__ = ["Bench", "all_versions"]

_OF_NO_CONSEQUENCE = ("output", "report_to", "log_every", "save_every")


@dataclass
class Bench:
    """All that cells have in common, and a count of them.

    Attributes
    ----------
    options : CompareOptions
        With alphas.
    loaded : Loaded
    material : Material
    budgets : dict
        By contender, the numbers that it trains, and how many of them are K and norm scales.
    cells : Path
        The folder.
    common : dict
        The part of their identity that all cells share.
    stored, computed : int
    seconds : float
    """

    options: CompareOptions
    loaded: Any
    material: Material
    budgets: dict[Contender, tuple[int, int]]
    cells: Path
    common: dict[str, Any]
    stored: int = 0
    computed: int = 0
    seconds: float = 0.0
    _training: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, options: CompareOptions, loaded: Any, cells: Path) -> Bench:
        """Read the data, count the parameters, and fill in what options leave to the model."""
        from hyplora.compare.adapting import budgets
        from hyplora.train.base import load_base, pick_precision

        precision = pick_precision("auto")
        network, tokenizer, _ = load_base(
            options.training(options.contenders[0], learning_rate=1.0, alpha=1.0, seed=0).model, precision
        )
        config = network.config.get_text_config()
        options = options.with_alphas(config.hidden_size)
        length = min(options.cutoff, getattr(config, "max_position_embeddings", None) or options.cutoff)
        material = load_material(options, tokenizer, length=length)
        common = {
            "model": model_identity(options.model),
            "device": loaded.device.type,
            "precision": precision,
            "versions": all_versions(),
        }
        return cls(options, loaded, material, budgets(network, options), cells, common)

    def untrained(self) -> CellResult:
        """Return the scores of the model as it is."""
        part = self.material.test
        identity = {**self.common, "part": part.identity}
        return self._cell(identity, lambda: {"scores": self._scores(self.loaded.model, part)})

    def tuning(self, contender: Contender, rate: float, alpha: float) -> CellResult:
        """Return the scores of a setting on the tuning part."""
        return self._trained(contender, rate, alpha, TUNING_SEED, self.material.tuning)

    def test(self, contender: Contender, rate: float, alpha: float, seed: int) -> CellResult:
        """Return the scores of a setting and a seed on the test part."""
        return self._trained(contender, rate, alpha, seed, self.material.test)

    def _trained(self, contender: Contender, rate: float, alpha: float, seed: int, part: Part) -> CellResult:
        options = self.options.training(contender, learning_rate=rate, alpha=alpha, seed=seed)
        concerns = options.by_concern()
        identity = {
            **self.common,
            "training": self._training.setdefault("sha256", self.material.training_identity),
            "part": part.identity,
            "adapter": concerns["adapter"],
            "run": {name: value for name, value in concerns["run"].items() if name not in _OF_NO_CONSEQUENCE},
        }

        def work() -> dict[str, Any]:
            from hyplora.compare.adapting import adapt

            adapted = adapt(options, self.material.training)
            return {
                "scores": self._scores(adapted.model, part),
                "curvature": adapted.curvature,
                "relative_delta": adapted.relative_delta,
                "curvatures": adapted.curvatures,
                "order": adapted.order,
                "start": adapted.start,
            }

        return self._cell(identity, work)

    def _scores(self, model: Any, part: Part) -> dict[str, float]:
        from hyplora.compare.scoring import scores_of
        from hyplora.train.loop import TrainingError

        scores = scores_of(model, part, self.loaded, batch=self.options.batch)
        if not all(map(math.isfinite, scores.values())):
            raise TrainingError("the likelihood of the held-out records is no number")
        return scores

    def _cell(self, identity: dict[str, Any], work: Callable[[], dict[str, Any]]) -> CellResult:
        """Return what is stored of a cell, or calculate and store it; a fault of this machine's is not stored."""
        from hyplora.train.loop import TrainingError

        key = key_of(identity)
        file = self.cells / f"{key}.json"
        with contextlib.suppress(InputError):
            result = CellResult.load(file)
            if key_of(result.identity) == key:
                self.stored += 1
                self.seconds += result.seconds
                return result
        began = time.monotonic()
        try:
            result = CellResult(key, identity, **work(), seconds=time.monotonic() - began)
        except TrainingError as error:
            reason = str(error).partition(": try ")[0]
            result = CellResult(key, identity, {}, seconds=time.monotonic() - began, error=reason)
        except Exception as error:  # hours of other cells are not to be lost to a fault in one
            name = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            return CellResult(key, identity, {}, error=f"{name}{first_line(error)}"[:300])
        write_text(file, result.to_json() + "\n")
        self.computed += 1
        self.seconds += result.seconds
        return result


def all_versions() -> dict[str, str]:
    """Return the versions of all that a training depends on."""
    from importlib.metadata import version

    return versions() | {name: version(name) for name in ("accelerate", "peft")}
