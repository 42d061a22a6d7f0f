"""Results: frozen records that carry their evidence, and save and load as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from embgeom.errors import InputError, first_line

__all__ = ["Record", "versions", "write_bytes", "write_text"]

_REPORTED = ("embgeom", "numpy", "scipy", "torch", "numba", "transformers", "tokenizers", "safetensors")


@dataclasses.dataclass(frozen=True)
class Record:
    """A frozen dataclass of numbers, texts, tuples and further records."""

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain dictionaries, lists and scalars."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the record that :meth:`to_dict` was called on; keys that it does not have are left out.

        Raises
        ------
        InputError
            If ``values`` is no mapping, lacks a key, or holds something else than such a record does.
        """
        if not isinstance(values, Mapping):
            what = "a list; read a command's list with load_all" if isinstance(values, list) else type(values).__name__
            raise InputError(f"expected a record of {cls.__name__}, an object with its keys, got {what}")
        fields = dataclasses.fields(cls)
        needed = [each.name for each in fields if each.default is each.default_factory is dataclasses.MISSING]
        missing = [name for name in needed if name not in values]
        if missing:
            keys = ", ".join(map(repr, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            raise InputError(f"expected a record of {cls.__name__}, got an object without {keys}")
        hints = get_type_hints(cls)
        found = {}
        for name in (each.name for each in fields if each.name in values):
            try:
                found[name] = _restore(hints[name], values[name])
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
            except (TypeError, ValueError):
                raise InputError(
                    f"{name}: no value of a record of {cls.__name__}: {str(values[name])[:40]!r}"
                ) from None
        return cls(**found)

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the record that the JSON ``text`` describes; errors as of :meth:`from_dict`."""
        return cls.from_dict(_parse(text))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record to ``path`` as JSON, whole or not at all."""
        write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a record that :meth:`save` wrote.

        Raises
        ------
        InputError
            If the file cannot be read, or holds no such record, or a list of them: see :meth:`load_all`.
        """
        try:
            return cls.from_dict(_parse(_read(path)))
        except InputError as error:
            raise InputError(f"cannot load {os.fspath(path)}: {error}") from None

    @classmethod
    def load_all(cls, path: str | os.PathLike[str]) -> tuple[Self, ...]:
        """Read the records that a command wrote with ``--json``, in their order; a single record is a tuple of one.

        Raises
        ------
        InputError
            If the file cannot be read, or one of its records is no such record.
        """
        place = ""
        try:
            content = _parse(_read(path))
            if not isinstance(content, list):
                return (cls.from_dict(content),)
            found = []
            for number, values in enumerate(content, start=1):
                place = f"record {number}: "
                found.append(cls.from_dict(values))
            return tuple(found)
        except InputError as error:
            raise InputError(f"cannot load {os.fspath(path)}: {place}{error}") from None


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a number may depend on."""
    return dict(_versions())


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` in one step, so that an interruption leaves the old file or the new one.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written to.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path`` as :func:`write_text` does."""
    target = Path(os.path.realpath(path))  # through a link, not in its place
    try:
        if target.exists() and not target.is_file():  # a pipe or a device: nothing to replace
            with target.open("wb") as stream:
                stream.write(content)
            return
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".embgeom-", delete=False) as file:
            try:
                file.write(content)
                file.close()
                # A temporary file is private to its owner; a result is readable as any new file is.
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(file.name, 0o666 & ~mask)
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def _read(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("it is no text in UTF-8") from None
    except OSError as error:
        raise InputError(error.strerror or first_line(error)) from None


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON: {first_line(error)}") from None


def _restore(hint: Any, value: Any) -> Any:
    """Turn JSON back into what the type hint says: lists into tuples, dictionaries into records."""
    if value is None:
        return None
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        inner = next(option for option in get_args(hint) if option is not type(None))
        return _restore(inner, value) if len(get_args(hint)) == 2 else value
    if origin is tuple:
        kinds = get_args(hint)
        each = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else kinds
        return tuple(_restore(kind, item) for kind, item in zip(each, value, strict=True))
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict(value)
    return value
