"""Outlines of objects as GeoJSON, as QuPath imports them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from segraft.errors import UserError
from segraft.files import write_text
from segraft.labels.check import UNKNOWN
from segraft.labels.measured_objects import boxes

Ring = list[list[int]]
IGNORED = "Ignore*"
"""QuPath's class of regions that are not to be judged."""


def outlines(labels: np.ndarray) -> dict[str, Any]:
    """Outline each object of labels ``(y, x)`` as a GeoJSON FeatureCollection, as QuPath imports it.

    Polygons follow the edges of pixels, so that they enclose exactly the object. Coordinates are (x, y) in pixels:
    pixel (0, 0) is the square from (0, 0) to (1, 1). Rings are closed, holes are inner rings (RFC 7946). An object of
    several parts is a MultiPolygon; pixels that meet at a corner only are in different parts. The name of each feature
    is the object's id; unknown pixels (−1) are a region of the class ``Ignore*``. Raises ``UserError`` for volumes.
    """
    features = [object_feature(number, polygons) for number, polygons in object_polygons(labels)]
    if unknown := mask_polygons(labels == UNKNOWN):
        features.append(_feature(unknown, objectType="annotation", classification={"name": IGNORED}))
    return {"type": "FeatureCollection", "features": features}


def object_feature(number: int, polygons: list[list[Ring]], **more: Any) -> dict[str, Any]:
    """Return the feature of an object by its id, the polygons of its parts, and ``more`` properties."""
    return _feature(polygons, objectType="detection", name=str(number), **more)


def _feature(polygons: list[list[Ring]], **properties: Any) -> dict[str, Any]:
    """Return one object as GeoJSON has it."""
    kind, shape = ("Polygon", polygons[0]) if len(polygons) == 1 else ("MultiPolygon", polygons)
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": shape}, "properties": properties}


def object_polygons(labels: np.ndarray) -> Iterator[tuple[int, list[list[Ring]]]]:
    """Yield id and polygons of each object of labels ``(y, x)``, ids ascending: one for each part, its holes after it.

    Rings are closed lists of [x, y] along the edges of pixels. Raises ``UserError`` for volumes.
    """
    check_flat(labels.shape)
    for number, box in boxes(labels):
        yield number, mask_polygons(labels[box] == number, (box[0].start, box[1].start))


def check_flat(shape: tuple[int, ...]) -> None:
    """Raise ``UserError`` for labels of a shape that has no outlines."""
    if len(shape) != 2:
        raise UserError(f"outlines: got labels of shape {shape}, expected 2-D labels; omit the outlines")


def mask_polygons(mask: np.ndarray, origin: tuple[int, int] = (0, 0)) -> list[list[Ring]]:
    """Return the polygons of a mask ``(y, x)`` whose first pixel lies at ``origin`` (y, x): see ``object_polygons``."""
    parts, _ = ndimage.label(mask)  # connected by edges
    return [
        _polygon(parts[box] == part, (origin[0] + box[0].start, origin[1] + box[1].start))
        for part, box in enumerate(ndimage.find_objects(parts), 1)
    ]


def write_outlines(path: str | Path, labels: np.ndarray) -> None:
    """Write ``outlines`` as a GeoJSON file, completely or not at all.

    Raises ``UserError`` as ``outlines``, and for a full disk or a read-only folder.
    """
    write_text(path, json.dumps(outlines(labels), separators=(",", ":")))


def _polygon(mask: np.ndarray, origin: tuple[int, int]) -> list[Ring]:
    """Return the rings of an object connected by edges, ``mask (y, x)``: the outer one first, then its holes."""
    rings = [ring + np.array(origin) for ring in _rings(mask)]
    rings.sort(key=_area, reverse=True)
    return [[[int(x), int(y)] for y, x in _corners(ring)] for ring in rings]


def _rings(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Closed rings ``(points, 2)`` of (y, x) along the edges of a mask, object on the right; no ring meets itself."""
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, end in _edges(mask):
        following.setdefault(start, []).append(end)
    for first in tuple(following):  # the first one that is left would be searched among all that are gone
        if first not in following:
            continue
        path = [first]
        position = {first: 0}
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
    """Yield directed edges, from (y, x) to (y, x), between pixels inside and outside a mask."""
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
    """Return the points of a closed ring at which it turns, as a closed ring."""
    steps = np.diff(ring, axis=0)
    corners = ring[:-1][(steps != np.roll(steps, 1, axis=0)).any(1)]
    return np.concatenate([corners, corners[:1]])
