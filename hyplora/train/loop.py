"""transformers' Trainer, with the geometry in its logs, and without a step on a broken loss.

Imports transformers; import it late.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import Trainer, TrainerCallback, TrainingArguments

from embgeom.errors import InputError
from embgeom.progress import progress_bar
from hyplora.train.adapters import learned_curvatures
from hyplora.train.examples import Collator, Example
from hyplora.train.folder import OutputFolder

__all__ = [
    "CheckGradients",
    "GeometryTrainer",
    "LogLastStep",
    "SealCheckpoints",
    "ShowProgress",
    "TrainingError",
    "geometry",
]

_PROBES = 4


class TrainingError(InputError):
    """A training that cannot go on; the message says what to try."""


def geometry(model: Any, probe: Mapping[str, Tensor]) -> dict[str, float]:
    """Return ``curvature/LAYER``, K, and ``gain/LAYER``, the mean of the gate over the tokens of ``probe``.

    Empty for methods other than HypLoRA.
    """
    from hyplora import gains

    curvatures = learned_curvatures(model)
    if not curvatures:
        return {}
    found = gains(model, {name: probe[name] for name in ("input_ids", "attention_mask")})
    means = {name.removeprefix("base_model.model."): float(values.nanmean()) for name, values in found.items()}
    return {f"curvature/{name}": K for name, K in curvatures.items()} | {f"gain/{name}": g for name, g in means.items()}


class GeometryTrainer(Trainer):  # type: ignore[misc]
    """A Trainer of :class:`~hyplora.train.examples.Example`.

    Parameters
    ----------
    folder : OutputFolder
    train_dataset, eval_dataset : sequence of Example
    data_collator : Collator
    steps_done : int
        The step of the checkpoint that it is to go on from.
    """

    def __init__(
        self,
        *,
        folder: OutputFolder,
        data_collator: Collator,
        train_dataset: Sequence[Example],
        steps_done: int = 0,
        **given: Any,
    ) -> None:
        super().__init__(data_collator=data_collator, train_dataset=train_dataset, **given)
        self.folder = folder
        self.steps_done = steps_done
        # always the same records, so that what changes is the adapter
        self.probe = data_collator(train_dataset[:_PROBES])

    def set_initial_training_values(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Plan no epoch where the checkpoint is of the last step; transformers would take another step then."""
        values: tuple[Any, ...] = super().set_initial_training_values(*args, **kwargs)
        return (0, *values[1:]) if self.steps_done >= values[-1] else values

    def training_step(self, model: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Run a micro-batch forward and backward; raise :class:`TrainingError` if the loss is not finite."""
        loss: Tensor = super().training_step(model, *args, **kwargs)
        if not math.isfinite(loss.item()):
            raise self._broken(f"the loss is {loss.item()}")
        return loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the geometry to what is logged of a step."""
        if "loss" in logs:
            logs |= geometry(self.model, self.probe)
        super().log(logs, *args, **kwargs)

    def check_gradients(self) -> None:
        """Raise :class:`TrainingError` if a gradient is not finite, before a step spoils the weights."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        if gradients and not bool(torch.stack(torch._foreach_norm(gradients)).isfinite().all()):
            raise self._broken("a gradient is not finite")

    def _broken(self, what: str) -> TrainingError:
        last = self.folder.last_checkpoint()
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        rate = self.lr_scheduler.get_last_lr()[0]
        return TrainingError(
            f"{what} at step {self.state.global_step + 1}, learning rate {rate:g}: try a lower --learning-rate, more "
            f"--warmup-steps, a smaller --alpha, or --precision fp32; {kept}"
        )


class CheckGradients(TrainerCallback):  # type: ignore[misc]
    """Looks at the gradients before each optimizer step; fp16 has overflows that its scaler deals with."""

    def __init__(self, trainer: GeometryTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: TrainingArguments, *_: Any, **__: Any) -> None:
        """Stop on a gradient that is not finite."""
        if not args.fp16:
            self.trainer.check_gradients()


class LogLastStep(TrainerCallback):  # type: ignore[misc]
    """Has the last step logged, whatever the interval: a short training may not have another entry."""

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **__: Any) -> None:
        """Ask for an entry at the end."""
        control.should_log |= state.global_step >= state.max_steps


class SealCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Declares a checkpoint whole when every process has written its part."""

    def __init__(self, folder: OutputFolder) -> None:
        self.folder = folder

    def on_save(self, args: TrainingArguments, state: Any, *_: Any, **__: Any) -> None:
        """Wait for the other processes, then write the mark."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            self.folder.seal(state.global_step)


class ShowProgress(TrainerCallback):  # type: ignore[misc]
    """A bar on standard error with the latest loss and the range of K, and a line for every validation."""

    def __init__(self, *, show: bool) -> None:
        self.show = show
        self.bar: tqdm[None] | None = None

    def on_train_begin(self, args: TrainingArguments, state: Any, *_: Any, **__: Any) -> None:
        """Draw the bar."""
        self.bar = progress_bar(state.max_steps, "training", show=self.show)
        self.bar.update(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: Any, *_: Any, **__: Any) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: TrainingArguments, state: Any, control: Any, logs: Mapping[str, float], **__: Any) -> None:
        """Show the loss and the geometry."""
        if self.bar is None:
            return
        if "loss" in logs:
            shown = f"loss {logs['loss']:.4f}"
            for name, letter in (("curvature/", "K"), ("gain/", "gain")):
                values = [value for key, value in logs.items() if key.startswith(name)]
                shown += f", {letter} {min(values):.3g}–{max(values):.3g}" if values else ""
            self.bar.set_postfix_str(shown)
        elif "eval_loss" in logs and self.show:
            self.bar.write(f"step {state.global_step}: validation loss {logs['eval_loss']:.4f}", file=sys.stderr)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
