"""Outlines of the objects of images beyond memory, as GeoJSON that is written as it goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from segraft.blocks.label_store import read_box
from segraft.blocks.objects import Objects
from segraft.files import replacing, unwritable
from segraft.labels.outlines import check_flat, mask_polygons, object_feature
from segraft.model.tiling import Region, within

BEGIN, END = b'{"type":"FeatureCollection","features":[', b"]}"


def outlines_of_block(path: str | Path, box: Region, objects: Objects) -> bytes:
    """Outline the objects whose boxes begin in a block, ``box``, of a label image written by ``label_store``, (y, x).

    Returns their features of GeoJSON, separated by commas: those of ``segraft.labels.outlines.outlines``. Reads the
    block, and the boxes of objects that reach beyond it. Raises ``UserError`` for volumes and for damaged files.
    """
    check_flat(tuple(side.stop - side.start for side in box))
    features = (
        object_feature(number, mask_polygons(labels == number, corner))
        for number, corner, labels in _boxes(path, box, objects)
    )
    return b",".join(json.dumps(feature, separators=(",", ":")).encode() for feature in features)


def _boxes(path: str | Path, box: Region, objects: Objects) -> Iterator[tuple[int, tuple[int, int], np.ndarray]]:
    """Yield id, first corner (y, x) and box of labels ``(y, x)`` of each object."""
    if not len(objects.id):
        return
    block = read_box(path, box)
    inside = np.all(objects.end <= np.array([side.stop for side in box]), axis=1).tolist()
    rows = zip(objects.id.tolist(), objects.first.tolist(), objects.end.tolist(), inside, strict=True)
    for number, (top, left), (bottom, right), here in rows:
        own = (slice(top, bottom), slice(left, right))
        yield number, (top, left), block[within(own, box)] if here else read_box(path, own)


def join_outlines(path: str | Path, pieces: Iterable[bytes]) -> None:
    """Write what ``outlines_of_block`` returned of all blocks as one GeoJSON file, completely or not at all.

    Holds one piece at a time. Raises ``UserError`` for a full disk or a read-only folder.
    """
    with unwritable(Path(path)), replacing(Path(path)) as temporary, open(temporary, "wb") as file:
        file.write(BEGIN)
        for number, piece in enumerate(filter(None, pieces)):
            file.write(b"," + piece if number else piece)
        file.write(END)
