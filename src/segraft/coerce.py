"""Plain values, as YAML and the command line know them, become what an annotation asks for."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from segraft.errors import UserError

WORDS = {"true": True, "false": False, "none": None}
"""What the command line's words mean where no text is wanted."""


def typed(name: str, hint: Any, value: Any) -> Any:
    """Return ``value`` as its annotation ``hint`` says: YAML knows no paths and tuples, and takes 1e-3 for a text.

    Raises ``UserError``, with the value's ``name``, where that is impossible.
    """
    try:
        return _typed(hint, value)
    except (TypeError, ValueError) as error:
        wanted = hint.__name__ if isinstance(hint, type) and not get_args(hint) else hint
        raise UserError(f"{name} is {value!r}; wanted {wanted}; change it") from error


def _typed(hint: Any, value: Any) -> Any:
    kind, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if isinstance(value, str) and not {str, Path} & {hint, *arguments}:
        value = WORDS.get(value.lower(), value)
    if kind is UnionType:
        return None if value is None and NoneType in arguments else _typed(arguments[0], value)
    if kind is dict:
        return {_typed(arguments[0], key): _typed(arguments[1], item) for key, item in dict(value).items()}
    if kind in (tuple, Sequence):
        return _sequence(arguments, value, split=kind is Sequence)
    if isinstance(value, bool) != (hint is bool):
        raise TypeError
    if hint is int:
        return int(value) if isinstance(value, str) else operator.index(value)
    if hint is str and not isinstance(value, str):
        raise TypeError
    return hint(value)


def _sequence(arguments: tuple[Any, ...], value: Any, split: bool) -> tuple[Any, ...]:
    """A tuple of items of one type, or of one type each; text is ``split`` at blanks and commas or refused."""
    if isinstance(value, str):
        if not split:
            raise TypeError
        value = [item for item in re.split(r"[\s,\[\]()]+", value) if item]
    if not isinstance(value, Iterable):
        raise TypeError
    items = tuple(value)
    hints = arguments if len(arguments) > 1 and Ellipsis not in arguments else arguments[:1] * len(items)
    return tuple(_typed(each, item) for each, item in zip(hints, items, strict=True))
