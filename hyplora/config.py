"""What a HypLoRA adapter is: LoRA's options, and those of the geometry."""

from __future__ import annotations

import math
import os
from dataclasses import MISSING, Field, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

import peft
from peft import LoraConfig
from peft.tuners.lora import LoraModel

from hyplora.gate import Form
from hyplora.peft_type import HYPLORA

__all__ = ["FORMAT", "HypLoraConfig", "HypLoraError"]

FORMAT = 1
"""Version of what a saved adapter holds; a reader refuses any that is newer than its own."""

_LORA = frozenset(
    {
        "r",
        "lora_alpha",
        "lora_dropout",
        "target_modules",
        "exclude_modules",
        "layers_to_transform",
        "layers_pattern",
        "rank_pattern",
        "alpha_pattern",
        "use_rslora",
        "init_lora_weights",
        "modules_to_save",
        "bias",
        "fan_in_fan_out",
        "layer_replication",
        "trainable_token_indices",
        "task_type",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
    }
)
"""The options of LoRA that HypLoRA has too. Everything else, known today or not, must be at its default."""

_REASONS = {
    "alora_invocation_tokens": "the activation of an adapter within a sequence is not implemented for it",
    "arrow_config": "routing mixes the products B A of several adapters, and HypLoRA has none",
    "corda_config": "a CorDA initialisation changes the base weights, which HypLoRA only calls",
    "ensure_weight_tying": "it ties adapters of embeddings, and HypLoRA adapts linear layers only",
    "eva_config": "an EVA initialisation is not implemented for it",
    "kasa_config": "KaSA changes the base weights, which HypLoRA only calls",
    "loftq_config": "a LoftQ initialisation replaces the base weights, which HypLoRA only calls",
    "lora_bias": "a bias is not part of the Lorentz linear map",
    "lora_ga_config": "a LoRA-GA initialisation changes the base weights, which HypLoRA only calls",
    "megatron_config": "the norm of a token is not known to a parallel layer that holds a part of it",
    "target_parameters": "HypLoRA needs the input of a layer, not a parameter",
    "use_bdlora": "the norm of a token is not known to a block of a block-diagonal factor",
    "use_dora": "DoRA scales the columns of a merged weight, and HypLoRA cannot be merged",
    "use_qalora": "QA-LoRA pools the input so that the adapter can be merged, and HypLoRA cannot be merged",
}

# The largest and smallest numbers of which the square and its inverse are float32 numbers as well.
_SMALLEST, _LARGEST = 1e-18, 1e18


class HypLoraError(ValueError):
    """A HypLoRA adapter that cannot be made or used so; the message says why, in one line."""


