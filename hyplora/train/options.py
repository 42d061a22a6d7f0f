"""Everything that a training can be told: one dataclass per concern, the only home of defaults, help and checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, get_type_hints

from embgeom.errors import OptionError, choose

__all__ = ["METHODS", "AdapterOptions", "DataOptions", "ModelOptions", "RunOptions", "TrainOptions"]

METHODS = ("hyplora", "hyplora-time", "hyplora-simplified", "lora", "dora", "rslora")


def _option(default: Any, help: str, **checks: Any) -> Any:
    """Return a field; ``checks``: ``choices``; ``least``, ``above`` and ``below`` of a number; ``also``.

    ``also`` is the one word that a number may be instead.
    """
    metadata = {"help": help, **checks}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


class _Checked:
    """Converts what a YAML file or a command line has for a value, and refuses what is out of range."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for option in fields(self):  # type: ignore[arg-type]
            value = _convert(option, hints[option.name], getattr(self, option.name))
            object.__setattr__(self, option.name, value)


@dataclass(frozen=True)
class ModelOptions(_Checked):
    """The base model, and the numbers that it calculates with."""

    model: str = _option("demo", "Hub id, local folder, or `demo`.")
    revision: str | None = _option(None, "Branch, tag or commit of a Hub id.")
    precision: str = _option(
        "auto",
        "`bf16`, `fp16` (mixed, GPU only) or `fp32`; `auto`: bf16 on a GPU that has it, else fp32.",
        choices=("auto", "bf16", "fp16", "fp32"),
    )
    quantize: str | None = _option(
        None, "Load the base in `4bit` (NF4) or `8bit`; needs bitsandbytes.", choices=("4bit", "8bit")
    )
    gradient_checkpointing: bool = _option(False, "Less memory, more time: activations are computed twice.")
    compile: bool = _option(
        False, "Compile the model with torch.compile: for a GPU; on a CPU the first step takes minutes."
    )


