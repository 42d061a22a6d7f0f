"""Tiny models of many architectures, with random weights, in folders as `save_pretrained` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

_SIZES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GQA = _SIZES | {"num_key_value_heads": 1, "head_dim": 8}
_VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "image_size": 28,
    "patch_size": 14,
}


@dataclass(frozen=True)
class Architecture:
    """A model class with the configuration of a tiny specimen, and where its embeddings are."""

    model: str
    config: Callable[[], Any]
    embedding: str
    """The input embedding's name in a checkpoint."""
    head: str | None = None
    """The output embedding's name in a checkpoint: the input's where they are tied, None where there is no head."""


def _llama(**options: Any) -> Callable[[], Any]:
    return lambda: transformers.LlamaConfig(**_GQA, **options)


def _t5(**options: Any) -> Callable[[], Any]:
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "vocab_size": 40}
    return lambda: transformers.T5Config(**sizes, decoder_start_token_id=0, **options)


def _gemma3() -> Any:
    text = _GQA | {"num_key_value_heads": 2}
    return transformers.Gemma3Config(
        text_config=text, vision_config=_VISION, mm_tokens_per_image=4, image_token_index=39, boi_token_index=37
    )


def _llava() -> Any:
    return transformers.LlavaConfig(
        text_config=transformers.LlamaConfig(**_GQA, tie_word_embeddings=False),
        vision_config=transformers.CLIPVisionConfig(**_VISION, projection_dim=8),
        image_token_index=39,
        tie_word_embeddings=False,
    )


def _qwen2_vl() -> Any:
    rope = {"rope_type": "default", "type": "mrope", "mrope_section": [2, 1, 1]}
    text = _SIZES | {"num_key_value_heads": 1, "rope_scaling": rope, "tie_word_embeddings": False}
    vision = {"depth": 1, "embed_dim": 16, "hidden_size": 16, "num_heads": 2, "mlp_ratio": 1, "patch_size": 14}
    return transformers.Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False)


def _moe(config: str, **options: Any) -> Callable[[], Any]:
    return lambda: getattr(transformers, config)(**_GQA, tie_word_embeddings=False, **options)


_WTE, _WORD, _EMBED = "transformer.wte.weight", "bert.embeddings.word_embeddings.weight", "model.embed_tokens.weight"

# What vision-language models call it in a checkpoint; in the module: "model.language_model.embed_tokens.weight".
_OLD_EMBED = "language_model.model.embed_tokens.weight"

ARCHITECTURES = {
    "llama": Architecture("LlamaForCausalLM", _llama(tie_word_embeddings=False), _EMBED, "lm_head.weight"),
    "llama-tied": Architecture("LlamaForCausalLM", _llama(tie_word_embeddings=True), _EMBED, _EMBED),
    "llama-base": Architecture("LlamaModel", _llama(), "embed_tokens.weight"),
    "gpt2": Architecture(
        "GPT2LMHeadModel",
        lambda: transformers.GPT2Config(n_embd=16, n_head=2, n_layer=1, n_positions=16, vocab_size=40),
        _WTE,
        _WTE,
    ),
    "bert": Architecture("BertModel", lambda: transformers.BertConfig(**_SIZES), "embeddings.word_embeddings.weight"),
    "bert-mlm": Architecture("BertForMaskedLM", lambda: transformers.BertConfig(**_SIZES), _WORD, _WORD),
    "t5": Architecture("T5ForConditionalGeneration", _t5(), "shared.weight", "shared.weight"),
    "opt": Architecture(
        "OPTForCausalLM",
        lambda: transformers.OPTConfig(
            **(_SIZES | {"ffn_dim": 16, "word_embed_proj_dim": 8, "max_position_embeddings": 16})
        ),
        "model.decoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
    ),
    "gemma2": Architecture(
        "Gemma2ForCausalLM", lambda: transformers.Gemma2Config(**_GQA, query_pre_attn_scalar=8), _EMBED, _EMBED
    ),
    "gemma3-vision": Architecture("Gemma3ForConditionalGeneration", _gemma3, _OLD_EMBED, _OLD_EMBED),
    "llava": Architecture("LlavaForConditionalGeneration", _llava, _OLD_EMBED, "language_model.lm_head.weight"),
    "qwen2-vl": Architecture("Qwen2VLForConditionalGeneration", _qwen2_vl, _EMBED, "lm_head.weight"),
    "mixtral": Architecture("MixtralForCausalLM", _moe("MixtralConfig", num_local_experts=2), _EMBED, "lm_head.weight"),
    "qwen2-moe": Architecture(
        "Qwen2MoeForCausalLM",
        _moe("Qwen2MoeConfig", num_experts=2, moe_intermediate_size=8, shared_expert_intermediate_size=8),
        _EMBED,
        "lm_head.weight",
    ),
}


def build(name: str) -> Any:
    """Return the model with the same random weights every time."""
    architecture = ARCHITECTURES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(transformers, architecture.model)(architecture.config()).eval()


def save(model: Any, folder: Path, *, shards: bool = False) -> Path:
    """Write the model as safetensors, in one file or in several small ones."""
    model.save_pretrained(folder, max_shard_size="4KB" if shards else "1GB")
    return folder


def save_state(model: Any, state: dict[str, torch.Tensor], folder: Path, *, shards: int = 0, **options: Any) -> Path:
    """Write the configuration and these tensors as `pytorch_model.bin`, or as that many shards with an index."""
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    if not shards:
        torch.save(state, folder / "pytorch_model.bin", **options)
        return folder
    files = [f"pytorch_model-{i + 1:05}-of-{shards:05}.bin" for i in range(shards)]
    weight_map = {name: files[i % shards] for i, name in enumerate(state)}
    for file in files:
        torch.save({name: state[name] for name in state if weight_map[name] == file}, folder / file, **options)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write `config.json` as it is, right or wrong."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")


def whitespace_tokenizer() -> Any:
    """Return a tokenizer of the words a and b."""
    raw = Tokenizer(models.WordLevel({"a": 0, "b": 1, "[UNK]": 2}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]")
