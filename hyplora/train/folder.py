"""The output folder: what is in it, which of its checkpoints are whole, and how it comes to be finished.

A checkpoint is whole once it has the file :data:`WHOLE`, which is written last and in one step; whatever a killed run
left without it is never read, and removed by the next. The folder is finished once it has :data:`SUMMARY`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from embgeom.errors import OptionError
from embgeom.results import write_text

__all__ = ["CONFIG", "SUMMARY", "WHOLE", "OutputFolder"]

CONFIG = "training.yaml"
SUMMARY = "summary.json"
WHOLE = "whole"

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STAGING = ".unfinished"
_ARGUMENTS = "training_args.bin"  # a pickle that nothing here reads


class OutputFolder:
    """A folder that a training writes to.

    Parameters
    ----------
    path : str or Path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()

    @property
    def config(self) -> Path:
        """The file of the options."""
        return self.path / CONFIG

    @property
    def is_finished(self) -> bool:
        """Whether a training has come to its end here."""
        return (self.path / SUMMARY).is_file()

    @property
    def is_begun(self) -> bool:
        """Whether a training has started here."""
        return self.config.is_file()

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raise :class:`OptionError` unless a training may begin, or go on, here."""
        try:
            content = any(self.path.iterdir()) if self.path.exists() else False
        except OSError as error:
            raise OptionError(f"output {self.path}: {error.strerror or error}") from None
        if resume and overwrite:
            raise OptionError("--resume goes on and --overwrite starts anew; take one of the two")
        if resume:
            if not self.is_begun:
                raise OptionError(f"output {self.path} holds no training to resume ({CONFIG} is not there)")
            if self.is_finished:
                raise OptionError(f"output {self.path} holds a finished training; there is nothing to resume")
        elif content and not self.is_begun:
            raise OptionError(f"output {self.path} holds other things than a training; name another folder")
        elif content and not overwrite:
            what = "a finished training" if self.is_finished else "an unfinished training (--resume goes on with it)"
            raise OptionError(f"output {self.path} holds {what}; --overwrite starts anew, or name another folder")

    def prepare(self, options: str, *, overwrite: bool) -> None:
        """Make the folder, empty it of an earlier training that is to be overwritten, and write the options to it."""
        try:
            if overwrite and self.is_begun:
                # the summary first: what is left, should this be interrupted, is no finished training
                (self.path / SUMMARY).unlink(missing_ok=True)
                for entry in self.path.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"output {self.path}: {error.strerror or error}") from None
        write_text(self.config, options)

    def last_checkpoint(self) -> Path | None:
        """Return the latest checkpoint that is whole."""
        whole = {step: path for step, path in self._checkpoints() if (path / WHOLE).is_file()}
        return whole[max(whole)] if whole else None

    def clear(self) -> None:
        """Remove what a killed training left half-written."""
        for _, path in self._checkpoints():
            if not (path / WHOLE).is_file():
                shutil.rmtree(path)
        shutil.rmtree(self.staging, ignore_errors=True)

    def _checkpoints(self) -> list[tuple[int, Path]]:
        entries = list(self.path.iterdir()) if self.path.is_dir() else []
        return [(int(match[1]), entry) for entry in entries if (match := _CHECKPOINT.fullmatch(entry.name))]

    def seal(self, step: int) -> None:
        """Declare the checkpoint of a step whole."""
        checkpoint = self.path / f"checkpoint-{step}"
        (checkpoint / _ARGUMENTS).unlink(missing_ok=True)
        write_text(checkpoint / WHOLE, "")

    @property
    def staging(self) -> Path:
        """A folder in the folder, for files that are not whole yet."""
        return self.path / _STAGING

    def publish(self) -> None:
        """Move what is in :attr:`staging` to the folder itself, file by file, each in one step."""
        for entry in sorted(self.staging.iterdir()):
            if entry.name != _ARGUMENTS:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(entry, self.path / entry.name)
        shutil.rmtree(self.staging)
