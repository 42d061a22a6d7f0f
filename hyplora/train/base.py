"""The base model and its tokenizer, ready to be adapted."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from typing import TYPE_CHECKING, Any

from embgeom.embeddings.source import Source, find_source
from embgeom.embeddings.tokenizer import tokenizer_of
from embgeom.errors import ModelError, OptionError
from hyplora.base_model import load_network
from hyplora.train.options import ModelOptions

if TYPE_CHECKING:
    import torch

__all__ = ["load_base", "padding_token", "pick_precision", "third_party_advice"]


def pick_precision(wanted: str) -> str:
    """Return ``bf16``, ``fp16`` or ``fp32``; raise :class:`OptionError` if this machine cannot train so."""
    import torch

    gpu = torch.cuda.is_available()
    if wanted == "fp16" and not gpu:
        raise OptionError("precision fp16 needs a GPU, because gradients are scaled there; take bf16 or fp32")
    if wanted == "bf16" and gpu and not torch.cuda.is_bf16_supported():
        raise OptionError("precision bf16: this GPU has no bfloat16; take fp16 or fp32")
    if wanted != "auto":
        return wanted
    return "bf16" if gpu and torch.cuda.is_bf16_supported() else "fp32"


def load_base(options: ModelOptions, precision: str) -> tuple[Any, Any, Source]:
    """Load a causal language model and its tokenizer.

    Parameters
    ----------
    options : ModelOptions
    precision : {"bf16", "fp16", "fp32"}
        Of the weights; the adapter's own are float32 in any case.

    Returns
    -------
    tuple
        The model, the tokenizer, and where they are from.

    Raises
    ------
    ModelError
        They cannot be found or read, do not belong together, or the tokenizer has no EOS token.
    OptionError
        Quantisation without bitsandbytes.
    """
    if options.quantize is not None and importlib.util.find_spec("bitsandbytes") is None:
        raise OptionError(f"quantize {options.quantize} needs the package bitsandbytes: pip install bitsandbytes")
    source = find_source(options.model, revision=options.revision)
    tokenizer = tokenizer_of(source)
    if tokenizer.eos_token is None:
        raise ModelError(
            f"model {options.model!r}: its tokenizer has no EOS token, which ends an answer; "
            "set eos_token in its tokenizer_config.json"
        )
    network = _load(source, options, precision)
    rows = network.get_input_embeddings().num_embeddings
    if (largest := max(tokenizer.get_vocab().values())) >= rows:
        raise ModelError(
            f"model {options.model!r} has embeddings of {rows} tokens, and its tokenizer knows ids up to {largest}: "
            "they do not belong together"
        )
    network.config.use_cache = False
    return network, tokenizer, source


def padding_token(tokenizer: Any) -> int:
    """Return the token that fills a batch up; it is masked, so that without one of its own EOS will do."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def third_party_advice() -> None:
    """Silence what the libraries below tell their own developers."""
    from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()
    # of bitsandbytes', which PEFT imports where it is there, of kernels that nothing here asks for
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # of transformers', from a property that PEFT reads when it wraps a model
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    # of torch's compiler, of its own lowerings
    warnings.filterwarnings("ignore", message=".*_prims_common.check.*", category=FutureWarning)
    # of torch's, of a cluster of this one machine
    warnings.filterwarnings("ignore", message=".*No device id is provided.*", category=UserWarning)


def _load(source: Source, options: ModelOptions, precision: str) -> Any:
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    network = load_network(source, dtype, **_quantisation(options, dtype))
    if options.quantize is not None:
        from peft import prepare_model_for_kbit_training

        network = prepare_model_for_kbit_training(network, use_gradient_checkpointing=options.gradient_checkpointing)
        _settle_4bit(network)
    return network


def _settle_4bit(network: Any) -> None:
    """Keep bitsandbytes on a CPU from what it gets wrong there (seen with 0.50.2).

    Blocks of 64 weights that run over the end of a row come back wrong: an error of a quarter where NF4 has a tenth.
    And on CPUs with AVX-512 BF16 it repacks weights when they are first used without gradients, which a validation
    does; gradients no longer pass through them after that.
    """
    for name, module in network.named_modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is None or module.weight.device.type != "cpu":
            continue
        if module.in_features % state.blocksize:
            raise OptionError(
                f"quantize 4bit: on a CPU, bitsandbytes needs layers whose input width is a multiple of "
                f"{state.blocksize}, and that of {name} is {module.in_features}; take 8bit, or leave it out"
            )
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _quantisation(options: ModelOptions, dtype: torch.dtype) -> dict[str, Any]:
    if options.quantize is None:
        return {}
    import os

    import torch
    from transformers import BitsAndBytesConfig

    if options.quantize == "8bit":
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    # every process has a copy of the base on a GPU of its own
    here: Any = {"": int(os.environ.get("LOCAL_RANK", "0"))} if torch.cuda.is_available() else None
    return {"quantization_config": config, "device_map": here}
