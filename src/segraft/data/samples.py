"""A list of samples that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, overload

from segraft.errors import UserError, choose
from segraft.files import natural
from segraft.types import Sample

SPLITS = {"train": "training", "val": "validation", "test": "test"}
"""The splits, and what BBBC039's lists and many users' folders call them."""
VALIDATION = 0.1
"""Part of the training images that is kept for validation where a data set has no split of its own."""


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


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Names in the order of a hash of seed and name, so that a name added or lost moves few others."""
    return sorted(names, key=lambda name: sha256(f"{seed}:{name}".encode()).digest())


def drawn_split(names: Iterable[str], split: str, seed: int, test: float) -> tuple[str, ...]:
    """Draw a split from the names of a data set that has none of its own, in natural order.

    The first part ``test`` of the shuffled names is for testing, then a tenth of the others for validation.
    """
    choose("split", split, SPLITS)
    order = shuffled(names, seed)
    tests = round(test * len(order))
    trains = tests + max(1, round(VALIDATION * (len(order) - tests)))
    drawn = {"test": order[:tests], "val": order[tests:trains], "train": order[trains:]}[split]
    if not drawn:
        raise UserError(f"{len(order)} images came, too few for a {split} split; wanted more; unpack the archive again")
    return tuple(sorted(drawn, key=natural))
