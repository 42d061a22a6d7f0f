"""What all command lines share: options of the same name, errors of one line, tables, JSON."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from typer.core import TyperCommand

from embgeom.errors import InputError, OptionError, first_line

if TYPE_CHECKING:
    from rich.table import Table

Result = TypeVar("Result")

# The exit status that typer gives to Ctrl-C, as shells do.
_INTERRUPTED = 130

__all__ = [
    "Command",
    "DataOption",
    "DataRootOption",
    "DeviceOption",
    "FieldOption",
    "FigureOption",
    "JsonOption",
    "LayerOption",
    "LimitOption",
    "ModelOption",
    "NoSpecialTokensOption",
    "QuietOption",
    "RevisionOption",
    "SeedOption",
    "attempt",
    "check_writable",
    "complain",
    "join_ranks",
    "note",
    "print_table",
    "quieten_libraries",
    "run",
    "short_names",
    "skipped_text",
    "table",
    "write_json",
]

ModelOption = Annotated[
    list[str], typer.Option("--model", "-m", help="Hub id, local folder, or `demo`; several may be given.")
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data", "-d", help="Texts: `demo`, a file, a data set of the paper, or a Hub id; several may be given."
    ),
]
LayerOption = Annotated[str, typer.Option("--layer", help="Which embeddings: `input` or `output`.")]
RevisionOption = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub id.")]
FieldOption = Annotated[str | None, typer.Option("--field", help="The field that holds the text; found if not named.")]
DataRootOption = Annotated[
    Path | None,
    typer.Option("--data-root", help="Folder with NAME/test.json, tried before the Hub; or set EMBGEOM_DATA."),
]
LimitOption = Annotated[int | None, typer.Option("--limit", help="Take the first N texts only.", metavar="N")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Torch device; default: the first GPU, else `cpu`.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of everything that is drawn at random.")]
NoSpecialTokensOption = Annotated[
    bool,
    typer.Option(
        "--no-special-tokens",
        help="Leave out the special tokens that the tokenizer adds: BOS once per text, counted otherwise.",
    ),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        help="Write the results to this file, which the `load_all` of their class reads.",
        metavar="FILE",
    ),
]
FigureOption = Annotated[
    Path | None, typer.Option("--figure", help="Draw the results to this .png, .svg or .pdf.", metavar="FILE")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]


class Command(TyperCommand):
    """A command whose repeatable options take several values at once: ``--model a b`` is ``--model a --model b``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value, then parse as ever."""
        repeatable = {
            name for parameter in self.params if getattr(parameter, "multiple", False) for name in parameter.opts
        }
        spread: list[str] = []
        current: str | None = None
        for number, word in enumerate(args):
            if word.startswith("-"):
                current = word if word in repeatable else None
            elif current is not None and args[number - 1] != current:
                spread.append(current)
            spread.append(word)
        parsed: list[str] = super().parse_args(ctx, spread)
        return parsed


def run(command: Callable[..., Any]) -> NoReturn:
    """Run ``command`` as a program: 0 when done, 1 with one line for bad input, 2 for wrong usage, 130 for Ctrl-C."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(cls=Command)(command)
    try:
        for stream in (sys.stdout, sys.stderr):  # δ, where the locale has no such letter
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            app(standalone_mode=True)
        finally:
            sys.stdout.flush()
    except InputError as error:
        complain(str(error))
        sys.exit(1)
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the end of the program would fail again
        if error.errno == errno.ENOSPC:  # where the reader has gone, nobody needs to know
            complain(f"cannot write to standard output: {error.strerror}")
        sys.exit(1)
    except SystemExit as exit_:
        if exit_.code == _INTERRUPTED:
            complain("interrupted")
        raise
    sys.exit(0)


def attempt(work: Callable[..., Result], *arguments: Any, about: Sequence[str] = (), **options: Any) -> Result | None:
    """Return what ``work`` returns; if its input is at fault, say so and return None, so that the rest can go on.

    ``about`` names the model and the data that it was about, where the line would not say which of several.
    """
    try:
        return work(*arguments, **options)
    except InputError as error:
        complain(f"{' on '.join(about)}: {error}" if about else str(error))
        return None


def complain(message: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")


def note(message: str) -> None:
    """Write one line to standard error that tells of no error."""
    sys.stderr.write(f"note: {' '.join(message.split())}\n")


def quieten_libraries() -> None:
    """Keep the advice of the libraries below out of the way of our own lines."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    for name in ("transformers", "huggingface_hub", "datasets", "httpx", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)


def join_ranks() -> int:
    """Under ``torchrun``, join the other processes and return this one's rank; all but rank 0 fall silent.

    Outside of it, return 0.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0
    import atexit

    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    atexit.register(dist.destroy_process_group)
    rank = int(dist.get_rank())
    if rank > 0:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (until the process ends)
    return rank


def check_writable(*paths: Path | None) -> None:
    """Raise :class:`OptionError` if results could not be written there, before the work that would fill them."""
    named = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in named}) < len(named):
        raise OptionError(f"{named[0]} is to hold two results; name different files")
    for path in named:
        try:
            folder = path.parent
            if path.is_dir():
                problem = "it is a folder"
            elif not folder.is_dir():
                problem = f"there is no folder {folder}"
            elif not os.access(path if path.exists() else folder, os.W_OK):
                problem = "permission denied"
            else:
                continue
        except OSError as error:  # a name that is too long
            problem = error.strerror or first_line(error)
        raise OptionError(f"cannot write {path}: {problem}")


def write_json(path: Path, records: Sequence[Any]) -> bool:
    """Write a list of records, one object each, whole or not at all; return True for :func:`attempt`."""
    from embgeom.results import write_text

    write_text(path, json.dumps([record.to_dict() for record in records], ensure_ascii=False, indent=1) + "\n")
    return True


def skipped_text(records: int) -> str:
    """Return the part of a caption that says how many blank records were skipped; nothing if none were."""
    if not records:
        return ""
    return "; 1 blank record was skipped" if records == 1 else f"; {records} blank records were skipped"


def table(*headings: str) -> Table:
    """Return an empty table in the common style; a heading that begins with ``>`` is that of a column of numbers."""
    from rich import box
    from rich.table import Table

    empty = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for heading in headings:
        if heading.startswith(">"):
            empty.add_column(heading[1:], justify="right", no_wrap=True)
        else:
            empty.add_column(heading, overflow="fold")
    return empty


def print_table(table: Table, *, title: str, caption: str | None = None) -> None:
    """Print to standard output; where nobody looks at a terminal, as wide as the contents."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=1000)
        console = Console(width=console.measure(table).maximum)
    console.print(title + "\n", style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table)
    if caption is not None:
        console.print("\n" + caption, style="italic", soft_wrap=True, markup=False, highlight=False)
    console.print()


def short_names(models: Sequence[str]) -> dict[str, str]:
    """Return what to call models in a table: a folder by its name, unless two would then be called the same.

    A name that says nothing (``model``, ``checkpoint-500``, the hash of a snapshot) has its parent's in front.
    """
    from embgeom.plots.common import model_name

    short = {model: model_name(model) if Path(model).is_dir() else model for model in models}
    return {model: name if list(short.values()).count(name) == 1 else model for model, name in short.items()}
