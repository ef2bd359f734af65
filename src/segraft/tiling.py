"""Cutting images into tiles whose results are those of the whole image."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segraft.data.images import unwritable
from segraft.types import Offsets, Stored

Space = tuple[int, ...]
Region = tuple[slice, ...]

CHUNK = {2: 64, 3: 16}
"""Side of the chunks of a stored array, by dimension."""


class Tile(NamedTuple):
    """A part of an image to compute at once, as slices per axis of the padded image, each inside the next."""

    core: Region
    """Pixels whose results are kept."""
    context: Region
    """The core and the partners that the offsets lead to, inside the image."""
    window: Region
    """What the network has to see: the context and all that influences it, aligned to the network's stride."""


def tiles(space: Space, tile: int | None, strides: Space, halo: int, offsets: Offsets = ()) -> Iterator[Tile]:
    """Cut an image, padded at its end to multiples of ``strides``, into tiles that give the results of the whole image.

    Cores are equal, at most ``tile`` wide (rounded up to a multiple of the stride; one core for None) and begin at
    multiples of the stride; so do windows, which end there too, so that pooling meets the same pixels.
    """
    axes = []
    for axis, (size, stride) in enumerate(zip(space, strides, strict=True)):
        reach = [offset[axis] for offset in offsets] or [0]
        before, after = max(0, -min(reach)), max(0, *reach)
        padded = _up(size, stride)
        width = padded if tile is None else _up(math.ceil(size / math.ceil(size / _up(tile, stride))), stride)
        parts = []
        for start in range(0, size, width):
            core = slice(start, min(start + width, size))
            context = slice(max(0, core.start - before), min(size, core.stop + after))
            window = slice(
                max(0, (context.start - halo) // stride * stride), min(padded, _up(context.stop + halo, stride))
            )
            parts.append((core, context, window))
        axes.append(parts)
    for index in np.ndindex(*map(len, axes)):
        chosen = [parts[k] for parts, k in zip(axes, index, strict=True)]
        yield Tile(*zip(*chosen, strict=True))


def _up(size: int, multiple: int) -> int:
    """Round up to a multiple."""
    return math.ceil(size / multiple) * multiple


def within(region: Region, frame: Region) -> Region:
    """Slices of a region counted from the start of the frame around it."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(region, frame, strict=True))


def crop(image: np.ndarray, window: Region) -> np.ndarray:
    """Cut a window out of ``(C, *space)``; beyond the image's ends it is reflected, as often as needed."""
    space = image.shape[1:]
    if all(axis.start >= 0 and axis.stop <= size for axis, size in zip(window, space, strict=True)):
        return image[:, *window]
    picks = [_reflect(np.arange(axis.start, axis.stop), size) for axis, size in zip(window, space, strict=True)]
    return np.stack([channel[np.ix_(*picks)] for channel in image])


def _reflect(index: np.ndarray, size: int) -> np.ndarray:
    """Indices of any integers inside ``0 .. size - 1``, mirrored about the first and the last pixel."""
    folded = index % max(1, 2 * (size - 1))
    return np.minimum(folded, 2 * (size - 1) - folded) if size > 1 else folded


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
