"""Our options as those of transformers' Trainer."""

from __future__ import annotations

import os
from typing import Any

from embgeom.errors import OptionError
from hyplora.train.folder import OutputFolder
from hyplora.train.options import RunOptions, TrainOptions

__all__ = ["trainer_arguments"]

_KEPT = 2  # checkpoints: while one is being written, there is another that is whole


def trainer_arguments(options: TrainOptions, folder: OutputFolder, precision: str) -> Any:
    """Return the Trainer's arguments; under torchrun, making them is where the processes find each other.

    Raises
    ------
    OptionError
        A batch that cannot be divided among the devices, or a tracker that is not installed.
    """
    import torch
    from transformers import TrainingArguments

    run, model = options.run, options.model
    _check_trackers(run)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    at_a_time = run.micro_batch * processes
    if run.batch % at_a_time:
        each = "" if processes == 1 else f" on each of {processes} devices"
        raise OptionError(
            f"batch {run.batch} is no multiple of micro_batch {run.micro_batch}{each}; change one of them"
        )
    # transformers 5 has another name for it
    checkpointing = "activation_checkpointing"
    if checkpointing not in TrainingArguments.__dataclass_fields__:
        checkpointing = "gradient_checkpointing"
    evaluates = options.data.validation > 0
    # accelerate has processes on CPUs find each other only if it is told that they are on CPUs
    on_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available() or torch.xpu.is_available())
    return TrainingArguments(
        output_dir=str(folder.path),
        per_device_train_batch_size=run.micro_batch,
        per_device_eval_batch_size=run.micro_batch,
        gradient_accumulation_steps=run.batch // at_a_time,
        num_train_epochs=run.epochs,
        max_steps=-1 if run.steps is None else run.steps,
        learning_rate=run.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=run.warmup_steps,
        weight_decay=run.weight_decay,
        seed=run.seed,
        data_seed=run.seed,
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and processes > 1 else None,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        torch_compile=model.compile,
        logging_steps=run.log_every,
        logging_nan_inf_filter=False,
        save_steps=run.save_every,
        save_total_limit=_KEPT,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=run.save_every if evaluates else None,
        prediction_loss_only=True,
        report_to=list(run.report_to) or "none",
        disable_tqdm=True,
        log_level="error",
        log_level_replica="error",
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        label_names=["labels"],
        ddp_find_unused_parameters=False,
        **{checkpointing: model.gradient_checkpointing, f"{checkpointing}_kwargs": {"use_reentrant": False}},
    )


def _check_trackers(run: RunOptions) -> None:
    from transformers.integrations import get_available_reporting_integrations

    there = get_available_reporting_integrations()
    if unknown := [name for name in run.report_to if name not in there]:
        raise OptionError(
            f"report_to: {unknown[0]} is not installed, or unknown; there is: {', '.join(there) or 'none'}"
        )
