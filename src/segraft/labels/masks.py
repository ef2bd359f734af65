"""Whether the masks of a set number their objects, or only say where some are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import generate_binary_structure, label


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

    def look(self, name: str, labels: np.ndarray) -> None:
        """Take note of a label image ``(*space)``; diagonal neighbours belong to one piece."""
        self.images += 1
        if self.numbered or (highest := labels.max()) <= 0:
            return
        self.objects, inside = True, labels > 0
        self.numbered = bool(labels.min(initial=highest, where=inside) < highest)
        if not self.numbered and self.fragmented is None:
            _, pieces = label(inside, generate_binary_structure(labels.ndim, labels.ndim))
            self.fragmented = (name, pieces) if pieces > 1 else None

    @property
    def binary(self) -> bool:
        """Whether no image holds more than one object, and some object is in several pieces, as thresholding gives."""
        return not self.numbered and self.fragmented is not None

    def __str__(self) -> str:
        """What was found where they are binary."""
        name, pieces = self.fragmented or ("", 0)
        return f"{self.images} with one object at most, that of {name} in {pieces} pieces, as thresholding gives"
