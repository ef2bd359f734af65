"""Whether the masks of a set number their objects, or only say where some are, or use numbers again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import generate_binary_structure, label

from segraft.labels.scattered import scattered

SHARE = 0.1
"""Part of an image's objects up to which they may be in pieces far apart, beside one that always may.

Measured: none of nuclei and worms, and of neurites and plant tissue in whole volumes; 6 % of neurites in ten sections
and of generated cells that lie on one another; 17 % where 300 cells are numbered in 8 bits, and of neurites in single
sections, whose pieces a network cannot join either."""


@dataclass
class Masks:
    """What label images, looked at one after another, hold together."""

    images: int = 0
    objects: bool = False
    """Whether one of them holds an object."""
    numbered: bool = False
    """Whether one of them holds two objects."""
    fragmented: tuple[str, int] | None = None
    """An image whose only object is in several pieces, and how many; not looked for once an image holds two objects."""
    reused: tuple[str, int, int] | None = None
    """The first image whose numbers seem to be used again, how many of them, and of how many."""

    def look(self, name: str, labels: np.ndarray) -> None:
        """Take note of a label image ``(*space)``; diagonal neighbours belong to one piece."""
        self.images += 1
        if self.reused or (highest := labels.max()) <= 0:
            return
        self.objects, inside = True, labels > 0
        if labels.min(initial=highest, where=inside) < highest:
            self.numbered = True
            far, count = scattered(labels)
            self.reused = (name, far, count) if far > 1 + SHARE * count else None
        elif not self.numbered and self.fragmented is None:
            _, pieces = label(inside, generate_binary_structure(labels.ndim, labels.ndim))
            self.fragmented = (name, pieces) if pieces > 1 else None

    @property
    def binary(self) -> bool:
        """Whether no image holds more than one object, and some object is in several pieces, as thresholding gives."""
        return not self.numbered and self.fragmented is not None

    @property
    def doubtful(self) -> bool:
        """Whether one number may stand for several objects: they are binary, or numbers seem to be used again."""
        return self.binary or self.reused is not None

    def __str__(self) -> str:
        """What was found where they are doubtful."""
        if self.reused:
            name, far, count = self.reused
            return f"{far} of {count} numbers of {name} in pieces far apart, as if each were used for several objects"
        name, pieces = self.fragmented or ("", 0)
        return f"{self.images} with one object at most, that of {name} in {pieces} pieces, as thresholding gives"
