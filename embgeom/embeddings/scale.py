"""What a model does to its input embeddings before the first block: some multiply them (Gemma by √d)."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from embgeom.embeddings.load import Embeddings, _load_config
from embgeom.embeddings.messages import quote
from embgeom.embeddings.source import find_source
from embgeom.errors import ModelError, OptionError
from embgeom.results import Record

if TYPE_CHECKING:
    import torch

__all__ = ["EmbeddingScale", "as_seen", "embedding_scale", "measure_scale", "probing_ids"]

_TOKENS = 16
_LENGTH = 4
# Share of the differences between states that a common factor may leave: the rounding of bfloat16.
_ROUNDING = 2**-7


@dataclass(frozen=True)
class EmbeddingScale(Record):
    """How the first block's input comes from the rows of the embedding matrix: factor · e + what the position adds.

    Attributes
    ----------
    factor : float or None
        1 for most models, √d for Gemma, a multiplier for Granite; None where no single factor does it, because a norm
        or a projection comes between (BERT, OPT-350m).
    adds : bool or None
        Whether something is added, the same for every token at a position (GPT-2: position embeddings). None where
        there is no factor.
    """

    factor: float | None
    adds: bool | None


def embedding_scale(model: str | PathLike[str], *, revision: str | None = None) -> EmbeddingScale:
    """Return what a model multiplies its input embeddings by; no weights are read.

    It is measured: the model's architecture, in its dtype but with one block, few tokens and random weights, is run,
    and the inputs of the block are compared with the embeddings. Relative δ, q and every other statistic that does not
    depend on the unit are the same whatever the factor is; norms and δ itself are not.

    Parameters
    ----------
    model, revision
        As for :func:`load_embeddings`.

    Raises
    ------
    ModelError
        If the model cannot be found, or its architecture cannot be run on tokens alone.

    Examples
    --------
    >>> embedding_scale("demo")
    EmbeddingScale(factor=1.0, adds=False)
    """
    import torch

    source = find_source(fspath(model), revision=revision)
    try:
        module = _specimen(_load_config(source))
        weight = module.get_input_embeddings().weight.detach()
        ids = probing_ids(module.config, len(weight))
        with torch.inference_mode():
            first = module(input_ids=ids, output_hidden_states=True, return_dict=True).hidden_states[0]
        return measure_scale(weight[ids[:, 0]], first[:, 0])
    except ModelError:
        raise
    except Exception as error:  # whatever the many architectures raise for what they were not made for
        raise ModelError(
            f"model {source.model!r}: a specimen of its architecture cannot be run on tokens: {quote(error)}"
        ) from None


def as_seen(embeddings: Embeddings) -> Embeddings:
    """Return input embeddings times the factor by which the model multiplies them, in their dtype, as the model does.

    Position embeddings are not added: they are no property of a token. A model whose factor is 1 returns what it got.

    Raises
    ------
    OptionError
        If these are not input embeddings, or the model normalises or projects them, so that there is no factor.
    ModelError
        As for :func:`embedding_scale`.
    """
    if embeddings.layer != "input":
        raise OptionError(f"embeddings as the first block sees them are input embeddings; these are {embeddings.layer}")
    factor = embedding_scale(embeddings.model, revision=embeddings.revision).factor
    if factor is None:
        raise OptionError(
            f"model {embeddings.model!r} normalises or projects its embeddings before the first block, which sees no "
            "multiple of them: take hidden layer 0"
        )
    if factor == 1:
        return embeddings
    scaled = (embeddings.matrix.float() * factor).to(embeddings.matrix.dtype)
    return dataclasses.replace(embeddings, matrix=scaled, tensor=f"{embeddings.tensor} × {factor:g}")


def probing_ids(config: Any, vocabulary: int) -> torch.Tensor:
    """Return a few tokens from all over the vocabulary, each as a prompt that repeats it: shape (tokens, length)."""
    import torch

    special = {getattr(config, name, None) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    usual = [token for token in range(vocabulary) if token not in special]
    chosen = usual[:: max(1, len(usual) // _TOKENS)][:_TOKENS]
    return torch.tensor(chosen)[:, None].repeat(1, _LENGTH)


def measure_scale(rows: torch.Tensor, states: torch.Tensor) -> EmbeddingScale:
    """Return the factor between embeddings and states, both (tokens, ·), the states being all of one position.

    What is added at that position cancels in the differences from the mean. The factor is the least-squares one.
    """
    import torch

    if rows.shape != states.shape:
        return EmbeddingScale(None, None)
    e, h = rows.double(), states.double()
    e_centred, h_centred = e - e.mean(0), h - h.mean(0)
    squares = float(e_centred.square().sum())
    if squares == 0 or not bool(h.isfinite().all()):
        return EmbeddingScale(None, None)
    factor = float((e_centred * h_centred).sum()) / squares
    left = float((h_centred - factor * e_centred).norm() / h_centred.norm().clamp_min(1e-300))
    if left > _ROUNDING:
        return EmbeddingScale(None, None)
    # The model multiplies in its dtype, by a factor of that dtype.
    factor = float(torch.tensor(factor, dtype=states.dtype))
    added = float((h - factor * e).norm() / h.norm().clamp_min(1e-300))
    return EmbeddingScale(factor, added > _ROUNDING)


def _specimen(config: Any) -> Any:
    """Return a model of that architecture and width with one block, few tokens and random weights."""
    import torch
    from transformers import AutoModel

    text = config.get_text_config()  # without the towers of models that also see
    text.num_hidden_layers = 1
    with contextlib.suppress(AttributeError):  # none, or derived from the number of blocks
        text.layer_types = text.layer_types[:1]
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if getattr(text, name, None) is not None:
            setattr(text, name, 0)
    text.vocab_size = 4 * _TOKENS
    for name in ("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size"):
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, 16)
    dtype = getattr(config, "dtype", None) or getattr(text, "dtype", None) or torch.float32
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModel.from_config(text, dtype=dtype, trust_remote_code=False, attn_implementation="eager")
    return (module.get_encoder() if getattr(text, "is_encoder_decoder", False) else module).eval()
