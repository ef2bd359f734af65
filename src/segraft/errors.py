"""Errors for users: one line that says what was got, what was expected and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

Value = TypeVar("Value")


class Notice(UserWarning):
    """What a user should know though nothing is wrong. The command line prints it as one line."""


OUT_OF_MEMORY = re.compile("out of memory|allocate memory")
"""How PyTorch says that memory ran out, on a GPU and on the CPU."""


class UserError(Exception):
    """A mistake that the user can correct. The command line prints it as one line and exits with ``code``."""

    code = 2


class SomeFailed(UserError):
    """Some inputs among many were bad; the others are done."""

    code = 1


def choose(kind: str, name: str, registry: Mapping[str, Value]) -> Value:
    """Return ``registry[name]``; ``kind`` names the registry's entries in messages.

    Raises ``UserError`` for an unknown name, with the known names and the most similar one of them.
    """
    if name in registry:
        return registry[name]
    close = get_close_matches(str(name), registry, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise UserError(f"unknown {kind} {name!r}; known: {', '.join(registry) or 'none'}{guess}")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of the machine or of a device is too small."""
    if isinstance(error, RuntimeError):
        return OUT_OF_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError)
