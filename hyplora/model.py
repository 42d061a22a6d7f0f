"""The method HYPLORA of PEFT: what puts HypLoRA layers into a model. Importing this module registers it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from peft.tuners.lora import LoraModel
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils import register_peft_method
from peft.utils.peft_types import PeftType
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from hyplora.config import HypLoraConfig, HypLoraError
from hyplora.layer import NO_MERGE, HypLoraLinear, is_linear

__all__ = ["HypLoraModel"]


class HypLoraModel(LoraModel):  # type: ignore[misc]
    """A model with HypLoRA adapters, as ``get_peft_model`` and transformers' ``add_adapter`` make it.

    What cannot be built is refused before anything of the model is changed; should PEFT stop on the way, the model is
    put back as it was.

    A model with HypLoRA adapters takes none of PEFT's other methods that change layers (LoRA, LoHa, IA³, …), whichever
    layers they are for: ``merge_and_unload`` of the outer method would stop at HypLoRA, some of its own merged already.
    """

    tuner_layer_cls = HypLoraLinear

    def inject_adapter(
        self,
        model: nn.Module,
        adapter_name: str,
        autocast_adapter_dtype: bool = True,
        low_cpu_mem_usage: bool = False,
        state_dict: dict[str, Tensor] | None = None,
    ) -> None:
        """Add an adapter to the layers that its configuration names, or that ``state_dict`` has entries for."""
        config = self.peft_config[adapter_name]
        if any(adapter_name in module.lora_A for module in model.modules() if isinstance(module, HypLoraLinear)):
            raise HypLoraError(f"the model has a HypLoRA adapter called {adapter_name!r} already; choose another name")
        try:
            self._check(model, config, by_name=state_dict is None)
            if config.curvature == "auto":
                from hyplora.curvature import suggest_curvature

                # A copy, so that the caller's can be used for another model, which has a curvature of its own.
                self.peft_config[adapter_name] = config = copy.copy(config)
                config.curvature = suggest_curvature(model).curvature
        except BaseException:
            self.peft_config.pop(adapter_name)  # PEFT has listed it, in the model's own list where there is one
            raise
        put_back = _remember(model)
        try:
            super().inject_adapter(
                model,
                adapter_name,
                autocast_adapter_dtype=autocast_adapter_dtype,
                low_cpu_mem_usage=low_cpu_mem_usage,
                state_dict=state_dict,
            )
        except BaseException:
            put_back(adapter_name)
            self.peft_config.pop(adapter_name, None)
            raise

    def _check(self, model: nn.Module, config: HypLoraConfig, *, by_name: bool) -> None:
        config.validate()
        for name, module in model.named_modules():
            if isinstance(module, BaseTunerLayer) and not isinstance(module, HypLoraLinear):
                kind = f"{type(module).__module__}.{type(module).__qualname__}"
                raise HypLoraError(
                    f"the model has adapters of another kind already, {kind} in {name}; "
                    "HypLoRA does not combine with them"
                )
        if not by_name:
            return
        config = self._prepare_adapter_config(config, self.get_model_config(model))
        if isinstance(config.target_modules, list | tuple | set | frozenset):
            names = [name for name, _ in _outer_modules(model)]
            unknown = sorted(
                target
                for target in config.target_modules
                if not any(name == target or name.endswith(f".{target}") for name in names)
            )
            if unknown:
                raise HypLoraError(
                    f"target_modules name what the model does not have: {', '.join(unknown)}; {_linear_layers(model)}"
                )
        matched = False
        for name, module in _outer_modules(model):
            if _is_all_linear(config) or not self._check_target_module_exists(config, name):
                continue
            matched = True
            base = module.get_base_layer() if isinstance(module, BaseTunerLayer) else module
            if not is_linear(base):
                raise HypLoraError(
                    f"the target module {name} is of type {type(base).__name__} and not a linear layer that is called; "
                    f"{_linear_layers(model)}"
                )
            if getattr(base, "_hf_tp_plan", None) is not None:
                raise _tensor_parallel()
            # PEFT's list of layers whose weight is used without a call, in Mamba and its kin, is kept for LORA.
            as_lora = copy.copy(config)
            as_lora.peft_type = PeftType.LORA
            self._check_target_module_compatiblity(as_lora, model, name.rpartition(".")[2])
        if isinstance(config.target_modules, str) and not matched and not _is_all_linear(config):
            raise HypLoraError(
                f"the pattern target_modules={config.target_modules!r} matches no layer's whole name; "
                f"{_linear_layers(model)}"
            )
        if not matched and not _is_all_linear(config):
            chosen = {"target_modules": sorted(config.target_modules)} | {
                option: getattr(config, option)
                for option in ("exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save")
                if getattr(config, option) is not None
            }
            raise HypLoraError(
                f"{', '.join(f'{option}={value!r}' for option, value in chosen.items())} leave no layer to adapt; "
                f"{_linear_layers(model)}"
            )
        if (getattr(model, "_tp_size", None) or 1) > 1:
            raise _tensor_parallel()

    @staticmethod
    def _create_new_module(
        lora_config: HypLoraConfig, adapter_name: str, target: nn.Module, **kwargs: Any
    ) -> nn.Module:
        return HypLoraLinear(target, adapter_name, lora_config, r=kwargs["r"], lora_alpha=kwargs["lora_alpha"])

    def _check_merge_allowed(self) -> NoReturn:
        raise HypLoraError(NO_MERGE)

    def add_weighted_adapter(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise :class:`HypLoraError`: a sum of HypLoRA adapters is not one."""
        raise HypLoraError(
            "HypLoRA adapters cannot be added up to one, because what they add is not linear; make several active "
            "instead, with base_model.set_adapter([...])"
        )

    def subtract_mutated_init(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise :class:`HypLoraError`: only initialisations that change the base weights need it."""
        raise _no_conversion()

    @classmethod
    def _convert_state_dict_for_initial_model(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise _no_conversion()


def _remember(model: nn.Module) -> Callable[[str], None]:
    """Return what takes an adapter out of a model again, however much of it is there by then."""
    children = [(module, dict(module._modules)) for module in model.modules()]
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    active = [(module, module._active_adapter) for module in model.modules() if isinstance(module, BaseTunerLayer)]
    # which layer_replication changes
    config = getattr(model, "config", None)
    depth = getattr(config, "num_hidden_layers", None)

    def put_back(adapter_name: str) -> None:
        for module, had in children:
            module._modules.clear()
            module._modules.update(had)
            if isinstance(module, HypLoraLinear):
                for name in module.other_param_names:
                    if adapter_name in (by_adapter := getattr(module, name)):
                        del by_adapter[adapter_name]
        for parameter, requires_grad in trained:
            parameter.requires_grad_(requires_grad)
        for layer, names in active:
            layer._active_adapter = names
        if depth is not None:
            config.num_hidden_layers = depth  # type: ignore[union-attr]

    return put_back


def _outer_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules with their names, leaving out what is inside layers with adapters."""
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if name and not name.startswith(inside or ("\0",)):
            yield name, module
            if isinstance(module, BaseTunerLayer):
                inside = (*inside, f"{name}.")


def _linear_layers(model: nn.Module) -> str:
    """Say which linear layers a model has, each by the last part of its name that is not a number."""
    found: dict[str, None] = {}
    for name, module in _outer_modules(model):
        if is_linear(module.get_base_layer() if isinstance(module, BaseTunerLayer) else module):
            parts = name.split(".")
            while len(parts) > 1 and parts[-1].isdigit():
                parts.pop()
            found[parts[-1]] = None
    return f"its linear layers are called: {', '.join(found)}" if found else "it has no linear layers"


def _is_all_linear(config: HypLoraConfig) -> bool:
    return isinstance(config.target_modules, str) and config.target_modules.lower() == "all-linear"


def _tensor_parallel() -> HypLoraError:
    return HypLoraError(
        "HypLoRA does not work with tensor parallelism: the norm of a token is not known to a layer that holds a part "
        "of it; load the model without tp_plan and shard it with FSDP"
    )


def _no_conversion() -> HypLoraError:
    return HypLoraError(
        "path_initial_model_for_weight_conversion does not work with HypLoRA: there is no LoRA to convert it to"
    )


def _refuse_another_method(module: nn.Module, name: str, submodule: nn.Module | None) -> None:
    if not isinstance(module, BaseTuner) or isinstance(module, HypLoraModel) or submodule is None:
        return
    if any(isinstance(layer, HypLoraLinear) for layer in submodule.modules()):
        method = type(module).__name__.removesuffix("Model")
        raise HypLoraError(
            f"the model has HypLoRA adapters and takes none of another PEFT method that changes layers, here {method}; "
            "take them off first"
        )


# The other methods ask a model nothing. That one of them takes it for its own, before it changes anything, PyTorch can
# tell, and nothing else.
register_module_module_registration_hook(_refuse_another_method)
register_peft_method(name="hyplora", config_cls=HypLoraConfig, model_cls=HypLoraModel, prefix="lora_")
