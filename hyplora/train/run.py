"""A training from its options to its adapter."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embgeom.errors import CorpusError, OptionError, first_line
from embgeom.progress import progress_bar
from embgeom.results import versions, write_text
from hyplora.train.folder import SUMMARY, OutputFolder
from hyplora.train.options import TrainOptions
from hyplora.train.settings import resolve, to_yaml
from hyplora.train.summary import TrainingSummary

if TYPE_CHECKING:
    from hyplora.prompts import PromptRecord
    from hyplora.train.contamination import ContaminationReport
    from hyplora.train.examples import Example, Examples
    from hyplora.train.loop import GeometryTrainer

__all__ = ["HISTORY", "train"]

HISTORY = "history.json"
"""Every log entry of a training: the losses with the geometry at that step, and the validation losses."""


def train(
    options: TrainOptions,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    announce: Callable[[str], None] = lambda line: None,
) -> TrainingSummary:
    """Fine-tune a model, and leave the adapter in ``options.run.output``.

    Parameters
    ----------
    options : TrainOptions
    resume : bool
        Go on with the unfinished training that is there, from its last whole checkpoint; the options must be the same.
    overwrite : bool
        Start anew where a training is.
    progress : bool
        Whether to show a bar on standard error.
    announce : callable
        Called, before the training, with lines on what the data have in common with test sets.

    Returns
    -------
    TrainingSummary
        Also written to the folder, as the last of its files.

    Raises
    ------
    InputError
        Options, data or model are at fault; the loss is not finite; or the folder cannot be written to.
    """
    began = time.monotonic()
    is_main = int(os.environ.get("RANK", "0")) == 0
    folder = OutputFolder(options.run.output)
    if is_main:
        folder.check(resume=resume, overwrite=overwrite)
    if overwrite:
        _check_outside(options, folder)
    if resume:
        _check_same(options, folder)

    _check_packages()
    from hyplora.train.adapters import add_adapter, starting_curvature
    from hyplora.train.arguments import trainer_arguments
    from hyplora.train.base import load_base, padding_token, pick_precision, third_party_advice
    from hyplora.train.contamination import CONTAMINATION
    from hyplora.train.examples import Collator

    third_party_advice()
    precision = pick_precision(options.model.precision)
    arguments = trainer_arguments(options, folder, precision)
    network, tokenizer, source = load_base(options.model, precision)
    report = _contamination(options, folder, resume=resume, progress=progress and is_main)
    if is_main and not resume:
        for line in (*report.lines(), *report.quotations()):
            announce(line)
    read = _read(options, tokenizer, "train", without=report.excluded, progress=progress and is_main)
    training, validation = _split(read, options, tokenizer)
    curvature, relative_delta = starting_curvature(network, options.adapter, training, seed=options.run.seed)

    from transformers import set_seed

    set_seed(options.run.seed)
    model = add_adapter(network, options.adapter, curvature)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)

    from hyplora.train.loop import GeometryTrainer, geometry

    with _writing_to(folder):
        if is_main:
            if not resume:
                folder.prepare(to_yaml(options), overwrite=overwrite)
                report.save(folder.path / CONTAMINATION)
            folder.clear()
        _wait(arguments)
        last = folder.last_checkpoint() if resume else None
        done = 0 if last is None else int(last.name.rpartition("-")[2])
        trainer = GeometryTrainer(
            folder=folder,
            steps_done=done,
            model=model,
            args=arguments,
            data_collator=Collator(padding_token(tokenizer)),
            train_dataset=training,
            eval_dataset=validation or None,
            processing_class=tokenizer,
        )
        _check_sharding(trainer)
        _set_callbacks(trainer, folder, show=progress and is_main)
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
        validation_loss = _validation_loss(trainer) if validation else None
        trainer.save_model(str(folder.staging))
        _wait(arguments)
        at_end = geometry(trainer.model, trainer.probe)
        history = trainer.state.log_history
        summary = TrainingSummary(
            output=str(folder.path),
            model=options.model.model,
            revision=source.revision,
            data=options.data.data,
            method=options.adapter.method,
            rank=options.adapter.rank,
            parameters=parameters,
            steps=trainer.state.global_step,
            epochs=float(trainer.state.epoch or 0.0),
            records=len(training),
            validation_records=len(validation),
            truncated=read.truncated,
            cut_off=read.cut_off,
            skipped=read.skipped,
            tokens=sum(len(example.ids) - max(example.learned, 1) for example in training),
            train_loss=next(entry["loss"] for entry in reversed(history) if "loss" in entry),
            validation_loss=validation_loss,
            curvature=curvature,
            relative_delta=relative_delta,
            curvatures=_part(at_end, "curvature/"),
            gains=_part(at_end, "gain/"),
            processes=arguments.world_size,
            precision=precision,
            seconds=time.monotonic() - began,
            resumed_from=None if last is None else done,
            seed=options.run.seed,
            versions=versions(),
            contamination=report.lines(),
        )
        if is_main:
            folder.publish()
            write_text(folder.path / HISTORY, json.dumps(history, indent=1) + "\n")
            summary.save(folder.path / SUMMARY)
    return summary


def _check_packages() -> None:
    for package in ("accelerate", "peft"):
        if importlib.util.find_spec(package) is None:
            raise OptionError(f"training needs the package {package}: pip install 'embgeom[train]'")


def _check_outside(options: TrainOptions, folder: OutputFolder) -> None:
    """Refuse to overwrite a folder that holds what is to be read: it would be removed with the earlier training."""
    data = options.data
    needed = [("model", options.model.model), ("data", data.data), ("data_root", data.data_root)]
    needed += [("check_against", name) for name in data.check_against]
    inside = folder.path.resolve()
    for name, value in needed:
        place = os.path.expanduser(value or "")
        if os.path.exists(place) and Path(place).resolve().is_relative_to(inside):
            raise OptionError(
                f"{name} {value} lies in output {folder.path}, which --overwrite empties; move it, or name "
                "another folder"
            )


def _check_same(options: TrainOptions, folder: OutputFolder) -> None:
    """Refuse to go on with other options than a training was begun with; the folder may have moved."""
    begun = resolve({}, config=folder.config).values()
    for name, value in options.values().items():
        if name != "output" and begun[name] != value:
            raise OptionError(
                f"--resume goes on with what {folder.config} has, {name}: {begun[name]}, and not {value}; "
                "leave the option out"
            )


def _contamination(options: TrainOptions, folder: OutputFolder, *, resume: bool, progress: bool) -> ContaminationReport:
    """Compare the data with the test sets; a training that goes on leaves out what it left out before."""
    from hyplora.train.contamination import CONTAMINATION, ContaminationReport, check_contamination

    if resume and (folder.path / CONTAMINATION).is_file():
        return ContaminationReport.load(folder.path / CONTAMINATION)
    with progress_bar(0, "comparing", show=progress) as bar:
        return check_contamination(options.data, seed=options.run.seed, on_done=bar.update)


def _read(
    options: TrainOptions, tokenizer: Any, split: str, *, without: Sequence[int] = (), progress: bool
) -> Examples:
    from hyplora.train.examples import tokenize
    from hyplora.train.records import read_training_records

    left_out = set(without)

    def records(on_bad: Callable[[CorpusError], None] | None) -> Iterator[tuple[str, PromptRecord]]:
        found = read_training_records(options.data, split=split, seed=options.run.seed, on_bad=on_bad)
        return (named for index, named in enumerate(found) if index not in left_out)

    with progress_bar(0, "reading", show=progress) as bar:
        return tokenize(
            records,
            tokenizer,
            options.data,
            on_done=bar.update,
        )


def _split(read: Examples, options: TrainOptions, tokenizer: Any) -> tuple[list[Example], list[Example]]:
    """Draw the validation records; the others keep their order, which the Trainer shuffles."""
    import numpy as np

    from hyplora.train.records import ARITHMETIC

    held = options.data.validation
    if options.data.data == ARITHMETIC and held:
        return list(read.examples), list(_read(options, tokenizer, "validation", progress=False).examples)
    if held >= len(read.examples):
        raise OptionError(
            f"validation {held} leaves nothing to learn from {len(read.examples)} records; take fewer, or 0 for none"
        )
    chosen = set(np.random.default_rng(options.run.seed).permutation(len(read.examples))[:held].tolist())
    training = [example for index, example in enumerate(read.examples) if index not in chosen]
    return training, [read.examples[index] for index in sorted(chosen)]


def _check_sharding(trainer: GeometryTrainer) -> None:
    """Refuse what accelerate would do instead of the FSDP that it was told to do."""
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true":
        return
    if not trainer.is_fsdp_enabled:
        raise OptionError("FSDP was asked for, and accelerate has it on several GPUs only; launch without it")
    if getattr(trainer.accelerator.state.fsdp_plugin, "fsdp_version", 1) < 2:
        raise OptionError("FSDP of version 1 hides the parameters whose values are logged; set fsdp_version: 2")


def _set_callbacks(trainer: GeometryTrainer, folder: OutputFolder, *, show: bool) -> None:
    from transformers.trainer_callback import PrinterCallback

    from hyplora.train.loop import CheckGradients, LogLastStep, SealCheckpoints, ShowProgress

    trainer.remove_callback(PrinterCallback)
    for callback in (CheckGradients(trainer), LogLastStep(), SealCheckpoints(folder), ShowProgress(show=show)):
        trainer.add_callback(callback)


def _validation_loss(trainer: GeometryTrainer) -> float:
    """Return the validation loss after the last step, which a checkpoint at that step has measured already."""
    measured = next((entry for entry in reversed(trainer.state.log_history) if "eval_loss" in entry), None)
    if measured is not None and measured["step"] == trainer.state.global_step:
        return float(measured["eval_loss"])
    return float(trainer.evaluate()["eval_loss"])


def _part(values: dict[str, float], prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _wait(arguments: Any) -> None:
    if arguments.world_size > 1:
        import torch

        torch.distributed.barrier()


@contextmanager
def _writing_to(folder: OutputFolder) -> Iterator[None]:
    """Turn what comes of a full disk, in its three disguises, into one line."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        # safetensors has the system's words, torch.save a place in its archive
        signs = ("No space left", "File too large", "Disk quota exceeded", "inline_container", "PytorchStreamWriter")
        if not full and not any(sign in str(error) for sign in signs):
            raise
        kept = folder.last_checkpoint()
        goes_on = f"goes on from {kept.name}" if kept else "begins again, because there is no checkpoint yet"
        # torch has a place in its archive for a reason
        reason = getattr(error, "strerror", None) or first_line(error)
        if "inline_container" in reason or "PytorchStreamWriter" in reason:
            reason = "a file could not be written whole"
        raise OptionError(
            f"cannot write to {folder.path}: {reason}; is the disk full? Make room, then --resume {goes_on}"
        ) from None
