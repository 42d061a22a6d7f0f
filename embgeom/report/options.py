"""What a sweep is asked for: checked before any work, and read from a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from embgeom.errors import InputError, OptionError, first_line
from embgeom.layers.names import hidden_layers

__all__ = ["SweepOptions", "read_sweep"]

_DRAWS, _LAYER_DRAWS = 19, 3
_LISTS = ("models", "data", "layers", "null")


@dataclass(frozen=True)
class SweepOptions:
    """What to measure.

    Attributes
    ----------
    models : sequence of str
        As for :func:`embgeom.load_embeddings`.
    data : sequence of str
        As for :func:`embgeom.load_texts`.
    layers : sequence of str
        ``input``, ``output``, ``hidden:K``, or ``all``: every hidden layer, in one pass through the model.
    null : sequence of str
        Names in ``embgeom.nulls.NULLS``, ``all``, or ``none``. Hidden layers take those that need no vocabulary.
    null_draws : int, optional
        Null clouds per prompt and null; by default 19, and 3 for hidden layers.
    limit : int, optional
        The first so many texts of each corpus.
    field : str, optional
        The field that holds the text; found if not named.
    data_root : str, optional
    seed : int
    """

    models: tuple[str, ...] = ("demo",)
    data: tuple[str, ...] = ("demo",)
    layers: tuple[str, ...] = ("input",)
    null: tuple[str, ...] = ("all",)
    null_draws: int | None = None
    limit: int | None = None
    field: str | None = None
    data_root: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise :class:`OptionError` for what can be seen to be wrong before anything is read."""
        for name in _LISTS:
            _check_list(name, getattr(self, name))
        for layer in self.layers:
            if isinstance(hidden_layers(layer), list) and "all" in self.layers:
                raise OptionError(f"layer all has {layer} in it; leave out one of the two")
        self.check_nulls()

    def check_nulls(self) -> None:
        """Raise :class:`OptionError` for unknown nulls, and for draws that are none or too few."""
        from embgeom.calibration.checks import check_calibration
        from embgeom.delta.checks import check_seed, require_at_least

        check_seed(self.seed)
        if self.limit is not None:
            require_at_least("limit", self.limit, 1)
        if self.null_draws is not None:
            require_at_least("null draws", self.null_draws, 1)
        if "none" in self.null and len(self.null) > 1:
            raise OptionError("null none leaves out all nulls; name no other beside it")
        if "none" in self.null and self.null_draws is not None:
            raise OptionError("null draws were asked for and no null; leave out one of the two")
        for layer in self.layers:
            nulls, draws = self.nulls_of(layer)
            if nulls and hidden_layers(layer) is None:
                check_calibration(draws=draws, level=0.05)

    def nulls_of(self, layer: str) -> tuple[tuple[str, ...], int]:
        """Return which nulls a layer is set beside, and how many draws of each.

        Raises
        ------
        OptionError
            For an unknown null, and if a hidden layer has none of those that are named.
        """
        if self.null == ("none",):
            return (), 0
        from embgeom.calibration.checks import choose_nulls

        nulls = choose_nulls(self.null, level="prompts")
        if hidden_layers(layer) is None:
            return nulls, self.null_draws or _DRAWS
        from embgeom.layers.measure import LAYER_NULLS

        own = tuple(name for name in nulls if name in LAYER_NULLS)
        if not own:
            raise OptionError(
                f"layer {layer}: {', '.join(nulls)} would draw from the vocabulary, which hidden layers have not; "
                f"add one of: {', '.join(LAYER_NULLS)}"
            )
        return own, self.null_draws or _LAYER_DRAWS


def read_sweep(path: str | PathLike[str]) -> dict[str, Any]:
    """Read what a sweep is asked for from a YAML file, as keyword arguments of :class:`SweepOptions`.

    The keys, none of which is needed::

        models: [demo, path/to/model]        # Hub ids, folders, demo
        data: [gsm8k, prompts.jsonl]
        layers: [input, output, hidden:4]    # or all
        null: all                            # or none, or a list of names
        null-draws: 19
        limit: 200
        field: instruction
        data-root: path/to/data
        seed: 0

    A single value stands for a list of one. Paths are relative to the folder that the command runs in.

    Raises
    ------
    InputError
        If the file cannot be read, or has another key, or a value of another kind; with the file and the key.
    """
    import yaml

    name = fspath(path)
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"sweep {name}: cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"sweep {name}{line}: not YAML: {error.problem or first_line(error)}") from None
    except yaml.YAMLError as error:
        raise InputError(f"sweep {name}: not YAML: {first_line(error)}") from None
    known = [field.name.replace("_", "-") for field in fields(SweepOptions)]
    if not isinstance(content, dict):
        raise InputError(f"sweep {name}: expected keys and values; the keys are: {', '.join(known)}")
    found: dict[str, Any] = {}
    for written, value in content.items():
        key = "null" if written is None else written  # YAML has a null of its own
        if key not in known:
            raise InputError(f"sweep {name}: unknown key {key!r}; choose from: {', '.join(known)}")
        found[key.replace("-", "_")] = _value(f"sweep {name}: key {key!r}", key.replace("-", "_"), value)
    return found


def _value(where: str, name: str, value: Any) -> Any:
    """Return a value of the file as the option takes it."""
    if name in _LISTS:
        values = value if isinstance(value, list) else [value]
        if name == "null" and value is None:  # YAML reads `null: null` so
            values = ["none"]
        if not values or not all(isinstance(entry, str) for entry in values):
            raise InputError(f"{where}: expected a name or a list of names, got {value!r:.60}")
        return tuple(values)
    wanted = int if name in ("null_draws", "limit", "seed") else str
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise InputError(f"{where}: expected {'a whole number' if wanted is int else 'a text'}, got {value!r:.60}")
    return value


def _check_list(name: str, values: Sequence[str]) -> None:
    what = {"models": "model", "data": "data set", "layers": "layer", "null": "null"}[name]
    if isinstance(values, str) or not values:
        raise OptionError(f"{name}: expected a list of names, got {values!r}")
    twice = sorted({value for value in values if list(values).count(value) > 1})
    if twice:
        raise OptionError(f"{what} {twice[0]!r} is named twice")
