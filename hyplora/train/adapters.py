"""A method by its name: the adapter that PEFT puts into a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embgeom.errors import OptionError
from hyplora.train.examples import Example
from hyplora.train.options import AdapterOptions

__all__ = ["add_adapter", "learned_curvatures", "starting_curvature"]

_FORMS = {"hyplora": "space", "hyplora-time": "time", "hyplora-simplified": "simplified"}
_CURVATURE = 0.5
_MEASURED_PROMPTS = 1000


def add_adapter(model: Any, options: AdapterOptions, curvature: float | None) -> Any:
    """Put an adapter into a model, and return the model that PEFT makes of it.

    Parameters
    ----------
    model : torch.nn.Module
    options : AdapterOptions
    curvature : float, optional
        K at the start; for HypLoRA only.

    Raises
    ------
    OptionError
        A target that the model does not have (the message lists those that it has), or one that cannot be adapted.
    """
    from peft import LoraConfig, get_peft_model

    import hyplora.model  # noqa: F401  (PEFT gets to know the method)
    from hyplora.config import HypLoraConfig

    _check_targets(model, options.targets)
    shared: dict[str, Any] = {
        "r": options.rank,
        "lora_alpha": int(options.alpha),
        "lora_dropout": options.dropout,
        "target_modules": "all-linear" if "all-linear" in options.targets else list(options.targets),
        "task_type": "CAUSAL_LM",
    }
    if options.is_hyperbolic:
        start = _CURVATURE if curvature is None else curvature
        config = HypLoraConfig(form=_FORMS[options.method], curvature=start, **shared)
    else:
        config = LoraConfig(use_dora=options.method == "dora", use_rslora=options.method == "rslora", **shared)
    try:
        return get_peft_model(model, config)
    except ValueError as error:  # HypLoraError, and PEFT's own, for layers that cannot be adapted
        raise OptionError(f"the adapter cannot be made: {error}") from None


def starting_curvature(
    model: Any, options: AdapterOptions, examples: Sequence[Example], *, seed: int
) -> tuple[float | None, float | None]:
    """Return K at the start, and the relative δ that it was taken from where it was measured.

    Raises
    ------
    OptionError
        The embeddings suggest no curvature.
    """
    if not options.is_hyperbolic:
        return None, None
    if options.curvature != "auto":
        return (_CURVATURE if options.curvature is None else float(options.curvature)), None
    import numpy as np

    from hyplora.config import HypLoraError
    from hyplora.curvature import suggest_curvature

    order = np.random.default_rng(seed).permutation(len(examples))[:_MEASURED_PROMPTS]
    prompts = [examples[index].ids[: examples[index].prompt].tolist() for index in sorted(order)]
    try:
        found = suggest_curvature(model, prompts, seed=seed)
    except HypLoraError as error:
        raise OptionError(f"curvature auto: {error}") from None
    return found.curvature, found.relative_delta


def learned_curvatures(model: Any) -> dict[str, float]:
    """Return K of every layer that has a HypLoRA adapter, by the layer's name."""
    from hyplora.layer import HypLoraLinear

    return {
        name.removeprefix("base_model.model."): _whole(module.lora_curvature["default"]().detach())
        for name, module in model.named_modules()
        if isinstance(module, HypLoraLinear)
    }


def _whole(number: Any) -> float:
    """Return a number of which FSDP may have given each process a part."""
    return float(number.full_tensor() if hasattr(number, "full_tensor") else number)


def _check_targets(model: Any, targets: Sequence[str]) -> None:
    from hyplora.layer import is_linear

    modules = [(name, module) for name, module in model.named_modules() if name]
    there: dict[str, None] = {}
    for name, module in modules:
        if is_linear(module):
            there[next((part for part in reversed(name.split(".")) if not part.isdigit()), name)] = None
    unknown = [
        target
        for target in targets
        if target != "all-linear" and not any(name == target or name.endswith(f".{target}") for name, _ in modules)
    ]
    if unknown:
        raise OptionError(
            f"targets: the model has no {', '.join(unknown)}; its linear layers are called: {', '.join(there)}"
        )
    if "all-linear" in targets and len(targets) > 1:
        raise OptionError("targets: all-linear stands for all of them; name it alone")
