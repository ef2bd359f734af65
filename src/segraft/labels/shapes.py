"""Objects as other programs keep them, polygons or runs of pixels, drawn into a label image.

Coordinates are (x, y) in pixels, and corners of pixels are whole numbers: pixel (0, 0) is the square from (0, 0) to
(1, 1), its centre (0.5, 0.5). So do QuPath, ImageJ and COCO.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from segraft.errors import UserError
from segraft.labels.check import UNKNOWN
from segraft.labels.polygons import check_ring, fill
from segraft.labels.relabel import id_dtype

Box = tuple[slice, slice]
LARGEST = 2**32 - 1
"""Names that are whole numbers up to here are kept as the objects' numbers."""


@dataclass(frozen=True)
class Outline:
    """An object inside polygons, each one a tuple of rings ``(points, 2)``: first the outer one, then its holes.

    A pixel belongs to a polygon if an odd number of its rings encloses the pixel's centre. ``unknown``: the pixels are
    not an object, but undecided.
    """

    name: str
    polygons: tuple[tuple[np.ndarray, ...], ...]
    unknown: bool = False

    def pixels(self, shape: tuple[int, int]) -> tuple[Box, np.ndarray]:
        """Return a box in an image of ``shape`` (y, x), and which of its pixels ``(y, x)`` belong to the object.

        What lies beyond the image's border is cut off. Raises ``UserError`` for a ring that encloses nothing or crosses
        itself, and for an object that lies wholly outside the image.
        """
        rings = [ring for polygon in self.polygons for ring in polygon]
        for ring in rings:
            check_ring(ring)
        points = np.concatenate(rings)
        (left, top), (right, bottom) = points.min(0), points.max(0)
        height, width = shape
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise UserError(
                f"got x from {left:g} to {right:g} and y from {top:g} to {bottom:g}, expected a place inside the image "
                f"of {width} × {height} pixels; check that both belong together"
            )
        rows = slice(max(0, int(top)), min(height, int(np.ceil(bottom))))
        columns = slice(max(0, int(left)), min(width, int(np.ceil(right))))
        inside = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        for polygon in self.polygons:
            inside |= fill([ring - (columns.start, rows.start) for ring in polygon], inside.shape)
        return (rows, columns), inside


@dataclass(frozen=True)
class Runs:
    """An object as lengths of runs of pixels outside and inside it by turns, column by column, as COCO has them."""

    name: str
    counts: Sequence[int]
    unknown: bool = False

    def pixels(self, shape: tuple[int, int]) -> tuple[Box, np.ndarray]:
        """Return the box of the whole image of ``shape`` (y, x), and which pixels belong to the object.

        Raises ``UserError`` for runs of negative length and for runs that do not fill the image.
        """
        counts = np.asarray(self.counts, np.int64)
        height, width = shape
        if counts.sum() != height * width or (counts < 0).any():
            raise UserError(
                f"got runs of {counts.sum()} pixels in all, expected {height * width}, those of the image of "
                f"{width} × {height} pixels; check that both belong together"
            )
        inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return (slice(0, height), slice(0, width)), inside.reshape(width, height).T


Shape = Outline | Runs


def draw(shapes: Sequence[Shape], shape: tuple[int, int], source: str) -> np.ndarray:
    """Draw objects into a label image ``(y, x)`` of ``shape``: the later one lies on top, unknown pixels below all.

    Names that are whole numbers and all different are the objects' numbers; else these are numbered from 1 in their
    order. An object without a pixel of its own vanishes. The type is ``uint32``, with unknown pixels (−1) ``int64``.
    ``source`` names the objects' file in messages. Raises ``UserError`` as the objects' ``pixels`` do, with the object.
    """
    labels = np.zeros(shape, np.int64)
    numbers = _numbers([item.name for item in shapes if not item.unknown])
    order = sorted(enumerate(shapes, 1), key=lambda entry: not entry[1].unknown)
    for place, item in order:
        try:
            box, inside = item.pixels(shape)
        except UserError as error:
            raise UserError(f"{source}, object {place}{f' ({item.name})' if item.name else ''}: {error}") from error
        labels[box][inside] = UNKNOWN if item.unknown else next(numbers)
    return labels if (labels < 0).any() else labels.astype(id_dtype(int(labels.max(initial=0))))


def _numbers(names: Sequence[str]) -> Iterator[int]:
    """Yield the number of each object: its name, where all names are different numbers, else its place from 1."""
    given = {int(name) for name in names if name.isdecimal() and 0 < int(name) <= LARGEST}
    return iter([int(name) for name in names] if len(given) == len(names) else range(1, len(names) + 1))
