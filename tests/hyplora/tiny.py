"""Tiny models with adapters, for the tests of the PEFT method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

import hyplora
from hyplora import HypLoraConfig

FORMS = ("space", "time", "simplified")
VOCABULARY = 64

allow_third_party = [
    # a property of transformers' that PEFT reads when it wraps a model
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    # PEFT 0.20 looks for the configuration of a model that was never saved
    pytest.mark.filterwarnings("ignore:Could not find a config file in  - will assume:UserWarning"),
    # PEFT's answer to the second adapter that transformers' own `add_adapter` adds, whatever its kind
    pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute in the model:UserWarning"),
]


def llama(**options: Any) -> LlamaForCausalLM:
    """A Llama of random weights, always the same, in evaluation mode."""
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape |= {"vocab_size": VOCABULARY}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            num_key_value_heads=2,
            max_position_embeddings=64,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            **(shape | options),
        )
        return LlamaForCausalLM(config).eval()


def gpt2() -> GPT2LMHeadModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64)
        return GPT2LMHeadModel(config).eval()


def saved_llama(folder: Path) -> str:
    llama().save_pretrained(folder)
    return str(folder)


def options(**given: Any) -> HypLoraConfig:
    return HypLoraConfig(
        **({"r": 4, "target_modules": ["q_proj", "v_proj", "down_proj"], "task_type": "CAUSAL_LM"} | given)
    )


def adapted(base: torch.nn.Module | None = None, *, seed: int | None = 1, **given: Any) -> PeftModel:
    """A Llama with an adapter; with a seed, one that has been through some training, so to speak."""
    model = get_peft_model(llama() if base is None else base, options(**given))
    if seed is not None:
        train(model, seed=seed)
    return model.eval()


@torch.no_grad()
def train(model: torch.nn.Module, adapter: str = "default", *, seed: int = 1) -> None:
    """Give an adapter weights as if it had been trained: none at 0."""
    generator = torch.Generator().manual_seed(seed)
    for layer in layers(model).values():
        for kind, size in (("lora_A", 0.3), ("lora_B", 0.3), ("lora_curvature", 0.2), ("lora_norm_scale", 0.2)):
            modules = getattr(layer, kind)
            if adapter in modules:
                weight = modules[adapter].weight
                weight.copy_(size * torch.randn(weight.shape, generator=generator))


def layers(model: torch.nn.Module) -> dict[str, hyplora.HypLoraLinear]:
    return {name: module for name, module in model.named_modules() if isinstance(module, hyplora.HypLoraLinear)}


def is_plain(model: torch.nn.Module) -> bool:
    """Whether nothing of any PEFT method is in a model."""
    return not any(isinstance(module, BaseTunerLayer) for module in model.modules())


def tokens(batch: int = 2, length: int = 9, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, VOCABULARY, (batch, length), generator=generator)


@torch.no_grad()
def logits(model: torch.nn.Module, ids: torch.Tensor | None = None, **given: Any) -> torch.Tensor:
    return model(input_ids=tokens() if ids is None else ids, **given).logits.clone()


def textbook(x: torch.Tensor, A: torch.Tensor, B: torch.Tensor, K: float, c: float) -> torch.Tensor:
    """The paper's formula of x/c, step by step in float64: exponential map, LLR, logarithmic map."""
    x, A, B, root = x.double() / c, A.double(), B.double(), K**0.5
    norm = x.norm(dim=-1, keepdim=True)
    space = root * torch.sinh(norm / root) * x / norm
    y = space @ A.T @ B.T
    length = y.norm(dim=-1, keepdim=True)
    return root * torch.arcsinh(length / root) * y / length
