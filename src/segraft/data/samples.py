"""Samples that are read when they are indexed, and splits that are drawn by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, overload

import numpy as np

from segraft.errors import UserError, choose
from segraft.files import natural
from segraft.types import Sample

SPLITS = {"train": "training", "val": "validation", "test": "test"}
"""The splits, and their names in the lists of BBBC039."""
VALIDATION = 0.1
"""Fraction of the training images for validation where a data set has no split of its own."""


@dataclass(frozen=True)
class LazySamples(Sequence):
    """A sequence whose sample at ``[index]`` is ``read(items[index])``, read anew each time.

    Picklable when ``read`` is (a function of a module).

    The base is a bare ``Sequence`` on purpose: a run-time check of ``Sequence[Sample]`` would read an item.
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
        """Read one sample, or return part of the samples without reading."""
        if isinstance(index, slice):
            return LazySamples(self.items[index], self.read)
        return self.read(self.items[index])


def existing_folder(root: str | Path | None, expected: str) -> Path:
    """Return the folder of a data set. Raises ``UserError``, with the files ``expected`` in it, where there is none."""
    if root is None:
        raise UserError(f"root: got none, expected the folder with {expected}; give it (root)")
    if not Path(root).is_dir():
        raise UserError(f"{root} is no folder, expected one with {expected}; check the path")
    return Path(root)


def pixels_digest(image: np.ndarray) -> bytes:
    """Return what tells images apart by their pixels, shape and type."""
    digest = sha256(repr((image.shape, image.dtype.str)).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Return names in the order of a hash of seed and name: adding or removing one does not reorder the others."""
    return sorted(names, key=lambda name: sha256(f"{seed}:{name}".encode()).digest())


def drawn_split(names: Iterable[str], split: str, seed: int, test: float) -> tuple[str, ...]:
    """Draw a split from the names of a data set that has none of its own, in natural order.

    Of the shuffled names the first fraction ``test`` is for testing, then a tenth of the others for validation.
    Raises ``UserError`` for an unknown split and for one without a name.
    """
    order = shuffled(names, seed)
    tests = round(test * len(order))
    return split_around(order, order[:tests], split, seed)


def split_around(names: Iterable[str], tests: Iterable[str], split: str, seed: int) -> tuple[str, ...]:
    """Split names of which ``tests`` are for testing, in natural order; a tenth of the others validates, drawn by seed.

    Raises ``UserError`` for an unknown split and for one without a name.
    """
    choose("split", split, SPLITS)
    order, for_testing = shuffled(names, seed), set(tests)
    others = [name for name in order if name not in for_testing]
    count = max(1, round(VALIDATION * len(others)))
    drawn = {
        "test": [name for name in order if name in for_testing],
        "val": others[:count],
        "train": others[count:],
    }[split]
    if not drawn:
        raise UserError(
            f"got {len(order)} images, too few for a {split} split, expected more; unpack the archive again"
        )
    return tuple(sorted(drawn, key=natural))
