"""A model and its tokenizer, with or without an adapter, ready to answer; parts that do not fit are named at once."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.demo import MODEL_DIR
from embgeom.device import pick_device
from embgeom.embeddings.messages import quote
from embgeom.embeddings.source import Source, find_source
from embgeom.embeddings.tokenizer import tokenizer_of
from embgeom.errors import ModelError, choose
from hyplora.base_model import load_network

if TYPE_CHECKING:
    import torch

__all__ = ["DTYPES", "Loaded", "base_of", "load_model"]

DTYPES = ("auto", "float32", "bfloat16", "float16")

_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_DEMO_ENDS = ("embgeom", "demo", "model")


@dataclass(frozen=True)
class Loaded:
    """A model that answers.

    Attributes
    ----------
    model : torch.nn.Module
        A causal language model of transformers, or one with an adapter of PEFT, in evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
    name : str
        The base model, as it was named.
    adapter : str or None
    device : torch.device
    pad : int
        The token that fills a batch up; it is masked.
    stops : tuple of int
        The tokens that end an answer.
    context : int or None
        Tokens that the model can attend to; None where its configuration does not say.
    identity : dict
        What tells this model from another: names, the commit on the Hub, a hash of the adapter's weights, the dtype.
    """

    model: Any
    tokenizer: Any
    name: str
    adapter: str | None
    device: torch.device
    pad: int
    stops: tuple[int, ...]
    context: int | None
    identity: dict[str, Any] = field(default_factory=dict)


def load_model(
    model: str | None = None, adapter: str | None = None, *, dtype: str = "auto", device: str | None = None
) -> Loaded:
    """Load a model, and put an adapter on it.

    Parameters
    ----------
    model : str, optional
        ``demo``, a local folder or a Hub id. By default the adapter's base model, and ``demo`` without an adapter.
    adapter : str, optional
        A local folder or a Hub id, of any method that PEFT knows, HypLoRA included.
    dtype : {"auto", "float32", "bfloat16", "float16"}
        ``auto``: that of the weights on a GPU, float32 on a CPU.
    device : str, optional
        By default the first GPU, else the CPU.

    Raises
    ------
    ModelError
        The model or the adapter cannot be found or read, or the two, or model and tokenizer, do not fit together.
    OptionError
        An unknown dtype or device.
    """
    choose("dtype", dtype, DTYPES)
    where = pick_device(device)
    adapter_source = None if adapter is None else find_source(adapter)
    name = model or (base_of(adapter_source) if adapter_source is not None else "demo")
    source = find_source(name)
    if dtype == "auto" and where.type == "cpu":
        dtype = "float32"
    network = load_network(source, dtype)
    tokenizer, whose = _load_tokenizer(source, adapter_source)
    rows = network.get_input_embeddings().num_embeddings
    if (largest := max(tokenizer.get_vocab().values())) >= rows:
        raise ModelError(
            f"model {name!r} has embeddings of {rows} tokens, and {whose} knows ids up to {largest}: "
            "they do not belong together"
        )
    stops = _stops(network, tokenizer)
    context = getattr(network.config.get_text_config(), "max_position_embeddings", None)
    identity: dict[str, Any] = {"model": name, "revision": source.revision, "adapter": adapter}
    if adapter_source is not None:
        network, identity["adapter_sha256"] = _load_adapter(network, adapter_source, name)
    network = network.to(where).eval()
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else next(iter(stops), 0)
    identity["dtype"] = str(next(network.parameters()).dtype).removeprefix("torch.")
    # What a model's authors sample with (temperatures, penalties) is no part of greedy search or beam search.
    plain = network if adapter_source is None else network.get_base_model()
    plain.generation_config = _generation_config(pad, stops)
    return Loaded(network, tokenizer, name, adapter, where, pad, stops, context, identity)


def base_of(adapter: Source) -> str:
    """Return the base model that an adapter's configuration names: ``demo`` for the demo model, wherever it was."""
    base = _adapter_config(adapter).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(f"adapter {adapter.model!r} does not name its base model; give it as model")
    # The folder of another installation, of another machine perhaps, is the demo model too.
    moved = Path(base).parts[-3:] == _DEMO_ENDS and not Path(base).is_dir()
    return "demo" if moved or Path(base) == MODEL_DIR else base


def _load_tokenizer(source: Source, adapter: Source | None) -> tuple[Any, str]:
    """Return the adapter's tokenizer if it has one, because it was trained with that, else the model's; and whose."""
    if adapter is not None and adapter.find("tokenizer_config.json") is not None:
        return tokenizer_of(adapter), f"the tokenizer of adapter {adapter.model!r}"
    return tokenizer_of(source), "its tokenizer"


def _load_adapter(network: Any, source: Source, base: str) -> tuple[Any, str]:
    """Return the model with the adapter on it, and the SHA-256 of the adapter's weights."""
    config = _adapter_config(source)
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils import load_peft_weights

    weights = next((path for name in _ADAPTER_WEIGHTS if (path := source.find(name)) is not None), None)
    if weights is None:
        raise source.lacks(f"{_ADAPTER_WEIGHTS[0]}: no adapter was saved there")
    what = f"adapter {source.model!r} ({config.get('peft_type')})"
    try:
        with warnings.catch_warnings():
            # of transformers', from a property that PEFT reads when it wraps a model
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
            warnings.filterwarnings("error", message="Found missing adapter keys", category=UserWarning)
            model = PeftModel.from_pretrained(network, str(weights.parent))
        saved = set(load_peft_weights(str(weights.parent), device="cpu"))
        unused = sorted(saved - set(get_peft_model_state_dict(model)))
    except Exception as error:  # PEFT and torch raise whatever comes: unknown methods, missing modules, other shapes
        raise ModelError(f"{what} cannot be put on {base}: {_reason(error)}") from None
    if unused:
        raise ModelError(
            f"{what} cannot be put on {base}: that has no place for {len(unused)} of its weights, such as {unused[0]}"
        )
    with weights.open("rb") as stream:
        return model, hashlib.file_digest(stream, "sha256").hexdigest()


def _adapter_config(source: Source) -> dict[str, Any]:
    path = source.find("adapter_config.json")
    if path is None:
        raise ModelError(f"adapter {source.model!r} has no adapter_config.json; give the folder that a training saved")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = config["peft_type"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path} is no configuration of an adapter ({quote(error)})") from None
    try:
        from peft.utils.peft_types import PeftType

        import hyplora.model  # noqa: F401  (PEFT gets to know the method)
    except ModuleNotFoundError as error:
        raise ModelError(f"an adapter needs the package {error.name}: pip install 'embgeom[train]'") from None
    known = [member.value for member in PeftType]
    if kind not in known:
        raise ModelError(f"adapter {source.model!r} is of the method {kind!r}, which PEFT here does not know")
    return config


def _reason(error: Exception) -> str:
    """Return what matters of an error: of a list of mismatching shapes, the first."""
    for line in str(error).splitlines():
        if "size mismatch" in line:
            return line.strip()
    return quote(error)


def _stops(network: Any, tokenizer: Any) -> tuple[int, ...]:
    found: set[int] = set()
    named = (getattr(network.generation_config, "eos_token_id", None), getattr(network.config, "eos_token_id", None))
    for value in (*named, tokenizer.eos_token_id):
        found |= {int(token) for token in (value if isinstance(value, list | tuple) else [value]) if token is not None}
    return tuple(sorted(found))


def _generation_config(pad: int, stops: tuple[int, ...]) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(do_sample=False, pad_token_id=pad, eos_token_id=list(stops) or None)
