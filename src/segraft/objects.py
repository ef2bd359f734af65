"""What a label image holds, object by object: a table of measurements, outlines, and a picture to look at."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from segraft.data.images import replacing, unwritable
from segraft.data.normalise import Normalisation
from segraft.errors import UserError

AXES = "zyx"
GOLDEN = 0.618033988749895
"""Step between the hues of successive ids: neighbours in number are far apart in colour."""
Ring = list[list[int]]


def columns(ndim: int, channels: int = 0) -> list[str]:
    """Names of the columns of ``measure`` for labels of ``ndim`` axes and an image of so many channels."""
    axes = AXES[-ndim:]
    means = ["mean_intensity"] if channels == 1 else [f"mean_intensity_{channel}" for channel in range(channels)]
    boxes = [f"{end}_{axis}" for end in ("min", "max") for axis in axes]
    return ["id", "area", *(f"centroid_{axis}" for axis in axes), *boxes, *means]


def measure(labels: np.ndarray, image: np.ndarray | None = None) -> list[dict[str, int | float]]:
    """Measure each object of labels ``(*space)``: one row per id, ascending, with the keys ``columns``.

    Area (in 3-D volume) and coordinates are in pixels; a centroid is the mean of pixel indices, a bounding box begins
    at ``min`` and ends before ``max``. With an image ``(C, *space)`` the mean intensity of each channel follows.
    """
    rows = []
    names = columns(labels.ndim, 0 if image is None else len(image))
    for number, box in _boxes(labels):
        mask = labels[box] == number
        start = [side.start for side in box]
        centre = [float(axis.mean()) + begin for axis, begin in zip(np.nonzero(mask), start, strict=True)]
        means = [] if image is None else [float(channel[box][mask].mean(dtype=np.float64)) for channel in image]
        values = [number, int(mask.sum()), *centre, *start, *(side.stop for side in box), *means]
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def write_table(path: str | Path, labels: np.ndarray, image: np.ndarray | None = None) -> None:
    """Write ``measure`` as CSV, complete or not at all; labels without objects give the header alone."""
    text = io.StringIO(newline="")
    names = columns(labels.ndim, 0 if image is None else len(image))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(measure(labels, image))
    _write_text(Path(path), text.getvalue())


def outlines(labels: np.ndarray) -> dict[str, Any]:
    """Outline each object of labels ``(y, x)`` as a GeoJSON FeatureCollection, as QuPath imports it.

    Polygons follow the edges of pixels, so that they enclose exactly the object: pixel (0, 0) is the square from (0, 0)
    to (1, 1), coordinates are (x, y), rings are closed, holes are inner rings. An object in several parts (pixels that
    meet at a corner only are such) is a MultiPolygon. The name of each feature is the object's id.
    """
    if labels.ndim != 2:
        raise UserError(f"labels came with shape {labels.shape}; outlines are drawn of 2-D labels; leave them away")
    features = []
    for number, box in _boxes(labels):
        parts, count = ndimage.label(labels[box] == number)  # connected by edges
        polygons = [_polygon(parts == part, (box[0].start, box[1].start)) for part in range(1, count + 1)]
        kind, shape = ("Polygon", polygons[0]) if count == 1 else ("MultiPolygon", polygons)
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": kind, "coordinates": shape},
                "properties": {"objectType": "detection", "name": str(number)},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def write_outlines(path: str | Path, labels: np.ndarray) -> None:
    """Write ``outlines`` as a GeoJSON file, complete or not at all."""
    _write_text(Path(path), json.dumps(outlines(labels), separators=(",", ":")))


def overlay(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the outlines of labels ``(y, x)`` on an image ``(C, y, x)``: uint8 ``(y, x, 3)``.

    One channel is grey; of more, the first three are red, green and blue.
    """
    if labels.ndim != 2:
        raise UserError(f"labels came with shape {labels.shape}; pictures are drawn of 2-D labels; leave them away")
    picture = np.zeros((*labels.shape, 3))
    shown = np.minimum(Normalisation()(image[:3]), 1)
    picture[..., : len(shown)] = np.moveaxis(shown, 0, -1)
    if len(shown) == 1:
        picture[:] = shown[0][..., None]
    edge = boundaries(labels)
    picture[edge] = _colours(labels[edge])
    return np.round(255 * picture).astype(np.uint8)


def boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels of objects with a neighbour (by an edge) of another label; boolean, shaped as ``labels``."""
    edge = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        first, last = (np.moveaxis(array, axis, 0) for array in (labels, edge))
        differs = first[1:] != first[:-1]
        last[1:] |= differs
        last[:-1] |= differs
    return edge & (labels > 0)


def _boxes(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Id and bounding box of each object, ids ascending; large ids cost no memory."""
    ids, rows = np.unique(labels, return_inverse=True)
    numbers = (np.cumsum(ids > 0) * (ids > 0))[rows].reshape(labels.shape)
    yield from zip(ids[ids > 0].tolist(), ndimage.find_objects(numbers), strict=True)


def _polygon(mask: np.ndarray, origin: tuple[int, int]) -> list[Ring]:
    """Rings of an object connected by edges, ``mask (y, x)``: the outer one first, then its holes."""
    rings = [ring + np.array(origin) for ring in _rings(mask)]
    rings.sort(key=_area, reverse=True)
    return [[[int(x), int(y)] for y, x in _corners(ring)] for ring in rings]


def _rings(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Closed rings ``(points, 2)`` of (y, x) along the edges of a mask, object on the right; none meets itself."""
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, end in _edges(mask):
        following.setdefault(start, []).append(end)
    while following:
        path = [next(iter(following))]
        position = {path[0]: 0}
        while path[-1] in following:
            choices = following[path[-1]]
            point = choices.pop()
            if not choices:
                del following[path[-1]]
            path.append(point)
            if point in position:  # a loop is closed: cut it off, so that rings touch at corners but never cross
                begin = position[point]
                yield np.array(path[begin:])
                for passed in path[begin + 1 : -1]:
                    del position[passed]
                del path[begin + 1 :]
            else:
                position[point] = len(path) - 1


def _edges(mask: np.ndarray) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Directed edges, from (y, x) to (y, x), between the pixels of a mask and what lies outside it."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], (0, 0), (0, 1)),  # top, to the right
        (padded[1:-1, 2:], (0, 1), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (1, 0)),
        (padded[1:-1, :-2], (1, 0), (0, 0)),
    )
    for neighbour, start, end in sides:
        pixels = np.argwhere(inside & ~neighbour)
        yield from zip(map(tuple, (pixels + start).tolist()), map(tuple, (pixels + end).tolist()), strict=True)


def _area(ring: np.ndarray) -> float:
    """Signed area inside a closed ring (shoelace formula): positive for an outer ring, negative for a hole."""
    (y, x), (next_y, next_x) = ring[:-1].T, ring[1:].T
    return float((x * next_y - next_x * y).sum() / 2)


def _corners(ring: np.ndarray) -> np.ndarray:
    """Keep the points of a closed ring where it turns; it stays closed."""
    steps = np.diff(ring, axis=0)
    corners = ring[:-1][(steps != np.roll(steps, 1, axis=0)).any(1)]
    return np.concatenate([corners, corners[:1]])


def _colours(ids: np.ndarray) -> np.ndarray:
    """Bright colours ``(n, 3)``, 0 to 1, of ids ``(n)``: hues a golden section apart."""
    hues = (ids.astype(np.float64) * GOLDEN % 1)[:, None] * 6
    return np.clip(np.abs((hues + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)


def _write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all."""
    with unwritable(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
