"""Predictions on disk: one JSON object per line, added as they come, so that a killed run can go on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embgeom.errors import InputError, OptionError
from embgeom.results import write_text
from hyplora.evaluate.scores import Prediction

__all__ = ["PredictionFile"]


class PredictionFile:
    """``<folder>/<task>.jsonl``, with what its predictions depend on beside it in ``<task>.settings.json``.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    task : str
    settings : mapping
        Of plain values. ``batch_size`` among them may differ from that of an earlier run: it changes no more than
        the last digits of a logit.
    resume : bool, optional
        True: go on with an earlier run of the same settings. False: start anew in its place. None: refuse if there
        is one.

    Attributes
    ----------
    found : dict of int to Prediction
        Those of an earlier run, by the place of their question.
    batch_size : int or None
        That of the earlier run.

    Raises
    ------
    OptionError
        There is an earlier run that was not to be expected, or its settings are others.
    InputError
        The file is malformed, or cannot be written.
    """

    def __init__(self, folder: Path, task: str, settings: Mapping[str, Any], *, resume: bool | None) -> None:
        self.path = folder / f"{task}.jsonl"
        self.settings_path = folder / f"{task}.settings.json"
        self.found: dict[int, Prediction] = {}
        self.batch_size: int | None = None
        self._settings = dict(settings)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
        if resume is False:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            self._check_settings(resume)
            self._read()

    def begin(self, batch_size: int) -> None:
        """Write down what the predictions to come depend on."""
        settings = {**self._settings, "batch_size": batch_size}
        write_text(self.settings_path, json.dumps(settings, ensure_ascii=False, indent=1) + "\n")

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Append predictions; once this returns they outlive the process."""
        lines = "".join(json.dumps(each.to_dict(), ensure_ascii=False) + "\n" for each in predictions)
        try:
            with self.path.open("ab") as stream:
                stream.write(lines.encode("utf-8"))
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from None

    def _check_settings(self, resume: bool | None) -> None:
        try:
            earlier = json.loads(self.settings_path.read_text(encoding="utf-8"))
            self.batch_size = int(earlier.pop("batch_size"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise OptionError(
                f"{self.path} has predictions, and {self.settings_path.name} does not say of what; "
                "--overwrite starts anew"
            ) from None
        now = json.loads(json.dumps({name: value for name, value in self._settings.items() if name != "batch_size"}))
        different = sorted(name for name in {*earlier, *now} if earlier.get(name) != now.get(name))
        if different:
            changes = "; ".join(f"{name} was {earlier.get(name)!r}, is {now.get(name)!r}" for name in different)
            raise OptionError(
                f"{self.path} has predictions made with other settings ({changes}); --overwrite starts anew"
            )
        if resume is None:
            raise OptionError(
                f"{self.path} has predictions already: --resume goes on with them, --overwrite starts anew"
            )

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]  # a process that is killed can leave half a line
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                prediction = Prediction.from_json(line.decode("utf-8"))
            except (ValueError, TypeError, AttributeError):
                raise InputError(f"{self.path}: line {number} is no prediction; --overwrite starts anew") from None
            self.found[prediction.index] = prediction
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
