"""Errors for users: one line that says what was got, what was expected and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

Value = TypeVar("Value")


class Notice(UserWarning):
    """What a user should know though nothing is wrong. The command line prints it as one line."""


NO_TORCH = (
    "PyTorch is not installed; expected it to train, to export, and to run models that were not exported; "
    "run: pip install 'segraft[torch]', or use an exported model (segraft export)"
)
NO_BLOCKS = "prediction block by block is not installed; expected dask; run: pip install 'segraft[blocks]'"
MISSING = {
    "torch": NO_TORCH,
    "jaxtyping": NO_TORCH,
    "lightning": "training is not installed; expected lightning; run: pip install 'segraft[train]'",
    "dask": NO_BLOCKS,
    "distributed": NO_BLOCKS,
    "locket": NO_BLOCKS,  # which comes with it
    "pyarrow": "Parquet is not installed; expected pyarrow; run: pip install 'segraft[blocks]', or write a .csv",
    "tensorboard": "training is not installed; expected tensorboard; run: pip install 'segraft[train]'",
}
"""What to say of libraries that the base install lacks."""
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


def not_installed(error: ImportError) -> UserError | None:
    """The answer to the import of a library that an extra brings and that is not there; None for any other."""
    text = MISSING.get((error.name or "").partition(".")[0])
    return None if text is None else UserError(text)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of the machine or of a device is too small."""
    if isinstance(error, RuntimeError):
        return OUT_OF_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError)
