"""A list of samples that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from segraft.errors import UserError
from segraft.types import Sample

SPLITS = {"train": "training", "val": "validation", "test": "test"}
"""The splits, and what BBBC039's lists and many users' folders call them."""


@dataclass(frozen=True)
class LazySamples(Sequence):
    """``read(item)`` for each item, at ``[index]``; picklable when ``read`` is (a function of a module).

    A bare ``Sequence`` on purpose: a run-time check of ``Sequence[Sample]`` would read an item.
    """

    items: tuple[Any, ...]
    read: Callable[[Any], Sample]

    def __len__(self) -> int:
        """Number of samples; nothing is read."""
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> LazySamples: ...
    def __getitem__(self, index: int | slice) -> Sample | LazySamples:
        """Read one sample, or take part of the list without reading."""
        if isinstance(index, slice):
            return LazySamples(self.items[index], self.read)
        return self.read(self.items[index])


def existing_folder(root: str | Path | None, wanted: str) -> Path:
    """Return the folder of a data set that lies in files, or raise ``UserError`` saying what was ``wanted`` in it."""
    if root is None:
        raise UserError(f"no root came; wanted the folder with {wanted}; give it (root)")
    if not Path(root).is_dir():
        raise UserError(f"{root} is no folder; wanted one with {wanted}; check the path")
    return Path(root)
