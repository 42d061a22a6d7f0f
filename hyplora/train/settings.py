"""Where options come from: defaults, then presets, then a YAML file, then the command line; the later one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from embgeom.errors import OptionError, choose
from hyplora.train.options import METHODS, TrainOptions, option_fields

__all__ = ["presets", "read_settings", "resolve", "to_yaml"]

_BY_METHOD = "by_method"

Layer = tuple[str, Mapping[str, Any]]
"""What to call a source of options in an error, and the options that it has."""


def resolve(flags: Mapping[str, Any], *, preset: Sequence[str] = (), config: Path | None = None) -> TrainOptions:
    """Return the options of a training.

    Parameters
    ----------
    flags : mapping
        What the command line says.
    preset : sequence of str
        Names of presets, the later ones over the earlier ones. Without any, ``demo`` where neither flags nor file name
        a model or data.
    config : Path, optional
        A YAML file.

    Raises
    ------
    OptionError
        A file that cannot be read, an unknown preset, an unknown name, or a value out of range; a file's fault with
        its name.
    """
    file: list[Layer] = [] if config is None else [(str(config), read_settings(config))]
    if not preset and not any(name in layer for name in ("model", "data") for layer in (flags, *(f for _, f in file))):
        preset = ("demo",)
    layers = [(f"preset {name}", _preset(name)) for name in preset] + file
    method = flags.get("method")
    for _, values in reversed(layers):
        method = method or values.get("method")
    merged: dict[str, Any] = {}
    for origin, values in layers:
        merged |= _of_method(values, str(method or METHODS[0]))
        try:
            # alone, so that the error can say whose fault it is; what depends on the method, once all is known
            TrainOptions.of({name: value for name, value in merged.items() if name not in ("method", "curvature")})
            choose("method", merged.get("method", METHODS[0]), METHODS)
        except OptionError as error:
            raise OptionError(f"{origin}: {error}") from None
    return TrainOptions.of({**merged, **flags})


def read_settings(path: Path) -> dict[str, Any]:
    """Read a YAML file of options, by name, or by concern (model, data, adapter, run) and name.

    Raises
    ------
    OptionError
        It cannot be read, is no YAML or no mapping, or has a key that is no option.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _parse(text, str(path))


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = resources.files("hyplora.train") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def to_yaml(options: TrainOptions) -> str:
    """Return the options as the text of a file that gives the same ones."""
    import yaml

    return str(yaml.safe_dump(options.by_concern(), sort_keys=False, allow_unicode=True))


@cache
def _preset(name: str) -> dict[str, Any]:
    choose("preset", name, presets())
    entry = resources.files("hyplora.train") / "presets" / f"{name}.yaml"
    return _parse(entry.read_text(encoding="utf-8"), f"preset {name}")


def _parse(text: str, origin: str) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a date that there is none of
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" at line {mark.line + 1}"
        raise OptionError(f"{origin}: malformed YAML{place}: {getattr(error, 'problem', None) or error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"{origin}: expected names of options with their values, not {type(content).__name__}")
    by_method = content.pop(_BY_METHOD, {})
    found = _flat(content, origin)
    if not isinstance(by_method, dict):
        raise OptionError(f"{origin}: {_BY_METHOD} is to hold the options of each method, by its name")
    for method, values in by_method.items():
        where = f"{origin}: {_BY_METHOD}"
        if method not in METHODS:
            raise OptionError(f"{where}: unknown method {method!r}; choose one of: {', '.join(METHODS)}")
        found.setdefault(_BY_METHOD, {})[method] = _flat(values or {}, f"{where}: {method}")
    return found


def _flat(content: Any, origin: str) -> dict[str, Any]:
    """Return options by name, none of them below the name of a concern."""
    known = option_fields()
    concerns = {concern for concern, _ in known.values()}
    if not isinstance(content, dict):
        raise OptionError(f"{origin}: expected names of options with their values, not {content!r}")
    found: dict[str, Any] = {}
    for key, value in content.items():
        section = value if key in concerns and isinstance(value, dict) else {key: value}
        for name, inner in section.items():
            if name not in known or (section is value and known[name][0] != key):
                below = f" of {key}" if section is value else ""
                near = [option for option, (concern, _) in known.items() if section is not value or concern == key]
                raise OptionError(f"{origin}: unknown key {name!r}{below}; the keys are: {', '.join(near)}")
            if name in found:
                raise OptionError(f"{origin}: {name} is there twice")
            found[name] = inner
    return found


def _of_method(values: Mapping[str, Any], method: str) -> dict[str, Any]:
    plain = {name: value for name, value in values.items() if name != _BY_METHOD}
    return plain | dict(values.get(_BY_METHOD, {}).get(method, {}))
