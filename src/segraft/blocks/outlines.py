"""Outlines of the objects of images beyond memory, as GeoJSON that is written as it goes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.label_store import factors, read_box
from segraft.blocks.objects import Objects
from segraft.files import replacing, unwritable
from segraft.labels.outlines import Ring, check_flat, mask_polygons, object_feature
from segraft.model.tiling import Region, within

BEGIN, END = b'{"type":"FeatureCollection","features":[', b"]}"
Polygons = list[list[Ring]]


class Outlined(NamedTuple):
    """The outlines of the objects that begin in a block."""

    text: bytes
    """Their features of GeoJSON, separated by commas."""
    steps: list[int]
    """Of each object that was outlined coarsely, in how large steps, in pixels."""


def outlines_of_block(path: str | Path, box: Region, objects: Objects, largest: int) -> Outlined:
    """Outline the objects whose boxes begin in a block, ``box``, of a label image written by ``label_store``, (y, x).

    The features are those of ``segraft.labels.outlines.outlines``. Reads the block, and the boxes of objects that reach
    beyond it. Where such a box has more than ``largest`` pixels, the object is outlined on the first coarser level that
    has no more, in coordinates of the finest one; its feature tells the step as ``coarse``. All levels must be
    complete. Raises ``UserError`` for volumes and for damaged files.
    """
    check_flat(tuple(side.stop - side.start for side in box))
    texts, steps = [], []
    for number, polygons, step in _traced(path, box, objects, largest):
        feature = object_feature(number, polygons, **({"coarse": step} if step > 1 else {}))
        texts.append(json.dumps(feature, separators=(",", ":")).encode())
        steps += [step] if step > 1 else []
    return Outlined(b",".join(texts), steps)


def _traced(path: str | Path, box: Region, objects: Objects, largest: int) -> Iterator[tuple[int, Polygons, int]]:
    """Yield id and polygons of each object, and in steps of how many pixels they are."""
    if not len(objects.id):
        return
    block = read_box(path, box)
    inside = np.all(objects.end <= np.array([side.stop for side in box]), axis=1).tolist()
    rows = zip(objects.id.tolist(), objects.first.tolist(), objects.end.tolist(), inside, strict=True)
    for number, first, end, here in rows:
        own = tuple(map(slice, first, end))
        if here:
            yield number, mask_polygons(block[within(own, box)] == number, tuple(first)), 1
        elif _pixels(own) <= largest:
            yield number, mask_polygons(read_box(path, own) == number, tuple(first)), 1
        else:
            yield number, *_traced_coarsely(path, number, own, largest)


def _traced_coarsely(path: str | Path, number: int, box: Region, largest: int) -> tuple[Polygons, int]:
    """Polygons of an object on the first level on which its box has so few pixels, or on the coarsest; and the step."""
    scales = factors(path)
    level = next((each for each, by in enumerate(scales) if _pixels(_reduced(box, by)) <= largest), len(scales) - 1)
    by, coarse = scales[level], _reduced(box, scales[level])
    mask = read_box(path, coarse, level) == number
    if not mask.any():  # others are more frequent everywhere
        mask = _touched(path, number, coarse, box, by)
    polygons = mask_polygons(mask, (coarse[0].start, coarse[1].start))
    return [[_magnified(ring, box, by) for ring in polygon] for polygon in polygons], max(by)


def _pixels(box: Region) -> int:
    return math.prod(side.stop - side.start for side in box)


def _reduced(box: Region, by: tuple[int, ...]) -> Region:
    """The pixels of a coarser level that a box touches."""
    return tuple(slice(side.start // step, -(-side.stop // step)) for side, step in zip(box, by, strict=True))


def _touched(path: str | Path, number: int, coarse: Region, box: Region, by: tuple[int, ...]) -> np.ndarray:
    """Which pixels of a coarser level hold any of an object, looked up in the finest one part by part."""
    mask = np.zeros([side.stop - side.start for side in coarse], bool)
    for part in Grid(mask.shape, tuple(-(-size // step) for size, step in zip(mask.shape, by, strict=True))):
        fine = tuple(
            slice(max(side.start, (whole.start + own.start) * step), min(side.stop, (whole.start + own.stop) * step))
            for side, whole, own, step in zip(box, coarse, part, by, strict=True)
        )
        rows, columns = np.nonzero(read_box(path, fine) == number)
        mask[
            (rows + fine[0].start) // by[0] - coarse[0].start, (columns + fine[1].start) // by[1] - coarse[1].start
        ] = True
    return mask


def _magnified(ring: Ring, box: Region, by: tuple[int, ...]) -> Ring:
    """A ring on the finest level, no larger than the box of its object."""
    (top, bottom), (left, right) = ((side.start, side.stop) for side in box)
    return [[min(max(x * by[1], left), right), min(max(y * by[0], top), bottom)] for x, y in ring]


def join_outlines(path: str | Path, pieces: Iterable[bytes]) -> None:
    """Write the texts that ``outlines_of_block`` returned of all blocks as one GeoJSON file, completely or not at all.

    Holds one piece at a time. Raises ``UserError`` for a full disk or a read-only folder.
    """
    with unwritable(Path(path)), replacing(Path(path)) as temporary, open(temporary, "wb") as file:
        file.write(BEGIN)
        for number, piece in enumerate(filter(None, pieces)):
            file.write(b"," + piece if number else piece)
        file.write(END)
