"""From a model and texts to statistics against depth, a window of prompts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom import provenance
from embgeom.delta import engine
from embgeom.delta.checks import check_seed, require_at_least
from embgeom.embeddings.hidden import HiddenStates, PromptStates, hidden_states
from embgeom.errors import CorpusError
from embgeom.layers.measure import Values, choose_nulls, measure_layer
from embgeom.layers.records import LAYER_STATISTICS, LayerMeasure, LayerProfile, LayerStatistic, NullBand
from embgeom.progress import progress_bar
from embgeom.results import versions
from embgeom.treelikeness.prepare import prepare
from embgeom.treelikeness.records import Spread

if TYPE_CHECKING:
    import torch

    from embgeom.corpus import Corpus

__all__ = ["layer_statistics"]


def layer_statistics(
    model: str | PathLike[str],
    texts: Corpus | Sequence[str] | Sequence[Sequence[int]],
    *,
    layers: str | Sequence[int] = "all",
    null: str | Sequence[str] | None = "permute",
    null_draws: int = 3,
    repeats: bool = False,
    quadruples: int = 1_000_000,
    seed: int = 0,
    revision: str | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    tokens: int = 4096,
    progress: bool = False,
) -> LayerProfile:
    """Return the statistics of every layer: mean ± standard deviation over the prompts, beside those of null clouds.

    Each prompt is, at each layer, the cloud of the hidden states of its tokens; distances are Euclidean. By default a
    token that the prompt repeats is a point where it first occurs, at every layer: at layer 0 its repetitions are
    often the same point, and 2δ/diameter grows with the number of points, so that only clouds of the same tokens
    compare over the layers. Where position embeddings are not added, layer 0 is then what
    :func:`embgeom.treelikeness.prompt_tree_likeness` and (δ_p does not see repetitions of a point)
    :func:`embgeom.prompt_hyperbolicity` measure.

    To read it: many decoders blow up the state of the first token in the middle layers to a hundred times the norm of
    the others. It is then a leaf at the end of a long edge; the diameter, and with it 2δ/diameter, says no more than
    that, and the nulls that keep norms (``directions``) are the ones to compare with.

    Parameters
    ----------
    model, texts, layers, revision, device, dtype, tokens
        As for :func:`embgeom.embeddings.hidden_states`, also for the memory that it takes. The statistics are computed
        on the CPU.
    null : str or sequence of str, optional
        ``permute``, ``directions``, ``spectrum`` (:mod:`embgeom.nulls`), several of them, or ``all``; each prompt at
        each layer has its own. ``gaussian`` and ``vocabulary`` draw from the vocabulary, which hidden layers have not.
    null_draws : int
        Null clouds per prompt, layer and null. Means over many prompts need few.
    repeats : bool
        Take every occurrence for a point.
    quadruples : int
        How many to draw in prompts of more than 200 points; of all others every quadruple is looked at.
    seed : int
        Of these, and of the nulls.
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    CorpusError
        If there are no prompts, or none with four (distinct) tokens, or whose states are not all the same.
    ModelError, OptionError, PointsError
        As for :func:`embgeom.embeddings.hidden_states`, and for unknown nulls.
    """
    import torch

    nulls = choose_nulls(null)
    check_seed(seed)
    require_at_least("null_draws", null_draws, 1)
    require_at_least("quadruples", quadruples, 2)
    stream = hidden_states(
        model,
        texts,
        layers=layers,
        revision=revision,
        device=device,
        dtype=dtype,
        tokens=tokens,
    )
    positions = [_positions(ids, repeats) for ids in stream.token_ids]
    measured = [number for number, own in enumerate(positions) if len(own) >= 4 and number not in set(stream.left_out)]
    if not measured:
        kind = "tokens" if repeats else "distinct tokens"
        raise CorpusError(
            f"none of the {len(positions)} prompts fits into the model and has 4 {kind} or more: of fewer, δ and q "
            "are not defined"
        )
    prepare(show=progress)
    engine.prepare(torch.device("cpu"), show=progress)
    options: dict[str, Any] = {"nulls": nulls, "null_draws": null_draws, "quadruples": quadruples, "seed": seed}
    parts: list[list[Values]] = [[] for _ in stream.layers]
    first, layer_count = 0, len(stream.layers)
    title = f"{layer_count} layers of {len(measured)} prompts"
    with progress_bar(layer_count * len(measured), title, show=progress) as bar:
        for window in _windows(stream, set(measured)):
            for place, layer in enumerate(stream.layers):
                clouds = [states.states[place][positions[states.prompt]] for states in window]
                parts[place].append(measure_layer(clouds, layer=layer, first=first, **options))
                bar.update(len(window))
            first += len(window)
    return LayerProfile(
        model=stream.model,
        data=getattr(texts, "name", None),
        measures=tuple(_measure(layer, own, nulls, measured) for layer, own in zip(stream.layers, parts, strict=True)),
        depth=stream.depth,
        last_is_normed=stream.last_is_normed,
        scale=stream.scale,
        nulls=nulls,
        null_draws=null_draws if nulls else 0,
        n=len(measured),
        left_out=len(positions) - len(measured),
        points=float(np.mean([len(positions[number]) for number in measured])),
        repeats=repeats,
        quadruples=quadruples,
        seed=seed,
        dtype=stream.dtype,
        device=stream.device,
        tokens=stream.tokens,
        provenance={"revision": stream.revision} | provenance.of_texts(texts),
        versions=versions(),
    )


def _positions(ids: NDArray[np.int64], repeats: bool) -> NDArray[np.int64]:
    """Return the positions of the tokens that are points: all, or where each occurs first."""
    return np.arange(len(ids)) if repeats else np.sort(np.unique(ids, return_index=True)[1])


def _windows(stream: HiddenStates, measured: set[int]) -> Iterator[list[PromptStates]]:
    """Collect the prompts that are measured until they have as many tokens as the stream holds at a time."""
    window: list[PromptStates] = []
    held = 0
    for states in stream:
        if states.prompt not in measured:
            continue
        window.append(states)
        held += len(states.token_ids)
        if held >= stream.tokens:
            yield window
            window, held = [], 0
    if window:
        yield window


def _measure(layer: int, parts: Sequence[Values], nulls: Sequence[str], numbers: Sequence[int]) -> LayerMeasure:
    """Put the prompts of one layer together."""
    diameter = np.concatenate([part.diameter for part in parts])
    apart = np.flatnonzero(diameter > 0)
    if not len(apart):
        raise CorpusError(f"layer {layer}: in each of the {len(numbers)} prompts all hidden states are equal")
    data = np.concatenate([part.data for part in parts], axis=1)[:, apart]
    drawn = np.concatenate([part.nulls for part in parts], axis=2)[:, :, apart]
    statistics = []
    for place, name in enumerate(LAYER_STATISTICS):
        own = data[place]
        bands = tuple(_band(null, own, drawn[number, place]) for number, null in enumerate(nulls))
        statistics.append(LayerStatistic(name, Spread(float(own.mean()), float(own.std()), tuple(own.tolist())), bands))
    return LayerMeasure(
        layer=layer,
        statistics=tuple(statistics),
        prompts=tuple(numbers[int(prompt)] for prompt in apart),
        diameter=float(diameter[apart].mean()),
    )


def _band(null: str, own: NDArray[np.float64], drawn: NDArray[np.float64]) -> NullBand:
    difference = own - drawn
    return NullBand(
        null=null,
        mean=float(drawn.mean()),
        sd=float(drawn.std()),
        difference=float(difference.mean()),
        difference_sd=float(difference.std()),
        below=float((difference < 0).mean()),
    )
