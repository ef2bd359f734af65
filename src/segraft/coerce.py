"""Coercion: plain values, as YAML and the command line give them, become the types that annotations name, and back."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from segraft.errors import UserError, choose

FUNCTION = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
"""A Python function by its name: ``module:function``."""
Instance = TypeVar("Instance")

WORDS = {"true": True, "false": False, "none": None}
"""Values of the command line's words, for annotations other than text and paths."""


def coerce(name: str, hint: Any, value: Any) -> Any:
    """Convert ``value`` to its annotation ``hint``.

    YAML has neither paths nor tuples and reads 1e-3 as text; the command line has text only. Supported are plain
    types, ``Path``, optional types, ``dict``, ``tuple`` and ``Sequence``. Raises ``UserError``, which names the value
    by ``name``, where the conversion is impossible or would lose something (1.5 to an integer).
    """
    try:
        return _coerce(hint, value)
    except (TypeError, ValueError) as error:
        expected = hint.__name__ if isinstance(hint, type) and not get_args(hint) else hint
        raise UserError(f"{name}: got {value!r}, expected {expected}; change it") from error


def _coerce(hint: Any, value: Any) -> Any:
    kind, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if isinstance(value, str) and not {str, Path} & {hint, *arguments}:
        value = WORDS.get(value.lower(), value)
    if kind is UnionType:
        return None if value is None and NoneType in arguments else _coerce(arguments[0], value)
    if kind is dict:
        return {_coerce(arguments[0], key): _coerce(arguments[1], item) for key, item in dict(value).items()}
    if kind in (tuple, Sequence):
        return _coerce_items(arguments, value, split=kind is Sequence)
    if isinstance(value, bool) != (hint is bool):
        raise TypeError
    if hint is int:
        return int(value) if isinstance(value, str) else operator.index(value)
    if hint is str and not isinstance(value, str):
        raise TypeError
    return hint(value)


def _coerce_items(arguments: tuple[Any, ...], value: Any, split: bool) -> tuple[Any, ...]:
    """Convert to a tuple of items of one type, or of one type each; ``split`` text at blanks and commas.

    A path alone is one of a tuple of paths.
    """
    if Path in arguments and isinstance(value, str | Path):
        value = (value,)
    if isinstance(value, str):
        if not split:
            raise TypeError
        value = [item for item in re.split(r"[\s,\[\]()]+", value) if item]
    if not isinstance(value, Iterable):
        raise TypeError
    items = tuple(value)
    hints = arguments if len(arguments) > 1 and Ellipsis not in arguments else arguments[:1] * len(items)
    return tuple(_coerce(each, item) for each, item in zip(hints, items, strict=True))


def names_function(value: Path | None) -> bool:
    """Whether a value is the name of a Python function, ``module:function``, and not a file's."""
    return value is not None and FUNCTION.fullmatch(str(value)) is not None and not value.exists()


def make(kind: type[Instance], values: Mapping[str, Any]) -> Instance:
    """Settings of a kind, a dataclass, from plain values, such as those of a ``config.yaml``.

    Raises ``UserError`` for an unknown name, a missing one, and a value of another type.
    """
    dataclass: Any = kind
    known, hints = {item.name: item for item in fields(dataclass)}, get_type_hints(kind)
    for name in values:
        choose("setting", name, known)
    required = [name for name, item in known.items() if item.default is MISSING and item.default_factory is MISSING]
    missing = [name for name in required if values.get(name) is None]
    if missing:
        options = ", ".join(f"--{name}" for name in missing)
        raise UserError(
            f"settings: got none for {', '.join(missing)}; give {options}, or a configuration that has them"
        )
    return kind(**{name: coerce(name, hints[name], value) for name, value in values.items()})


def plain(settings: Any) -> dict[str, Any]:
    """Settings as YAML and JSON know them."""
    return {name: _plain(value) for name, value in asdict(settings).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
