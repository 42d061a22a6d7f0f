"""Hidden states as token clouds: every prompt of a corpus at every layer, a bounded number of them in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.device import pick_device
from embgeom.embeddings.batching import fitting, is_out_of_memory, windows
from embgeom.embeddings.load import _floating_dtype
from embgeom.embeddings.network import Network, load_network
from embgeom.embeddings.scale import EmbeddingScale
from embgeom.embeddings.source import find_source
from embgeom.embeddings.tokenizer import tokenizer_of
from embgeom.errors import CorpusError, ModelError, OptionError, PointsError
from embgeom.progress import progress_bar

if TYPE_CHECKING:
    import torch

    from embgeom.corpus import Corpus

__all__ = ["HiddenStates", "PromptStates", "hidden_states"]


@dataclass(frozen=True, eq=False)
class PromptStates:
    """One prompt at the layers asked for.

    Attributes
    ----------
    prompt : int
        Its number, from 0.
    token_ids : ndarray of int64, shape (n,)
        Its tokens in order, the tokenizer's special tokens included.
    layers : tuple of int
    states : tuple of ndarray, shape (n, d) each
        One cloud per layer; float64 if the model computes in it, else float32, which holds every value of a narrower
        dtype. In some models (OPT-350m) layer L has another d than the rest.
    """

    prompt: int
    token_ids: NDArray[np.int64]
    layers: tuple[int, ...]
    states: tuple[NDArray[np.floating[Any]], ...]

    def at(self, layer: int) -> NDArray[np.floating[Any]]:
        """Return the cloud of one layer, shape (n, d)."""
        return self.states[self.layers.index(layer)]


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """A stream of prompts: every iteration runs the model, and gives one :class:`PromptStates` per prompt, in order.

    Attributes
    ----------
    model : str
    revision : str or None
        Commit hash on the Hub; None for a local folder.
    layers : tuple of int
        The layers that come out: 0 is what enters the first block, K what leaves block K.
    depth : int
        Number of blocks, L.
    last_is_normed : bool or None
        Whether layer L comes after the model's final norm, as transformers returns it; None if that could not be seen.
    scale : EmbeddingScale
        What the model does to its input embeddings to get layer 0.
    dtype, device : str
        What the model computes in, and where.
    token_ids : tuple of ndarray
        Those of every prompt, also of the ones left out.
    left_out : tuple of int
        Numbers of the prompts that do not come out: they have more tokens than the model has positions, or none.
    longest : int or None
        How many positions these are; None without a limit.
    tokens : int
        Most tokens per pass, padding included, and most whose states are held at a time.
    """

    model: str
    revision: str | None
    layers: tuple[int, ...]
    depth: int
    last_is_normed: bool | None
    scale: EmbeddingScale
    dtype: str
    device: str
    token_ids: tuple[NDArray[np.int64], ...] = field(repr=False)
    left_out: tuple[int, ...]
    longest: int | None
    tokens: int
    _network: Network = field(repr=False)
    _progress: bool = field(repr=False)

    def __len__(self) -> int:
        """Return the number of prompts that come out."""
        return len(self.token_ids) - len(self.left_out)

    def __iter__(self) -> Iterator[PromptStates]:
        """Run the model over windows of consecutive prompts, and hand out their states one prompt after the other.

        Raises
        ------
        PointsError
            If states are not finite, as happens in float16.
        OptionError
            If a single prompt does not fit into memory.
        """
        left_out = set(self.left_out)
        numbers = [number for number in range(len(self.token_ids)) if number not in left_out]
        limit = self.tokens
        with progress_bar(len(numbers), f"hidden states of {len(numbers)} prompts", show=self._progress) as bar:
            for window in windows(numbers, self.token_ids, self.tokens):
                held: dict[int, list[torch.Tensor]] = {}
                waiting = sorted(window, key=lambda number: -len(self.token_ids[number]))
                while waiting:
                    size = fitting([len(self.token_ids[number]) for number in waiting], limit, self._network.pads)
                    try:
                        held |= self._pass(waiting[:size])
                    except (MemoryError, RuntimeError) as error:
                        limit = self._smaller_pass(error, waiting[:size])
                        continue
                    waiting = waiting[size:]
                for number in window:
                    clouds = zip(self.layers, held.pop(number), strict=True)
                    states = tuple(self._array(cloud, number, layer) for layer, cloud in clouds)
                    yield PromptStates(number, self.token_ids[number], self.layers, states)
                    bar.update()

    def _pass(self, numbers: Sequence[int]) -> dict[int, list[torch.Tensor]]:
        """Return the states of some prompts, (n, d) for each layer, on the CPU and in the model's dtype."""
        import torch

        lengths = [len(self.token_ids[number]) for number in numbers]
        # Padding stands on the right: positions count from the first token, and a causal model never looks there.
        ids = torch.full((len(numbers), max(lengths)), self._padding(), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, number in enumerate(numbers):
            ids[row, : lengths[row]] = torch.from_numpy(self.token_ids[number])
            mask[row, : lengths[row]] = 1
        where = torch.device(self.device)
        states = self._network.states(ids.to(where), mask.to(where) if self._network.pads else None)
        if len(states) != self.depth + 1:
            raise ModelError(f"model {self.model!r} returned {len(states)} hidden states, {self.depth + 1} before")
        chosen = [states[layer] for layer in self.layers]
        del states
        # Copied prompt by prompt: padding is never held, nor are the other layers.
        return {
            number: [state[row, : lengths[row]].to("cpu", copy=True) for state in chosen]
            for row, number in enumerate(numbers)
        }

    def _padding(self) -> int:
        named = getattr(self._network.module.config.get_text_config(), "pad_token_id", None)
        return named if isinstance(named, int) and 0 <= named < self._network.vocabulary else 0

    def _smaller_pass(self, error: BaseException, numbers: Sequence[int]) -> int:
        """Return half the size of the pass that did not fit, and say so; raise what is no lack of memory."""
        import torch

        if not is_out_of_memory(error):
            raise error
        if torch.device(self.device).type == "cuda":
            torch.cuda.empty_cache()
        lengths = [len(self.token_ids[number]) for number in numbers]
        if len(numbers) == 1:
            raise OptionError(
                f"prompt {numbers[0]} of {lengths[0]} tokens does not fit into the memory of {self.device}: "
                "take another device, a narrower dtype, or leave the prompt out"
            ) from None
        size = max(lengths) * len(numbers)
        warnings.warn(
            f"model {self.model!r}: out of memory on {self.device} with {size} tokens in a pass; halved",
            RuntimeWarning,
            stacklevel=4,
        )
        return size // 2

    def _array(self, states: torch.Tensor, number: int, layer: int) -> NDArray[np.floating[Any]]:
        """Return one cloud as numpy has it; raise :class:`PointsError` if it is not finite."""
        import torch

        wide = states if states.dtype == torch.float64 else states.float()
        faulty = int((~wide.isfinite().all(1)).sum())
        if faulty:
            remedy = "take dtype float32" if states.dtype.itemsize < 4 else "are the weights finite?"
            raise PointsError(
                f"model {self.model!r}, prompt {number}, layer {layer}: {faulty} of {len(wide)} hidden states hold NaN "
                f"or inf in {self.dtype}; {remedy}"
            )
        array: NDArray[np.floating[Any]] = wide.numpy()
        return array


def hidden_states(
    model: str | PathLike[str],
    texts: Corpus | Sequence[str] | Sequence[Sequence[int]],
    *,
    layers: str | Sequence[int] = "all",
    revision: str | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    tokens: int = 4096,
    progress: bool = False,
) -> HiddenStates:
    """Load a model with its weights, and return a stream of its hidden states, prompt by prompt.

    A prompt is the cloud of all its tokens in order, special tokens included, padding never. Layer 0 is what enters the
    first block: the input embeddings as the model sees them, scaled where it scales them (Gemma: √d, see ``scale``),
    with position embeddings added where it has those (GPT-2) and normalised where it does that (BERT). Layer K is what
    leaves block K. The last layer, L, is what transformers returns: in most decoders it has gone through the final norm
    as well, so that it does not compare with the layers before it (``last_is_normed``).

    Decoders and encoders alike; of an encoder–decoder its encoder. Padding changes no state but by rounding, which in
    bfloat16 is some 1e-2 of a state: pass ``dtype="float32"`` where that matters.

    Memory: the weights; during a pass all L + 1 states of at most ``tokens`` tokens on the device; and on the CPU the
    states of the chosen layers of as many tokens, layers × tokens × d numbers in the model's dtype (33 layers of a
    model with d = 4096 in bfloat16: 1.1 GB at the default). A single prompt of more tokens is taken whole. Where memory
    runs out, the passes are halved, with a warning.

    Parameters
    ----------
    model, revision
        As for :func:`embgeom.load_embeddings`.
    texts : Corpus, texts, or token ids
        Tokenised whole, with the tokenizer's own special tokens; token ids are taken as they are.
    layers : "all" or sequence of int
        From 0 to L; negative ones count from the end.
    device : str, optional
        By default the first GPU, else the CPU.
    dtype : str or torch.dtype, optional
        To compute in; by default that of the checkpoint.
    tokens : int
        See above.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    CorpusError
        If there are no prompts, they are neither texts nor token ids, or none fits into the model's positions.
    ModelError
        If the model cannot be found, loaded or run on tokens, or its checkpoint lacks weights.
    OptionError
        For an unknown layer, device or dtype.

    Examples
    --------
    >>> stream = hidden_states("demo", ["to be or not to be"], layers=[0, 5])
    >>> [(states.prompt, states.at(5).shape) for states in stream]
    [(0, (7, 160))]
    """
    import torch

    if tokens < 1:
        raise OptionError(f"tokens must be at least 1, got {tokens}")
    where = pick_device(device)
    target = None if dtype is None else _floating_dtype(dtype)
    source = find_source(fspath(model), revision=revision)
    token_ids = _token_ids(texts, lambda: tokenizer_of(source))
    if isinstance(layers, str) and layers != "all":
        raise OptionError(f"layers must be 'all' or a list of numbers, got {layers!r}")
    network = load_network(source, device=where, dtype=target)
    for ids in token_ids:
        outside = ids[(ids < 0) | (ids >= network.vocabulary)]
        if len(outside):
            raise ModelError(
                f"model {source.model!r} has {network.vocabulary} token embeddings, and a prompt holds the token id "
                f"{outside[0]}"
            )
    longest = network.longest
    most = float("inf") if longest is None else longest
    left_out = tuple(number for number, ids in enumerate(token_ids) if not 0 < len(ids) <= most)
    if len(left_out) == len(token_ids):
        raise CorpusError(
            f"each of the {len(token_ids)} prompts has more tokens than model {source.model!r} has positions "
            f"({longest}), or none"
        )
    parameter = next(network.module.parameters())
    return HiddenStates(
        model=source.model,
        revision=source.revision,
        layers=_layers(layers, network.depth, source.model),
        depth=network.depth,
        last_is_normed=network.last_is_normed,
        scale=network.scale,
        dtype=str(parameter.dtype).removeprefix("torch."),
        device=str(torch.device(where)),
        token_ids=tuple(token_ids),
        left_out=left_out,
        longest=longest,
        tokens=tokens,
        _network=network,
        _progress=progress,
    )


def _token_ids(texts: Any, tokenizer: Any) -> list[NDArray[np.int64]]:
    """Return the token ids of every prompt; ``tokenizer`` is called if it takes one."""
    if isinstance(texts, str):
        raise CorpusError("expected a list of prompts, got one text; for the prompts of a file use load_texts(path)")
    listed: list[Any] = list(texts)
    if not listed:
        raise CorpusError("there are no prompts")
    if all(isinstance(text, str) for text in listed):
        # Fast tokenizers may carry a truncation length of their own (MiniLM: 128); a prompt is measured whole.
        listed = tokenizer()(listed, truncation=False, padding=False, verbose=False)["input_ids"]
    found = []
    for number, ids in enumerate(listed):
        try:
            array = np.asarray(None if isinstance(ids, str) else ids)
        except ValueError:  # nested lists of different lengths
            array = np.asarray(None)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise CorpusError(
                f"prompt {number}: expected a text or a list of token ids, like the others, got {ids!r:.60}"
            )
        found.append(array.astype(np.int64))
    return found


def _layers(layers: str | Sequence[int], depth: int, model: str) -> tuple[int, ...]:
    if isinstance(layers, str):
        return tuple(range(depth + 1))
    chosen: list[int] = []
    for layer in layers:
        if isinstance(layer, bool) or not isinstance(layer, Integral) or not -depth - 1 <= layer <= depth:
            raise OptionError(f"layer {layer!r}: model {model!r} has the hidden layers 0 to {depth}")
        chosen.append(int(layer) % (depth + 1))
    if not chosen or len(set(chosen)) < len(chosen):
        raise OptionError(f"layers must name one hidden layer or more, each once, got {list(layers)}")
    return tuple(chosen)