@dataclass
class HypLoraConfig(LoraConfig):  # type: ignore[misc]
    """Configuration of a HypLoRA adapter: pass it where PEFT or transformers take a ``LoraConfig``.

    ``r``, ``lora_alpha``, ``lora_dropout``, ``target_modules``, ``exclude_modules``, ``layers_to_transform``,
    ``layers_pattern``, ``rank_pattern``, ``alpha_pattern``, ``use_rslora``, ``modules_to_save``, ``bias``,
    ``layer_replication``, ``trainable_token_indices`` and ``init_lora_weights`` (True, False or ``"gaussian"``) mean
    what they mean for LoRA, and have LoRA's defaults. ``fan_in_fan_out`` says how base weights are stored and is of no
    consequence, because they are never touched. Any other option of ``LoraConfig`` must be at its default.

    Parameters
    ----------
    form : {"space", "time", "simplified"}
        The map: ``space`` is the paper's (arXiv 2410.04010); in ``time``, from the authors' first code, A (r, d + 1)
        and B (k, r + 1) act on the time coordinate too; ``simplified`` is the stereographic layer that the authors
        released. See :mod:`hyplora.gate`.
    curvature : float or "auto"
        K at the start, where the curvature of the space is -1/K; 0.5 is what the paper found best. ``"auto"`` takes
        what :func:`hyplora.suggest_curvature` suggests for the model's vocabulary when the adapter is created; this
        attribute is the number from then on, and the number is saved.
    learn_curvature : bool
        Whether K is trained, one per layer, as K₀ exp(w): positive for any w, and w = 0 at the start is a number that
        bfloat16 can move. w is saved in either case.
    norm_scale : float or "sqrt_dim", optional
        c at the start, where the map is of x/c. Hidden states have norms of about √d, where sinh explodes, so
        ``"sqrt_dim"``, the √d of each layer's input, is the default of the forms ``space`` and ``time``, as in the
        authors' code. 1 is the paper's formula, and the default of ``simplified``, whose released layer has no such
        scale.
    learn_norm_scale : bool, optional
        Whether c is trained, one per layer, as K is. By default it is where it is ``"sqrt_dim"``, as in the authors'
        code, and not where it is a number. With F_K the map of c = 1, F_K(x/c) = F_{c²K}(x)/c: learning c and K both is
        learning a curvature c²K and a factor 1/c of the output, the latter of which B can take over where the map is
        nearly linear.
    hyplora_format : int
        Version of the saved format; leave it alone.

    Raises
    ------
    HypLoraError
        A ``ValueError``: for values out of range, options of LoRA that do not combine with HypLoRA, and checkpoints of
        a newer version.

    Notes ----- At the start the output is exactly the base model's, because B is zero. In the form ``time`` its time
    column must be zero as well: the hidden time coordinate √(‖u‖² + K) is at least √K, so a column that is not zero
    would add a constant vector to every token. A's time column, which multiplies √K cosh(‖x‖/(c√K)), is drawn like the
    others: the time coordinate is one more input, of about the size of all space coordinates together, and behind B = 0
    nothing of it shows.
    """

    form: str = field(default="space", metadata={"help": "The map: 'space', 'time' or 'simplified'."})
    curvature: float | str = field(default=0.5, metadata={"help": "K at the start (curvature -1/K), or 'auto'."})
    learn_curvature: bool = field(default=True, metadata={"help": "Whether K is trained, one per layer."})
    norm_scale: float | str | None = field(
        default=None, metadata={"help": "c at the start, where the map is of x/c: a number or 'sqrt_dim'."}
    )
    learn_norm_scale: bool | None = field(default=None, metadata={"help": "Whether c is trained, one per layer."})
    hyplora_format: int = field(default=FORMAT, metadata={"help": "Version of the saved format; leave it alone."})

    def __post_init__(self) -> None:
        self._refuse_newer()
        self.form = _one_of("form", self.form, get_args(Form))
        if self.norm_scale is None:
            self.norm_scale = 1.0 if self.form == "simplified" else "sqrt_dim"
        if self.learn_norm_scale is None:
            self.learn_norm_scale = self.norm_scale == "sqrt_dim"
        self.validate()
        super().__post_init__()
        self.peft_type = HYPLORA  # after LoraConfig has set its own

    def validate(self) -> None:
        """Raise :class:`HypLoraError` for what cannot be built; called again when an adapter is made."""
        self._refuse_newer()
        _refuse_unknown(self)
        _one_of("form", self.form, get_args(Form))
        self.curvature = _positive("curvature", self.curvature, "auto")
        self.norm_scale = _positive("norm_scale", self.norm_scale, "sqrt_dim")
        for name in ("learn_curvature", "learn_norm_scale"):
            if not isinstance(getattr(self, name), bool):
                raise HypLoraError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if not (
            self.init_lora_weights is True or self.init_lora_weights is False or self.init_lora_weights == "gaussian"
        ):
            raise HypLoraError(
                f"init_lora_weights={self.init_lora_weights!r} does not work with HypLoRA, which never touches the "
                "base weights and has no product B A to choose; take True, False or 'gaussian'"
            )
        if self.bias != "none" and not hasattr(LoraModel, "_get_adapter_state_dict"):
            raise HypLoraError(
                f"bias={self.bias!r} does not work with HypLoRA on PEFT {peft.__version__}, which would train the "
                "biases and not save them; upgrade to PEFT 0.21"
            )
        ranks = {"r": self.r} | {f"rank_pattern[{name!r}]": r for name, r in (self.rank_pattern or {}).items()}
        for name, r in ranks.items():
            if not isinstance(r, Integral) or isinstance(r, bool) or r <= 0:
                raise HypLoraError(f"{name} must be a whole number and at least 1, not {r!r}")

    def save_pretrained(self, save_directory: str, **kwargs: Any) -> None:
        """Save as PEFT does; a model card that PEFT wrote beside it is told how to load the adapter."""
        super().save_pretrained(save_directory, **kwargs)
        _complete_card(Path(save_directory))

    def _refuse_newer(self) -> None:
        if self.hyplora_format not in range(1, FORMAT + 1):
            raise HypLoraError(
                f"this adapter has hyplora_format {self.hyplora_format!r}, and this version of hyplora reads up to "
                f"{FORMAT}; upgrade hyplora"
            )


def _refuse_unknown(config: HypLoraConfig) -> None:
    for option in fields(LoraConfig):
        value = getattr(config, option.name)
        if option.name not in _LORA and value != _default(option):
            reason = _REASONS.get(option.name, "it is an option of LoRA that HypLoRA does not know")
            raise HypLoraError(f"{option.name} does not work with HypLoRA: {reason}; leave it at its default")
    if getattr(config, "_custom_modules", None):
        raise HypLoraError("custom LoRA modules do not work with HypLoRA: they would compute LoRA")


def _default(option: Field[Any]) -> Any:
    return option.default if option.default_factory is MISSING else option.default_factory()


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if not (isinstance(value, str) and value in choices):
        raise HypLoraError(f"unknown {name} {value!r}; choose one of: {', '.join(choices)}")
    return value


def _positive(name: str, value: Any, word: str) -> float | str:
    if isinstance(value, str) and value == word:
        return word
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise HypLoraError(f"{name} must be a positive, finite number or {word!r}, not {value!r}")
    if not _SMALLEST <= float(value) <= _LARGEST:
        raise HypLoraError(
            f"{name} must be from {_SMALLEST:g} to {_LARGEST:g}, which float32 can calculate with, not {value!r}"
        )
    return float(value)


_CARD = """
## How to load this adapter

This is a HypLoRA adapter. `import hyplora` (it is part of the package `embgeom`: `pip install embgeom[train]`) before
PEFT or transformers load it; without that import they stop with `KeyError: 'HYPLORA'`. It depends on the norm of its
input, so it cannot be merged into the base model.
"""


def _complete_card(folder: Path) -> None:
    card = folder / "README.md"
    # PEFT writes the card into the folder of the model; other adapters than "default" lie in folders of their own
    # below.
    for place in (card, folder.parent / "README.md"):
        if place.is_file() and "library_name: peft" in (text := place.read_text(encoding="utf-8")):
            if _CARD.strip().splitlines()[0] not in text:
                written = place.with_name(f".README.md.{os.getpid()}")
                written.write_text(text.rstrip("\n") + "\n" + _CARD, encoding="utf-8")
                written.replace(place)
            return
