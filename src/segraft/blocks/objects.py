"""Objects measured block by block, and merged exactly: sums, boxes and second moments add up over blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from segraft.blocks.cutting import Grid
from segraft.labels.relabel import id_dtype, id_table
from segraft.model.tiling import Region

AT_ONCE = 2**20
"""Pixels that are summed up at once: so many 32-bit grey values add up exactly in a float."""


class Objects(NamedTuple):
    """What is known of ``n`` objects, ids ascending, from some of their pixels or from all; arrays, to be kept as npz.

    ``first`` and ``end`` are the corners of the boxes that hold them, the end excluded, in pixels of the whole image.
    ``sums`` and ``products`` are sums of coordinates, and of the products of each pair of them, behind the box's first
    corner; exact up to 2⁵³. ``total`` and ``largest`` are the grey values' in each channel: exact for integers of up
    to 32 bits, in float64 for others.
    """

    id: np.ndarray  # (n,)
    area: np.ndarray  # (n,) pixels
    first: np.ndarray  # (n, ndim)
    end: np.ndarray  # (n, ndim)
    sums: np.ndarray  # (n, ndim)
    products: np.ndarray  # (n, pairs of axes)
    total: np.ndarray  # (n, channels)
    largest: np.ndarray  # (n, channels)

    def part(self, rows: slice | np.ndarray) -> Objects:
        """Return some of the objects."""
        return Objects(*(values[rows] for values in self))

    def by_block(self, grid: Grid) -> list[Objects]:
        """Return for each block of the image the objects whose boxes begin in it, ids ascending."""
        blocks = np.ravel_multi_index(tuple((self.first // np.array(grid.block)).T), grid.counts)
        order = np.argsort(blocks, kind="stable")
        ends = np.searchsorted(blocks[order], np.arange(1, len(grid)))
        return [self.part(rows) for rows in np.split(order, ends)]


def pairs(ndim: int) -> list[tuple[int, int]]:
    """Return the pairs of axes in the order of ``Objects.products``."""
    return list(combinations_with_replacement(range(ndim), 2))


def measure_block(labels: np.ndarray, image: np.ndarray | None, box: Region) -> Objects:
    """Measure what a block holds of each object: labels ``(*box)`` of integers, and an image ``(C, *box)`` if there is.

    ``box`` is the block's place in the whole image. Background and unknown pixels (−1) are no objects.
    """
    ids, rows, sizes = id_table(labels)
    objects = ids > 0
    numbers = (np.cumsum(objects) * objects).astype(id_dtype(len(ids)))[rows]
    count, ndim = int(objects.sum()), labels.ndim
    boxes = ndimage.find_objects(numbers)
    corners = [[[getattr(side, end) for side in each] for each in boxes] for end in ("start", "stop")]
    first, end = (np.array(each, np.int64).reshape(count, ndim) for each in corners)
    image = np.zeros((0, *labels.shape), np.uint8) if image is None else image
    image = image.view(np.uint8) if image.dtype == bool else image
    measured = Objects(
        ids[objects],
        sizes[objects].astype(np.int64),
        first,
        end,
        np.zeros((count, ndim), np.int64),
        np.zeros((count, len(pairs(ndim))), np.float64),
        np.zeros((count, len(image)), _sum_type(image.dtype)),
        np.full((count, len(image)), _lowest(image.dtype), image.dtype),
    )
    _add(measured, numbers, image.reshape(len(image), labels.size))
    start = [side.start for side in box]
    return measured._replace(first=first + start, end=end + start)


def _sum_type(dtype: np.dtype) -> type[np.generic]:
    """The type that sums of grey values have."""
    return np.int64 if np.issubdtype(dtype, np.integer) and dtype.itemsize <= 4 else np.float64


def _lowest(dtype: np.dtype) -> float | int:
    """A value that no grey value is below."""
    return int(np.iinfo(dtype).min) if np.issubdtype(dtype, np.integer) else -np.inf


def _add(measured: Objects, numbers: np.ndarray, image: np.ndarray) -> None:
    """Add all pixels of a block ``(*box)``, that hold rows of objects from 1, and their grey values ``(C, pixels)``."""
    flat, count = numbers.ravel(), len(measured.id)
    for start in range(0, flat.size, AT_ONCE):
        pixels = np.flatnonzero(flat[start : start + AT_ONCE]) + start
        rows = flat[pixels].astype(np.intp) - 1
        places = np.unravel_index(pixels, numbers.shape)
        behind = [place - measured.first[rows, axis] for axis, place in enumerate(places)]
        for axis, values in enumerate(behind):
            measured.sums[:, axis] += np.bincount(rows, values, count).astype(np.int64)
        for column, (one, other) in enumerate(pairs(numbers.ndim)):
            measured.products[:, column] += np.bincount(rows, behind[one] * behind[other], count)
        for channel, grey in enumerate(image[:, pixels]):
            measured.total[:, channel] += np.bincount(rows, grey, count).astype(measured.total.dtype)
            np.maximum.at(measured.largest[:, channel], rows, grey)


def merge(parts: Sequence[Objects]) -> Objects:
    """Merge what blocks that do not overlap hold of objects, at least one block; the blocks' order does not matter."""
    rows = Objects(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    order = np.lexsort([*rows.first.T, rows.id])
    rows = Objects(*(values[order] for values in rows))
    starts = np.flatnonzero(np.append(True, rows.id[1:] != rows.id[:-1])) if len(order) else np.zeros(0, np.intp)
    first = np.minimum.reduceat(rows.first, starts)
    area = np.add.reduceat(rows.area, starts)
    behind = rows.first - np.repeat(first, np.diff(np.append(starts, len(order))), axis=0)
    products = [
        rows.products[:, column]
        + behind[:, one] * rows.sums[:, other]
        + behind[:, other] * rows.sums[:, one]
        + rows.area.astype(np.float64) * behind[:, one] * behind[:, other]
        for column, (one, other) in enumerate(pairs(first.shape[1]))
    ]
    return Objects(
        rows.id[starts],
        area,
        first,
        np.maximum.reduceat(rows.end, starts),
        np.add.reduceat(rows.sums + rows.area[:, None] * behind, starts),
        np.add.reduceat(np.stack(products, axis=1), starts),
        np.add.reduceat(rows.total, starts),
        np.maximum.reduceat(rows.largest, starts),
    )
