"""What a comparison is asked for: checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from embgeom.errors import OptionError, choose
from hyplora.train.options import METHODS, TrainOptions
from hyplora.train.records import ARITHMETIC

__all__ = ["MOST_SEEDS", "TUNING_SEED", "CompareOptions", "Contender"]

TUNING_SEED = 0
"""The seed that settings are tuned with; those that are compared begin after it."""

MOST_SEEDS = 20
"""All of 2ⁿ patterns of signs are counted."""

_NAMES = {
    "hyplora": "HypLoRA",
    "hyplora-time": "HypLoRA (time)",
    "hyplora-simplified": "HypLoRA (simplified)",
    "lora": "LoRA",
    "dora": "DoRA",
    "rslora": "rsLoRA",
}


@dataclass(frozen=True)
class Contender:
    """A method, with the K that it starts from if it has one."""

    method: str
    curvature: float | str | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        if self.curvature is None:
            return _NAMES[self.method]
        equal = " = " if isinstance(self.curvature, float) else " "
        return f"{_NAMES[self.method]}, K{equal}{_number(self.curvature)}"


@dataclass(frozen=True)
class CompareOptions:
    """What to compare, on what, and how long.

    Attributes
    ----------
    model, data, data_root, rank, targets, cutoff, steps, batch
        As in :class:`hyplora.train.TrainOptions`; ``data`` is ``arithmetic``, the built-in problems, or texts as
        :func:`embgeom.load_texts` takes them.
    held_out : str, optional
        Texts to tune and to compare on; by default a fifth of ``data``.
    methods : tuple of str
        The first is what the others are compared with.
    curvatures : tuple of float or "auto"
        K at the start; with each of them, every form of HypLoRA among the methods is a contender.
    seeds : int
        How many; they are 1, 2, …
    learning_rates : tuple of float
    alphas : tuple of float, optional
        By default 2r, and √d times that, d being the width of the model.
    """

    model: str = "demo"
    data: str = ARITHMETIC
    held_out: str | None = None
    data_root: str | None = None
    methods: tuple[str, ...] = ("lora", "hyplora")
    curvatures: tuple[float | str, ...] = (0.5, 1.0, "auto")
    seeds: int = 5
    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    alphas: tuple[float, ...] | None = None
    steps: int = 300
    batch: int = 16
    rank: int = 8
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
    cutoff: int = 256

    def __post_init__(self) -> None:
        """Turn texts into numbers, drop what is there twice, and refuse what is out of range.

        Raises
        ------
        OptionError
        """
        for name in ("methods", "curvatures", "learning_rates", "targets"):
            if not getattr(self, name):
                raise OptionError(f"{name.replace('_', ' ')}: name at least one")
        for method in self.methods:
            choose("method", method, METHODS)
        if isinstance(self.seeds, bool) or not isinstance(self.seeds, int) or not 2 <= self.seeds <= MOST_SEEDS:
            raise OptionError(f"seeds is to be a whole number from 2 to {MOST_SEEDS}, not {self.seeds!r}")
        if self.data == ARITHMETIC and self.held_out is not None:
            raise OptionError("held-out is for texts; arithmetic has problems of its own that are held out")
        hyperbolic = next((m for m in self.methods if m.startswith("hyplora")), None)
        first = self.methods[0]
        curvatures = [
            self._checked(hyperbolic or "hyplora", curvature=value).adapter.curvature for value in self.curvatures
        ]
        rates = [self._checked(first, learning_rate=value).run.learning_rate for value in self.learning_rates]
        alphas = None
        if self.alphas is not None:
            if not self.alphas:
                raise OptionError("alphas: name at least one, or leave them out")
            alphas = _once(self._checked(first, alpha=value).adapter.alpha for value in self.alphas)
        checked = self._checked(first)
        for name, value in {
            "methods": _once(self.methods),
            "curvatures": _once(curvatures),
            "learning_rates": _once(rates),
            "alphas": alphas,
            "steps": checked.run.steps,
            "batch": checked.run.batch,
            "rank": checked.adapter.rank,
            "targets": checked.adapter.targets,
            "cutoff": checked.data.cutoff,
        }.items():
            object.__setattr__(self, name, value)
        if len(self.contenders) < 2:
            raise OptionError(f"a comparison takes two contenders, and there is only {self.contenders[0].name}")

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Every method, those with a K once for each."""
        return tuple(
            contender
            for method in self.methods
            for contender in (
                [Contender(method, K) for K in self.curvatures] if method.startswith("hyplora") else [Contender(method)]
            )
        )

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds that are compared."""
        return tuple(range(TUNING_SEED + 1, TUNING_SEED + 1 + self.seeds))

    def training(self, contender: Contender, *, learning_rate: float, alpha: float, seed: int) -> TrainOptions:
        """Return the options of one training."""
        return self._checked(
            contender.method, curvature=contender.curvature, learning_rate=learning_rate, alpha=alpha, seed=seed
        )

    def with_alphas(self, width: int) -> CompareOptions:
        """Return the options with the alphas that are the default for a model of this width, if none are named."""
        if self.alphas is not None:
            return self
        usual = 2 * self.rank
        return replace(self, alphas=(float(usual), float(round(usual * width**0.5))))

    def _checked(self, method: str, **given: Any) -> TrainOptions:
        # without dropout, which would be noise between the members of a pair, and without validation of its own
        return TrainOptions.of(
            {
                "model": self.model,
                "data": self.data,
                "data_root": self.data_root,
                "cutoff": self.cutoff,
                "validation": 0,
                "method": method,
                "rank": self.rank,
                "dropout": 0.0,
                "targets": self.targets,
                "steps": self.steps,
                "batch": self.batch,
                "micro_batch": self.batch,
                "warmup_steps": _tenth(self.steps),
                "log_every": self.steps,
                **given,
            }
        )


def _tenth(steps: Any) -> int:
    return steps // 10 if isinstance(steps, int) else 0


def _once(values: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _number(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else value