@dataclass(frozen=True)
class DataOptions(_Checked):
    """What is learned."""

    data: str = _option(
        "arithmetic",
        "Records: a file (.json, .jsonl, .csv, .tsv, .parquet), `math10k`, `commonsense170k`, a Hub id, or the "
        "built-in `arithmetic`. Fields: instruction, input, output; or prompt, completion; or messages.",
    )
    data_root: str | None = _option(None, "Folder with NAME/train.json, tried before the Hub; or set EMBGEOM_DATA.")
    template: str = _option(
        "auto",
        "Of prompts: `auto`, the model's chat template, else `plain` (Question: … Answer:); or `alpaca`.",
        choices=("auto", "plain", "alpaca"),
    )
    cutoff: int = _option(256, "Tokens of a record that are kept.", least=2)
    loss_on: str = _option(
        "completion", "Learn to write the `completion` only, or `everything`.", choices=("completion", "everything")
    )
    validation: int = _option(120, "Records, drawn at random, that are kept for the validation loss; 0: none.", least=0)
    skip_bad: bool = _option(False, "Count records that cannot be used, and go on without them.")
    check_against: tuple[str, ...] = _option(
        ("auto",),
        "Test sets that are searched for the training questions: tasks of hyplora.evaluate, files, `none`; or `auto`, "
        "the tasks that are below --data-root or beside the data, without a download.",
    )
    exclude_contaminated: bool = _option(False, "Leave out records whose questions are in those test sets.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.check_against:
            raise OptionError("check_against is to name test sets, or auto, or none")


@dataclass(frozen=True)
class AdapterOptions(_Checked):
    """What is trained."""

    method: str = _option("hyplora", f"One of: {', '.join(METHODS)}.", choices=METHODS)
    curvature: float | str | None = _option(
        None,
        "K of HypLoRA at the start (the curvature is -1/K; it is learned), or `auto`: from the δ of the model's "
        "embeddings on the training prompts. [default: 0.5]",
        above=0.0,
        also="auto",
    )
    rank: int = _option(32, "Rank r of the adapter.", least=1)
    alpha: float = _option(64.0, "The adapter's output is scaled by alpha/r (alpha/√r: rslora).", above=0.0)
    dropout: float = _option(0.05, "Dropout of the adapter's input.", least=0.0, below=1.0)
    targets: tuple[str, ...] = _option(
        ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj"), "Names of linear layers, or `all-linear`."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.curvature is not None and not self.is_hyperbolic:
            raise OptionError(f"curvature has no meaning for method {self.method!r}; leave it out")
        if not self.targets:
            raise OptionError("targets is to name at least one linear layer, or all-linear")
        if int(self.alpha) != self.alpha:
            raise OptionError(f"alpha is to be a whole number, which is what PEFT takes, not {self.alpha}")

    @property
    def is_hyperbolic(self) -> bool:
        """Whether the method is HypLoRA in one of its forms."""
        return self.method.startswith("hyplora")


@dataclass(frozen=True)
class RunOptions(_Checked):
    """How long, how fast, and where to."""

    output: str = _option("out/hyplora", "Folder for the adapter, its checkpoints and what it was made with.")
    seed: int = _option(0, "Of everything that is drawn at random.", least=0, below=2**32)
    epochs: float = _option(3.0, "Passes over the data.", above=0.0)
    steps: int | None = _option(None, "Optimizer steps, instead of epochs.", least=1)
    learning_rate: float = _option(3e-4, "Of AdamW, after the warm-up; it falls to 0 on a straight line.", above=0.0)
    warmup_steps: int = _option(100, "Steps in which the learning rate rises from 0.", least=0)
    weight_decay: float = _option(0.0, "Of AdamW.", least=0.0)
    batch: int = _option(16, "Records per optimizer step, on all devices together.", least=1)
    micro_batch: int = _option(4, "Records per device at a time; gradients are accumulated up to --batch.", least=1)
    save_every: int = _option(200, "Steps between checkpoints, each with the validation loss.", least=1)
    log_every: int = _option(10, "Steps between log entries.", least=1)
    report_to: tuple[str, ...] = _option((), "`tensorboard`, `wandb` or other trackers that transformers knows.")


@dataclass(frozen=True)
class TrainOptions:
    """All of it. On file and on the command line there is one name for each option, whatever its concern."""

    model: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    adapter: AdapterOptions = field(default_factory=AdapterOptions)
    run: RunOptions = field(default_factory=RunOptions)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TrainOptions:
        """Return the options with these values by name, and the defaults for the rest.

        Raises
        ------
        OptionError
            A name that does not exist, or a value that is out of range.
        """
        unknown = [str(name) for name in values if name not in option_fields()]
        if unknown:
            raise OptionError(f"unknown option {unknown[0]!r}; the options are: {', '.join(option_fields())}")
        concerns = get_type_hints(cls)
        parts = {
            concern: kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})
            for concern, kind in concerns.items()
        }
        return cls(**parts)

    def by_concern(self) -> dict[str, dict[str, Any]]:
        """Return the values by concern and name, as a file may hold them."""
        return {
            concern: {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
            for concern, options in asdict(self).items()
        }

    def values(self) -> dict[str, Any]:
        """Return the values by name: ``TrainOptions.of(options.values()) == options``."""
        return {name: value for options in self.by_concern().values() for name, value in options.items()}


def option_fields() -> dict[str, tuple[str, Field[Any]]]:
    """Return concern and field of every option, by name."""
    concerns = get_type_hints(TrainOptions)
    return {option.name: (concern, option) for concern, kind in concerns.items() for option in fields(kind)}


def default_of(option: Field[Any]) -> Any:
    """Return the default of an option."""
    return option.default if option.default_factory is MISSING else option.default_factory()


def _convert(option: Field[Any], hint: Any, value: Any) -> Any:
    name, checks = option.name, option.metadata
    if value is None and default_of(option) is None:
        return None
    if hint is bool:
        if not isinstance(value, bool):
            raise OptionError(f"{name} is to be true or false, not {value!r}")
        return value
    if hint == tuple[str, ...]:
        several = (value,) if isinstance(value, str) else value
        if not isinstance(several, list | tuple) or not all(isinstance(word, str) and word for word in several):
            raise OptionError(f"{name} is to be a list of names, not {value!r}")
        return tuple(several)
    if value == checks.get("also", math.nan):
        return value
    whole, number = hint in (int, int | None), hint in (float, float | str | None)
    if not whole and not number:
        if not isinstance(value, str) or not value:
            raise OptionError(f"{name} is to be a text, not {value!r}")
        return choose(name, value, checks["choices"]) if "choices" in checks else value
    return _number(name, value, checks, whole=whole)


def _number(name: str, value: Any, checks: Mapping[str, Any], *, whole: bool) -> float:
    kind = "a whole number" if whole else "a number"
    bounds = [f"{word} {checks[key]:.10g}" for key, word in _BOUNDS.items() if key in checks]
    also = f", or {checks['also']!r}" if "also" in checks else ""
    try:  # YAML takes 3e-4 for a text
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        found = math.nan
    if (
        not math.isfinite(found)
        or (whole and found != int(found))
        or found < checks.get("least", -math.inf)
        or found <= checks.get("above", -math.inf)
        or found >= checks.get("below", math.inf)
    ):
        raise OptionError(f"{name} is to be {kind} {' and '.join(bounds)}{also}, not {value!r}".replace(" ,", ","))
    return int(found) if whole else found


_BOUNDS = {"least": "of at least", "above": "above", "below": "below"}
