"""A regular grid of blocks, which covers an array without gap or overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from segraft.images.windows import Window


def grid(space: Sequence[int], block: Sequence[int]) -> list[Window]:
    """Return the boxes of all blocks of an array ``(*space)``, the last axis fastest; the last blocks are smaller."""
    starts = product(*(range(0, extent, size) for extent, size in zip(space, block, strict=True)))
    return [
        tuple(slice(a, min(a + size, end)) for a, size, end in zip(start, block, space, strict=True))
        for start in starts
    ]


def extents(box: Window) -> tuple[int, ...]:
    """Return the shape of a box, in pixels per axis."""
    return tuple(side.stop - side.start for side in box)


def shifted(box: Window, offset: Sequence[int]) -> Window:
    """Return a box moved by so many pixels per axis."""
    return tuple(slice(side.start + by, side.stop + by) for side, by in zip(box, offset, strict=True))


def count(space: Sequence[int], block: Sequence[int]) -> int:
    """Return how many blocks cover an array ``(*space)``."""
    return int(np.prod([-(-extent // size) for extent, size in zip(space, block, strict=True)]))
