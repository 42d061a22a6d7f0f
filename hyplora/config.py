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

_BIASES = ("none", "all", "lora_only")


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

    ``lora_dropout`` comes first, as in the authors' code, so the gate sees the norm of the dropped input, which is
    longer. In training the form ``space`` therefore adds more than in evaluation: on average 1.04 times as much with a
    dropout of 0.1, 1.35 times with 0.5, for c = √d, K = 0.5 and inputs of norm √d.

    Parameters
    ----------
    form : {"space", "time", "simplified"}
        The map: ``space`` is the paper's (arXiv 2410.04010); in ``time``, from the authors' first code, A (r, d + 1)
        and B (k, r + 1) act on the time coordinate too; ``simplified`` is the stereographic layer that the authors
        released. See :mod:`hyplora.gate`.
    curvature : float or "auto"
        K at the start, where the curvature of the space is -1/K; 0.5 is what the paper found best. ``"auto"`` takes
        what :func:`hyplora.suggest_curvature` suggests for the model's vocabulary when the adapter is created. The
        number is in the model's own copy, ``model.peft_config[name]``, and is saved; this object keeps the word.
    learn_curvature : bool
        Whether K is trained, one per layer, as K₀ exp(w): positive for any w, and w = 0 at the start is a number that
        bfloat16 can move; w is saved, in either case, and K₀ is in the configuration. Weights that are loaded without
        their configuration, into an adapter that starts elsewhere, are another map, of which nothing warns. w is not
        clamped: in float32 K overflows past w ≈ 88.
    norm_scale : float or "sqrt_dim", optional
        c at the start, where the map is of x/c. Hidden states have norms of about √d, where sinh explodes, so
        ``"sqrt_dim"``, the √d of each layer's input, is the default of the forms ``space`` and ``time``, as in the
        authors' code. 1 is the paper's formula, and the default of ``simplified``, whose released layer has no such
        scale. The default is filled in when the object is made, so ``dataclasses.replace(config, form=...)`` keeps that
        of the old form: give ``norm_scale=None, learn_norm_scale=None`` with it.
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

    Notes
    -----
    At the start the output is exactly the base model's, because B is zero. In the form ``time`` its time column must be
    zero as well: the hidden time coordinate √(‖u‖² + K) is at least √K, so a column that is not zero would add a
    constant vector to every token. A's time column, which multiplies √K cosh(‖x‖/(c√K)), is drawn like the others: the
    time coordinate is one more input, of about the size of all space coordinates together, and behind B = 0 nothing of
    it shows.

    With the norm scale c the gate is about 1/c near the start, so the adapter is that much weaker than LoRA of the same
    ``lora_alpha``: with c = √d raise ``lora_alpha``, or the learning rate. With c = 1 the first steps can be so large,
    where hidden states are long, that an ordinary learning rate ends above the loss that it started from.

    Another PEFT method that changes layers is refused on a model with HypLoRA adapters, before anything changes.
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
        if self.bias not in _BIASES:
            raise HypLoraError(f"unknown bias {self.bias!r}; choose one of: {', '.join(_BIASES)}")
        if self.bias != "none" and not hasattr(LoraModel, "_get_adapter_state_dict"):
            raise HypLoraError(
                f"bias={self.bias!r} does not work with HypLoRA on PEFT {peft.__version__}, which would train the "
                "biases and not save them; upgrade to PEFT 0.21"
            )
        if not _is_number(self.lora_dropout) or not 0 <= self.lora_dropout < 1:
            raise HypLoraError(f"lora_dropout must be a number from 0 to below 1, not {self.lora_dropout!r}")
        _check_names(self.target_modules)
        for name, r in _with_pattern(self, "r", "rank_pattern"):
            if not isinstance(r, Integral) or isinstance(r, bool) or r <= 0:
                raise HypLoraError(f"{name} must be a whole number and at least 1, not {r!r}")
        for name, alpha in _with_pattern(self, "lora_alpha", "alpha_pattern"):
            if not _is_number(alpha):
                raise HypLoraError(f"{name} must be a finite number, not {alpha!r}")

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


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _with_pattern(config: HypLoraConfig, one: str, pattern: str) -> list[tuple[str, Any]]:
    """Return an option and its exceptions by layer, each with what to call it."""
    by_layer = getattr(config, pattern)
    if not (by_layer is None or isinstance(by_layer, dict)):
        raise HypLoraError(f"{pattern} must be a dictionary by name of layer, not {by_layer!r}")
    return [(one, getattr(config, one)), *((f"{pattern}[{name!r}]", each) for name, each in (by_layer or {}).items())]


def _check_names(targets: Any) -> None:
    if targets is None or isinstance(targets, str):
        return
    if not isinstance(targets, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in targets):
        raise HypLoraError(f"target_modules must be a list of names of layers, or one pattern, not {targets!r}")


def _positive(name: str, value: Any, word: str) -> float | str:
    if isinstance(value, str) and value == word:
        return word
    if not _is_number(value) or value <= 0:
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
