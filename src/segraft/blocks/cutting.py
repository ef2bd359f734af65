"""An image cut into equal blocks, which are numbered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segraft.errors import UserError
from segraft.model.tiling import Region
from segraft.types import Space


@dataclass(frozen=True)
class Grid:
    """Blocks of an image ``(*space)``, from its first pixel on; the last ones along an axis may be smaller.

    Numbers count them in C order, the last axis first.
    """

    space: Space
    block: Space

    def __post_init__(self) -> None:
        """Refuse blocks that have no size."""
        if len(self.block) != len(self.space) or min(self.block) < 1:
            raise UserError(
                f"blocks: got {self.block} for an image of shape {self.space}, expected {len(self.space)} positive "
                "numbers of pixels, one per axis; change them"
            )

    @cached_property
    def counts(self) -> Space:
        """Blocks along each axis."""
        return tuple(math.ceil(size / side) for size, side in zip(self.space, self.block, strict=True))

    def __len__(self) -> int:
        """Number of blocks."""
        return math.prod(self.counts)

    def __iter__(self) -> Iterator[Region]:
        """The pixels of each block in turn."""
        return map(self.box, range(len(self)))

    def place(self, number: int) -> Space:
        """Index of a block along each axis."""
        return tuple(int(index) for index in np.unravel_index(number, self.counts))

    def box(self, number: int) -> Region:
        """The pixels of a block."""
        axes = zip(self.place(number), self.block, self.space, strict=True)
        return tuple(slice(index * side, min((index + 1) * side, size)) for index, side, size in axes)

    def shape(self, number: int) -> Space:
        """The size of a block."""
        return tuple(axis.stop - axis.start for axis in self.box(number))

    def after(self, number: int, axis: int) -> int | None:
        """The next block along an axis; None at the end."""
        place = list(self.place(number))
        place[axis] += 1
        return int(np.ravel_multi_index(place, self.counts)) if place[axis] < self.counts[axis] else None

    def touched(self, region: Region) -> Iterator[int]:
        """The blocks that hold pixels of a region inside the image, in order."""
        firsts = [axis.start // side for axis, side in zip(region, self.block, strict=True)]
        lasts = [(axis.stop - 1) // side + 1 for axis, side in zip(region, self.block, strict=True)]
        for place in np.ndindex(*(last - first for first, last in zip(firsts, lasts, strict=True))):
            index = tuple(a + b for a, b in zip(place, firsts, strict=True))
            yield int(np.ravel_multi_index(index, self.counts))


def grown(region: Region, space: Space, rim: int, steps: Space | None = None) -> Region:
    """A region with a rim of pixels, inside the image; it begins at multiples of ``steps``."""
    axes = zip(region, space, steps or (1,) * len(space), strict=True)
    return tuple(
        slice(max(0, axis.start - rim) // step * step, min(size, axis.stop + rim)) for axis, size, step in axes
    )
