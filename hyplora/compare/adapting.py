"""One training in memory, by the parts of :mod:`hyplora.train`, whatever the method."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from embgeom.errors import OptionError
from hyplora.compare.options import CompareOptions, Contender
from hyplora.train.options import TrainOptions

if TYPE_CHECKING:
    import torch

    from hyplora.train.examples import Example

__all__ = ["Adapted", "adapt", "budgets"]

_GEOMETRY = ("lora_curvature", "lora_norm_scale")


@dataclass(frozen=True)
class Adapted:
    """A trained model, and what tells whether it was trained as the others were.

    Attributes
    ----------
    model : torch.nn.Module
    curvature, relative_delta : float or None
        K at the start, and the relative δ that it was taken from.
    curvatures : tuple of float or None
        The smallest and the largest K at the end.
    order, start : str
        Hashes of the records in their order, and of A before the first step.
    """

    model: Any
    curvature: float | None
    relative_delta: float | None
    curvatures: tuple[float, float] | None
    order: str
    start: str


def adapt(options: TrainOptions, training: Sequence[Example]) -> Adapted:
    """Train an adapter, and leave nothing on disk.

    Raises
    ------
    TrainingError
        A loss or a gradient is not finite.
    InputError
        As the functions of :mod:`hyplora.train` raise.
    """
    from transformers import set_seed
    from transformers.trainer_callback import PrinterCallback

    from hyplora.train.adapters import add_adapter, learned_curvatures, starting_curvature
    from hyplora.train.arguments import trainer_arguments
    from hyplora.train.base import load_base, padding_token, pick_precision
    from hyplora.train.examples import Collator
    from hyplora.train.folder import OutputFolder
    from hyplora.train.loop import CheckGradients, GeometryTrainer

    precision = pick_precision(options.model.precision)
    network, tokenizer, _ = load_base(options.model, precision)
    curvature, relative_delta = starting_curvature(network, options.adapter, training, seed=options.run.seed)
    set_seed(options.run.seed)
    model = add_adapter(network, options.adapter, curvature)
    start = _start(model)
    collator = _Recording(Collator(padding_token(tokenizer)))
    with TemporaryDirectory() as place:
        folder = OutputFolder(place)
        arguments = trainer_arguments(options, folder, precision)
        arguments.save_strategy = "no"
        trainer = GeometryTrainer(
            folder=folder,
            model=model,
            args=arguments,
            data_collator=cast(Collator, collator),
            train_dataset=list(training),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(CheckGradients(trainer))
        trainer.train()
    ends = learned_curvatures(trainer.model).values()
    return Adapted(
        trainer.model,
        curvature,
        relative_delta,
        (min(ends), max(ends)) if ends else None,
        collator.digest.hexdigest(),
        start,
    )


def budgets(network: Any, options: CompareOptions) -> dict[Contender, tuple[int, int]]:
    """Return how many numbers each contender trains, and how many of them are K and norm scales.

    Parameters
    ----------
    network : torch.nn.Module
        The base model, which is left as it was.
    options : CompareOptions

    Raises
    ------
    OptionError
        A contender trains others than the first does, K and norm scales set aside; or its targets are not there.
    """
    from hyplora.train.adapters import add_adapter

    found: dict[Contender, tuple[int, int]] = {}
    first = options.contenders[0]
    for contender in options.contenders:
        adapter = options.training(contender, learning_rate=1.0, alpha=1.0, seed=0).adapter
        model = add_adapter(network, adapter, 1.0 if adapter.is_hyperbolic else None)
        trained = [(name, p.numel()) for name, p in model.named_parameters() if p.requires_grad]
        network = model.unload()
        geometry = sum(count for name, count in trained if any(part in name for part in _GEOMETRY))
        found[contender] = sum(count for _, count in trained), geometry
        ours, theirs = (total - own for total, own in (found[contender], found[first]))
        if ours != theirs:
            raise OptionError(
                f"{contender.method} trains {ours:,} parameters at rank {options.rank}, K and norm scales set aside, "
                f"and {first.method} {theirs:,}: not the same budget; leave one of the two out"
            )
    return found


class _Recording:
    """Collates, and hashes the records that it is given, in their order."""

    def __init__(self, collate: Any) -> None:
        self.collate = collate
        self.digest = hashlib.sha256()

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        for example in examples:
            self.digest.update(len(example.ids).to_bytes(8, "big") + example.ids.tobytes())
        batch: dict[str, torch.Tensor] = self.collate(examples)
        return batch


def _start(model: Any) -> str:
    import torch

    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            digest.update(parameter.detach().to("cpu", torch.float32).numpy().tobytes())
    return digest.hexdigest()
