"""The bridge to embgeom: how tree-like a model's token embeddings are, as a curvature to start from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embgeom.results import Record, versions

if TYPE_CHECKING:
    import torch

    from embgeom.corpus import Corpus
    from embgeom.delta import HyperbolicityDistribution
    from embgeom.embeddings import Embeddings

__all__ = ["SuggestedCurvature", "suggest_curvature"]

ROUNDING = 1e-6
"""Relative δ up to which it may be rounding error alone."""

POINTS = 300
"""Tokens in a random subset of the vocabulary, or all where there are fewer."""
TRIALS = 10


@dataclass(frozen=True)
class SuggestedCurvature(Record):
    """A curvature to start from, and the measurement that it comes from.

    Attributes
    ----------
    curvature : float
        K; the curvature of the space is -1/K.
    relative_delta, relative_delta_sd : float
        Mean and population standard deviation of 2 δ / diameter over the clouds.
    level : {"prompts", "vocabulary"}
    model : str or None
        None where a live model was measured that has no name.
    clouds : int
        Prompts, or random subsets of the vocabulary.
    points : float
        Tokens per cloud, on average.
    dimension : int
        d of the embeddings.
    seed : int or None
        None where nothing was drawn.
    versions : dict
    """

    curvature: float
    relative_delta: float
    relative_delta_sd: float
    level: str
    model: str | None
    clouds: int
    points: float
    dimension: int
    seed: int | None
    versions: dict[str, str] = field(repr=False)


def suggest_curvature(
    model: str | os.PathLike[str] | Embeddings | torch.nn.Module,
    texts: Corpus | Sequence[str] | Sequence[Sequence[int]] | None = None,
    *,
    seed: int = 0,
) -> SuggestedCurvature:
    """Suggest K from the relative Gromov δ of a model's input embeddings: K = (δ_rel / 0.144)².

    This is the rule of Khrulkov et al., *Hyperbolic Image Embeddings* (CVPR 2020), c = (0.144 / δ_rel)² with c = 1/K;
    :mod:`embgeom.curvature` says where the constant comes from and how little it is known to mean. It is a place to
    start, not a measurement of a curvature: δ_rel moves with the number of points and with the dimension, whatever the
    cloud, and K with its square. The subsets that are measured here give iid Gaussian noise K = 6.4 for d = 64, 0.50
    for d = 2048 and 0.26 for d = 4096. It also belongs to the scale of the embeddings that were measured, while the
    layers see hidden states, divided by the norm scale.

    Parameters
    ----------
    model : name, Embeddings, or live model
        What :func:`embgeom.load_embeddings` takes, what it returns, or a module with ``get_input_embeddings()``.
    texts : texts or token ids, optional
        With them, δ_p of each prompt with its first token as base, the mean over the prompts, as in *Hyperbolic
        Fine-Tuning for Large Language Models* (arXiv 2410.04010). A live model has no tokenizer: give it token ids.
        Without them, the four-point δ of ten random subsets of 300 tokens of the vocabulary.
    seed : int
        Of the random subsets.

    Raises
    ------
    HypLoraError
        If the embeddings cannot be read or measured, or their δ is 0 and suggests no curvature.
    """
    from embgeom import Embeddings, InputError, load_embeddings, prompt_hyperbolicity, vocabulary_hyperbolicity
    from embgeom.curvature import suggest
    from hyplora.config import HypLoraError

    try:
        source: Any = load_embeddings(model) if isinstance(model, str | os.PathLike) else model
        rows = source if isinstance(source, Embeddings) else _matrix(source)
        matrix = rows.matrix if isinstance(rows, Embeddings) else rows
        found: HyperbolicityDistribution
        if texts is None:
            points = min(POINTS, len(matrix))
            found = vocabulary_hyperbolicity(
                rows, points=points, trials=TRIALS, method="exact", seed=seed, device="cpu"
            )
        else:
            if not isinstance(rows, Embeddings) and any(isinstance(text, str) for text in texts):
                raise HypLoraError(
                    "a live model has no tokenizer: give token ids, or the model's name instead of the model"
                )
            found = prompt_hyperbolicity(rows, texts, seed=seed, device="cpu")
    except InputError as error:
        raise HypLoraError(f"no curvature can be suggested: {error}") from None
    if not found.relative_delta > ROUNDING:
        raise HypLoraError("no curvature can be suggested: δ is 0, that of a tree, which no K > 0 has; give a number")
    return SuggestedCurvature(
        curvature=suggest(found.relative_delta).K,
        relative_delta=found.relative_delta,
        relative_delta_sd=found.relative_delta_sd,
        level=found.level,
        model=found.model if found.model is not None else getattr(source, "name_or_path", None) or None,
        clouds=found.n,
        points=found.points,
        dimension=matrix.shape[1],
        seed=found.seed,
        versions=versions(),
    )


def _matrix(model: Any) -> torch.Tensor:
    from hyplora.config import HypLoraError

    try:
        weight = model.get_input_embeddings().weight
    except (AttributeError, NotImplementedError):
        raise HypLoraError(
            f"no curvature can be suggested: a {type(model).__name__} has no input embeddings to measure; give a number"
        ) from None
    if weight.ndim != 2 or weight.is_meta or not weight.is_floating_point():
        raise HypLoraError(
            f"no curvature can be suggested: the input embeddings are {weight.dtype} of shape {tuple(weight.shape)} on "
            f"{weight.device}, not a floating matrix that is here; give a number"
        )
    return weight.detach()  # type: ignore[no-any-return]
