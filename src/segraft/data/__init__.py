"""Data sets: one reader per file, ``(root, split, **options)`` to a sequence of ``Sample`` that reads at ``[index]``.

Annotated as bare ``Sequence`` on purpose: a run-time check of ``Sequence[Sample]`` would read a file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from segraft.coerce import coerce
from segraft.data.ac34 import ac34 as _ac34
from segraft.data.bbbc010 import bbbc010 as _bbbc010
from segraft.data.bbbc039 import bbbc039 as _bbbc039
from segraft.data.cremi import cremi as _cremi
from segraft.data.cvppp import cvppp as _cvppp
from segraft.data.folder import folder as _folder
from segraft.data.neurites import neurites as _neurites
from segraft.data.synthetic import synthetic as _synthetic
from segraft.errors import UserError, choose

DATASETS: dict[str, Callable[..., Sequence]] = {
    "ac34": _ac34,
    "bbbc010": _bbbc010,
    "bbbc039": _bbbc039,
    "cremi": _cremi,
    "cvppp": _cvppp,
    "folder": _folder,
    "neurites": _neurites,
    "synthetic": _synthetic,
}
"""Reader of each data set by name."""


def options_of(name: str) -> tuple[str, ...]:
    """Return the names of the options of a data set's reader. Raises ``UserError`` for an unknown data set."""
    return tuple(inspect.signature(choose("data set", name, DATASETS)).parameters)[2:]


def open_dataset(name: str, root: str | Path | None, split: str, **options: Any) -> Sequence:
    """Open one split (``train``, ``val`` or ``test``) of a data set; samples are read when they are indexed.

    ``options`` are those of the reader; text, as the command line gives it, is converted to their types.
    Raises ``UserError`` for an unknown name or option, for a value of another type, and as the reader does.
    """
    reader = choose("data set", name, DATASETS)
    known, hints = options_of(name), get_type_hints(reader)
    for option in options:
        if option not in known:
            raise UserError(f"data set {name!r} has no option {option!r}; it has: {', '.join(known) or 'none'}")
    return reader(root, split, **{option: coerce(option, hints[option], value) for option, value in options.items()})
