"""The command line, made from the options' dataclasses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field
from typing import Annotated, Any, get_type_hints

import typer

from hyplora.train.options import TrainOptions, default_of, option_fields

__all__ = ["with_flags"]


def with_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``command`` with a flag for every option; those that were given come as its first argument, by name.

    Flags that were not given are left out, so that a file can have its say.
    """
    own = inspect.signature(command, eval_str=True)
    parameters = list(own.parameters.values())[1:]
    names = option_fields()

    def wrapped(**given: Any) -> Any:
        flags = {name: value for name in names if (value := given.pop(name)) not in (None, [])}
        return command(flags, **given)

    for name, (concern, option) in names.items():
        hint, kind = _typer_option(concern, option)
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[hint, kind])
        )
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    return wrapped


def _typer_option(concern: str, option: Field[Any]) -> tuple[Any, Any]:
    """Return the type that typer is to parse, and its option; the dataclass does the checking."""
    hint = get_type_hints(get_type_hints(TrainOptions)[concern])[option.name]
    default = default_of(option)
    flag = "--" + option.name.replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}" if hint is bool else flag]
    if option.name in ("model", "data"):
        names.append(f"-{option.name[0]}")
    parsed = bool | None if hint is bool else list[str] | None if isinstance(default, tuple) else str | None
    kind = typer.Option(
        *names,
        help=option.metadata["help"] + _shown(default),
        show_default=False,
        metavar=None if hint is bool else _METAVARS.get(hint, "TEXT"),
        rich_help_panel=concern.capitalize(),
    )
    return parsed, kind


def _shown(default: Any) -> str:
    if default is None or isinstance(default, bool) or default == ():
        return ""
    if isinstance(default, tuple):
        default = " ".join(default)
    words = f"{default:g}" if isinstance(default, float) else str(default)
    return f" [default: {words}]"


_METAVARS = {
    int: "N",
    int | None: "N",
    float: "NUMBER",
    float | str | None: "NUMBER|auto",
    tuple[str, ...]: "NAME ...",
}
