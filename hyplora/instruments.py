"""The geometry at work: what HypLoRA multiplies LoRA's output by, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from hyplora.config import HypLoraError
from hyplora.layer import HypLoraLinear

__all__ = ["gains"]


def gains(model: nn.Module, batch: Mapping[str, Any] | Tensor, *, adapter: str | None = None) -> dict[str, Tensor]:
    """Return the gate g of every token in every layer with a HypLoRA adapter: Δ = scaling · g(x) · B A x.

    The model runs once, in evaluation mode and without gradients, on the inputs that it has with its adapters on; it is
    left as it was. In the form ``space``, with b = ‖B A x‖ / ‖x‖, θ = ‖x‖ / (c√K) and c the norm scale,

        g = arsinh(b sinh θ) / (c b θ),

    1/c near the origin and 1/(c b) far away: it grows with ‖x‖ where B A shrinks x, and falls where B A stretches it. A
    flat line at 1/c in a plot of g against the token's norm, or its frequency, is LoRA.

    Parameters
    ----------
    model : nn.Module
        From ``get_peft_model``, or with adapters from transformers' ``add_adapter``.
    batch : mapping or Tensor
        Inputs of the model by name, as a tokenizer returns them, or ``input_ids`` (batch, length). Moved to the model's
        device.
    adapter : str, optional
        By default the active one.

    Returns
    -------
    dict of Tensor
        By layer, in the order of ``model.named_modules()``: (batch, length), float32, on the CPU; what the layer's
        input has for leading dimensions. NaN where ``attention_mask`` is 0; in encoder-decoder models that is the
        encoder's, and the decoder's layers are not masked. A layer that runs several times has the first dimension for
        the runs. Layers that did not run are left out.

    Raises
    ------
    HypLoraError
        If the model has no such adapter, none or several are active and none was named, or adapters are disabled; if
        the batch is neither a mapping nor ``input_ids`` (batch, length).
    """
    layers = {name: module for name, module in model.named_modules() if isinstance(module, HypLoraLinear)}
    chosen = _choose(layers, adapter)
    inputs = _inputs(batch)
    device = next(iter(layers.values())).weight.device
    inputs = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in inputs.items()}
    found: dict[str, list[Tensor]] = {name: [] for name in layers}

    def watch(name: str) -> Any:
        def hook(layer: HypLoraLinear, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            x = args[0] if args else kwargs["x"]
            found[name].append(layer.gain(x, chosen).cpu())

        return hook

    modes = [(module, module.training) for module in model.modules()]
    with ExitStack() as stack:
        for name, layer in layers.items():
            if chosen in layer.lora_A:
                handle = layer.register_forward_pre_hook(watch(name), with_kwargs=True)
                stack.callback(handle.remove)
        stack.callback(_restore, modes)
        model.eval()
        stack.enter_context(torch.no_grad())
        model(**inputs)
    mask = inputs.get("attention_mask")
    masked = _encoder_layers(model, layers)
    return {
        name: _mask(values[0] if len(values) == 1 else torch.stack(values), mask if name in masked else None)
        for name, values in found.items()
        if values
    }


def _choose(layers: Mapping[str, HypLoraLinear], adapter: str | None) -> str:
    if not layers:
        raise HypLoraError("the model has no HypLoRA adapters")
    names = sorted({name for layer in layers.values() for name in layer.lora_A})
    if adapter is None:
        active = sorted({name for layer in layers.values() for name in layer.active_adapters if name in layer.lora_A})
        if len(active) != 1:
            raise HypLoraError(f"{len(active)} adapters are active; name one of: {', '.join(names)}")
        adapter = active[0]
    if adapter not in names:
        raise HypLoraError(f"the model has no HypLoRA adapter {adapter!r}; choose one of: {', '.join(names)}")
    if any(layer.disable_adapters for layer in layers.values()):
        raise HypLoraError("the model's adapters are disabled, and no token goes through them; enable them first")
    return adapter


def _inputs(batch: Any) -> dict[str, Any]:
    inputs = dict(batch) if isinstance(batch, Mapping) else {"input_ids": batch}
    ids = inputs.get("input_ids")
    if ids is not None and not (isinstance(ids, Tensor) and ids.ndim == 2):
        what = f"a tensor {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"a {type(ids).__name__}"
        raise HypLoraError(f"gains takes input_ids as a tensor (batch, length), not {what}")
    if isinstance(ids, Tensor) and ids.is_floating_point():
        raise HypLoraError(f"gains takes input_ids as whole numbers, not {ids.dtype}")
    if not inputs:
        raise HypLoraError("gains takes the inputs of a model by name, or input_ids; the batch is empty")
    return inputs


def _restore(modes: list[tuple[nn.Module, bool]]) -> None:
    for module, training in modes:
        module.training = training


def _encoder_layers(model: nn.Module, layers: Mapping[str, HypLoraLinear]) -> set[str]:
    """Return the names of the layers whose tokens ``attention_mask`` is about."""
    if not getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        return set(layers)
    inside = set(model.get_encoder().modules())  # type: ignore[operator]
    return {name for name, layer in layers.items() if layer in inside}


def _mask(values: Tensor, mask: Any) -> Tensor:
    if not isinstance(mask, Tensor) or mask.ndim != 2 or values.shape[-2:] != mask.shape:
        return values
    return values.masked_fill(mask.cpu() == 0, torch.nan)
