"""Coercion: plain values, as YAML and the command line give them, become the types that annotations name."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from segraft.errors import UserError

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
    """Convert to a tuple of items of one type, or of one type each; ``split`` text at blanks and commas."""
    if isinstance(value, str):
        if not split:
            raise TypeError
        value = [item for item in re.split(r"[\s,\[\]()]+", value) if item]
    if not isinstance(value, Iterable):
        raise TypeError
    items = tuple(value)
    hints = arguments if len(arguments) > 1 and Ellipsis not in arguments else arguments[:1] * len(items)
    return tuple(_coerce(each, item) for each, item in zip(hints, items, strict=True))
