"""A linear layer with HypLoRA adapters."""

from __future__ import annotations

import math
import warnings
from typing import Any, NoReturn

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import _get_in_out_features
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from hyplora.config import HypLoraConfig, HypLoraError
from hyplora.gate import Learned, gate, hyperbolic_delta

__all__ = ["NO_MERGE", "Factor", "HypLoraLinear", "Positive", "is_linear"]

NO_MERGE = (
    "HypLoRA cannot be merged into the base weights: what it adds is not linear in its input; "
    "keep the adapter beside the model, or take it off with unload()"
)


def _read(module: Factor | Positive) -> Tensor:
    # FSDP takes the weight apart again when the call ends; what has been read must not go with it. The attributes are
    # those of modules that FSDP2 and FSDP1 manage; FSDP2 gives a module a class of its own.
    sharded = hasattr(type(module), "unshard") or module._is_fsdp_managed_module
    return module.weight.clone() if sharded else module.weight


class Factor(nn.Linear):  # type: ignore[misc]
    """A low-rank factor. Calling it returns its weight, so that wrappers of modules learn that the weight is in use."""

    _is_fsdp_managed_module = False

    def forward(self) -> Tensor:  # type: ignore[override]
        """Return the weight (out, in)."""
        return _read(self)


class Positive(nn.Module):  # type: ignore[misc]
    """The number start · exp(weight), weight (1,) being 0 at the start.

    One element and not none, because FSDP takes no parameters of shape (); called ``weight``, because the policy by
    which PEFT wraps for FSDP looks for modules that have one.
    """

    _is_fsdp_managed_module = False

    def __init__(self, start: float, *, learn: bool) -> None:
        super().__init__()
        self.start = start
        weight = torch.zeros(1)
        if learn:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight)

    def forward(self, *, for_map: bool = False) -> Tensor | Learned:
        """Return it, float32 (1,); with ``for_map``, what the map makes it of."""
        if for_map:
            return Learned(_read(self), self.start)
        return self.start * self.weight.to(torch.promote_types(self.weight.dtype, torch.float32)).exp()

    def extra_repr(self) -> str:
        """Return what it starts from, for ``print(model)``."""
        return f"start={self.start:g}, learn={isinstance(self.weight, nn.Parameter)}"


