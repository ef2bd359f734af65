"""Cutting images into tiles whose results are those of the whole image."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segraft.files import unwritable
from segraft.types import Geometry, Offsets, Space, Stored

Region = tuple[slice, ...]
Part = tuple[slice, slice, slice, slice]
"""Core, context, output and window of a tile along one axis."""
CHUNK = {2: 64, 3: 16}
"""Side of the chunks of a stored array, by dimension."""


class Tile(NamedTuple):
    """A part of an image to compute at once, as slices per axis, each inside the next."""

    core: Region
    """Pixels whose results are kept."""
    context: Region
    """The core and the partners that the offsets lead to, inside the image."""
    output: Region
    """Pixels that the network gives results for."""
    window: Region
    """What the network has to see. It may reach beyond the image, see `segraft.images.windows.crop`."""


def tiles(
    space: Space, tile: Space | None, geometry: Geometry, offsets: Offsets = (), region: Region | None = None
) -> Iterator[Tile]:
    """Cut an image, or a region of it, into tiles that give the results of the whole image (one tile for None).

    Cores are equal, at most ``tile`` wide (rounded up to a multiple of the network's stride), and begin, as all
    outputs do, at multiples of the stride, so that pooling meets the same pixels; so must the region.
    """
    for parts in itertools.product(*grid(space, tile, geometry, offsets, region)):
        yield Tile(*zip(*parts, strict=True))


def grid(
    space: Space, tile: Space | None, geometry: Geometry, offsets: Offsets, region: Region | None = None
) -> list[list[Part]]:
    """For each axis the core, context, output and window of each tile along it; see ``tiles``."""
    sides, region = tile or (None,) * len(space), region or tuple(slice(0, size) for size in space)
    axes = zip(space, sides, region, strict=True)
    return [along(axis, size, side, geometry, offsets, part) for axis, (size, side, part) in enumerate(axes)]


def along(
    axis: int, size: int, tile: int | None, geometry: Geometry, offsets: Offsets, region: slice | None = None
) -> list[Part]:
    """The tiles along one axis of so many pixels, or those that cover a region of it."""
    sizes, (first, last) = Axis.of(geometry, axis, offsets), (region.start, region.stop) if region else (0, size)
    width = _up(last - first, sizes.stride) if tile is None else sizes.width(last - first, tile)
    return [sizes.part(start, min(start + width, last), size) for start in range(first, last, width)]


class Axis(NamedTuple):
    """What matters for tiles along one axis: of the network, and how far offsets reach before and after a pixel."""

    stride: int
    halo: int
    margin: int
    smallest: int
    """Smallest output; others are a multiple of the stride larger."""
    before: int
    after: int

    @classmethod
    def of(cls, geometry: Geometry, axis: int, offsets: Offsets) -> Axis:
        """Of a network and offsets; networks that pad have a halo, those that do not a margin."""
        reach = [0, *(offset[axis] for offset in offsets)]
        stride, halo, margin = geometry.stride[axis], geometry.halo[axis], geometry.margin[axis]
        return cls(stride, halo, margin, geometry.minimum[axis] - 2 * margin, -min(reach), max(reach))

    def width(self, size: int, tile: int) -> int:
        """Width of equal cores, at most ``tile`` rounded up to the stride, that cover ``size`` pixels."""
        return _up(math.ceil(size / math.ceil(size / _up(tile, self.stride))), self.stride)

    def part(self, start: int, stop: int, size: int) -> Part:
        """A tile whose core is ``start .. stop`` of ``size`` pixels."""
        context = slice(max(0, start - self.before), min(size, stop + self.after))
        begin = max(0, (context.start - self.halo) // self.stride * self.stride)
        end = min(context.stop + self.halo, _up(size, self.stride)) if self.halo else context.stop
        end = begin + self.smallest + _up(max(0, end - begin - self.smallest), self.stride)
        return slice(start, stop), context, slice(begin, end), slice(begin - self.margin, end + self.margin)


def _up(size: int, multiple: int) -> int:
    """Round up to a multiple."""
    return math.ceil(size / multiple) * multiple


def within(region: Region, frame: Region) -> Region:
    """Slices of a region counted from the start of the frame around it."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(region, frame, strict=True))


def overlap(region: Region, other: Region) -> Region | None:
    """What two regions share, or None."""
    shared = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(region, other, strict=True))
    return shared if all(axis.start < axis.stop for axis in shared) else None


@contextmanager
def scratch(shape: Space, stored: bool) -> Iterator[Stored]:
    """Room for float32 affinities ``(N, *space)``: in memory, or ``stored`` in a temporary file (see ``TMPDIR``)."""
    if not stored:
        yield np.empty(shape, np.float32)
        return
    import h5py

    chunks = (shape[0], *(min(size, CHUNK[len(shape) - 1]) for size in shape[1:]))
    with (
        unwritable(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix="segraft-") as folder,
        h5py.File(Path(folder) / "affinities.h5", "w") as file,
    ):
        yield file.create_dataset("affinities", shape, np.float32, chunks=chunks)
