"""What a user's mistake is answered with: one line that says what came, what was wanted and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

Value = TypeVar("Value")


class UserError(Exception):
    """A mistake that the user can mend. The command line prints it as one line and exits with ``code``."""

    code = 2


class SomeFailed(UserError):
    """Some inputs among many were bad; the others are done."""

    code = 1


def choose(kind: str, name: str, registry: Mapping[str, Value]) -> Value:
    """Return ``registry[name]``; an unknown name is answered with the known ones, the closest first."""
    if name in registry:
        return registry[name]
    close = get_close_matches(str(name), registry, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise UserError(f"unknown {kind} {name!r}; known: {', '.join(registry) or 'none'}{guess}")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory, of the machine or of a device; PyTorch has several."""
    told = isinstance(error, RuntimeError) and re.search("out of memory|allocate memory", str(error))
    return isinstance(error, MemoryError) or bool(told)