class HypLoraLinear(nn.Module, LoraLayer):  # type: ignore[misc]
    """A linear layer and its adapters; the layer itself is only called, so it may be quantised in any way.

    Parameters
    ----------
    base_layer : nn.Module
    adapter_name : str
    config : HypLoraConfig
    r, lora_alpha : int
        Those of this layer, after ``rank_pattern`` and ``alpha_pattern``.

    Attributes
    ----------
    lora_A, lora_B : nn.ModuleDict of Factor
    lora_curvature, lora_norm_scale : nn.ModuleDict of Positive
        K and c, by adapter.
    """

    adapter_layer_names = ("lora_A", "lora_B", "lora_curvature", "lora_norm_scale")
    other_param_names = ("r", "lora_alpha", "scaling", "lora_dropout", "use_rslora", "lora_bias", "form")

    def __init__(
        self,
        base_layer: nn.Module,
        adapter_name: str,
        config: HypLoraConfig,
        r: int = 0,
        lora_alpha: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        LoraLayer.__init__(self, base_layer, **kwargs)
        self.lora_curvature = nn.ModuleDict()
        self.lora_norm_scale = nn.ModuleDict()
        self.form: dict[str, str] = {}
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, r, lora_alpha=lora_alpha, config=config)

    def update_layer(  # type: ignore[override]
        self, adapter_name: str, r: int, lora_alpha: int, config: HypLoraConfig, **kwargs: Any
    ) -> None:
        """Add an adapter."""
        if not isinstance(config, HypLoraConfig):
            raise HypLoraError(
                f"this layer has HypLoRA adapters and takes no other kind, here {type(config).__name__} for the "
                f"adapter {adapter_name!r}; one model takes one kind"
            )
        time = int(config.form == "time")
        self.r[adapter_name] = r
        self.lora_alpha[adapter_name] = lora_alpha
        self.scaling[adapter_name] = lora_alpha / (math.sqrt(r) if config.use_rslora else r)
        self.use_rslora[adapter_name] = config.use_rslora
        self.lora_bias[adapter_name] = False
        self.form[adapter_name] = config.form
        self.lora_dropout[adapter_name] = nn.Dropout(config.lora_dropout) if config.lora_dropout > 0 else nn.Identity()
        self.lora_A[adapter_name] = Factor(self.in_features + time, r, bias=False)
        self.lora_B[adapter_name] = Factor(r + time, self.out_features, bias=False)
        scale = math.sqrt(self.in_features) if config.norm_scale == "sqrt_dim" else float(config.norm_scale)  # type: ignore[arg-type]
        self.lora_curvature[adapter_name] = Positive(float(config.curvature), learn=config.learn_curvature)
        self.lora_norm_scale[adapter_name] = Positive(scale, learn=bool(config.learn_norm_scale))
        if config.init_lora_weights:
            self.reset_lora_parameters(adapter_name, config.init_lora_weights)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return base_layer(x) plus what the active adapters add, or those that ``adapter_names`` gives each row."""
        self._check_forward_args(x, *args, **kwargs)
        adapter_names = kwargs.pop("adapter_names", None)
        result: Tensor = self.base_layer(x, *args, **kwargs)
        dtype = result.dtype
        if self.disable_adapters:
            return result
        if adapter_names is not None:
            for name in sorted(set(adapter_names) & set(self.lora_A.keys())):
                rows = torch.tensor([row for row, given in enumerate(adapter_names) if given == name], device=x.device)
                result = result.index_add(0, rows, self.delta(x[rows], name).to(dtype))
            return result
        for name in self.active_adapters:
            if name in self.lora_A:
                result = self.delta(x, name, onto=result)
        return result.to(dtype)

    def delta(self, x: Tensor, adapter_name: str, *, onto: Tensor | None = None) -> Tensor:
        """Return what an adapter adds for the inputs x (..., d): (..., k); with ``onto``, the sum of that and it."""
        dropout = self.lora_dropout[adapter_name]
        if type(dropout) is not nn.Identity:
            x = dropout(x)
        # PEFT makes it a tensor where a model is to be ready for hot-swapping.
        scaling = float(self.scaling[adapter_name])
        return hyperbolic_delta(x, **self._map(adapter_name), scaling=scaling, onto=onto)

    def gain(self, x: Tensor, adapter_name: str) -> Tensor:
        """Return the gate of an adapter for the inputs x (..., d), which no dropout has touched: (...)."""
        return gate(x, **self._map(adapter_name))

    def _map(self, name: str) -> dict[str, Any]:
        return {
            "A": self.lora_A[name](),
            "B": self.lora_B[name](),
            "K": self.lora_curvature[name](for_map=True),
            "form": self.form[name],
            "norm_scale": self.lora_norm_scale[name](for_map=True),
        }

    def merge(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise :class:`HypLoraError`: there is no weight that does what the adapter does."""
        raise HypLoraError(NO_MERGE)

    unmerge = merge
    get_delta_weight = merge

    def supports_lora_conversion(self, adapter_name: str = "default") -> bool:
        """Return False: no LoRA does what the adapter does."""
        return False

    def _get_in_out_features(self, module: nn.Module) -> tuple[int, int]:
        return _widths(module)

    def __repr__(self) -> str:
        return f"hyplora.{super().__repr__()}"


def is_linear(module: nn.Module) -> bool:
    """Return whether a module maps vectors of one width to vectors of another, as linear layers do, quantised too."""
    if isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear):
        return False  # the output of nn.MultiheadAttention, which takes its weight and never calls it
    if isinstance(module, nn.Linear | Conv1D):
        return True
    widths = [(getattr(module, i, None), getattr(module, o, None)) for i, o in _WIDTHS]
    if any(isinstance(i, int) and isinstance(o, int) for i, o in widths):
        return not isinstance(module, nn.Bilinear) and not hasattr(module, "layer_norm_weight")
    return type(module).__name__ == "EetqLinear"


_WIDTHS = (("in_features", "out_features"), ("infeatures", "outfeatures"))  # the second is that of older GPTQ


def _widths(module: nn.Module) -> tuple[int, int]:
    with warnings.catch_warnings():
        # PEFT warns of layer types that it does not know; a layer that is only called need not be known.
        warnings.filterwarnings("ignore", "Unsupported layer type", UserWarning)
        return _get_in_out_features(module)  # type: ignore[no-any-return]
