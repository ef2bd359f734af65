"""Objects of many images in one json, in COCO's format (cocodataset.org): polygons and runs of pixels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.files import read_json, write_text
from segraft.labels.check import UNKNOWN
from segraft.labels.outlines import object_polygons
from segraft.labels.shapes import Outline, Runs, Shape, draw

EXPECTED = "COCO's format, an object with lists of images and annotations"
Annotations = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class CocoImage:
    """One image of a COCO file: its name there, its size (y, x), and the annotations as they are in the file."""

    name: str
    shape: tuple[int, int]
    annotations: Annotations

    def draw(self, source: str) -> np.ndarray:
        """Draw the objects into labels ``(y, x)``: see ``segraft.labels.shapes.draw``; categories do not matter.

        Crowds (``iscrowd``) are unknown. Raises ``UserError`` for annotations without outline or of another size.
        """
        shapes = [self._shape(annotation, source) for annotation in self.annotations]
        return draw(shapes, self.shape, source)

    def _shape(self, annotation: dict[str, Any], source: str) -> Shape:
        """Return one annotation as an object."""
        outline, crowd = annotation.get("segmentation"), bool(annotation.get("iscrowd"))
        name = f"annotation {annotation.get('id')}"
        try:
            if isinstance(outline, dict):
                if tuple(outline["size"]) != self.shape:
                    raise UserError(f"{source}, {name}: got runs for {outline['size']}, expected {list(self.shape)}")
                counts = outline["counts"]
                return Runs(name, decode(counts) if isinstance(counts, str) else [int(each) for each in counts], crowd)
            polygons = tuple((np.array(points, float).reshape(-1, 2),) for points in outline or ())
        except (KeyError, TypeError, ValueError, IndexError):
            polygons = ()
        if not polygons:
            raise UserError(f"{source}, {name}: got no outline, expected polygons or runs of pixels; draw or delete it")
        return Outline(name, polygons, crowd)


def read_coco(path: Path) -> dict[str, CocoImage]:
    """Read a COCO file: its images by file name. Raises ``UserError`` for json of another kind."""
    content = read_json(path, EXPECTED)
    try:
        images = {entry["id"]: entry for entry in content["images"]}
        objects: dict[Any, list[dict[str, Any]]] = {number: [] for number in images}
        for annotation in content["annotations"]:
            objects[annotation["image_id"]].append(annotation)
        found = [
            CocoImage(str(entry["file_name"]), (int(entry["height"]), int(entry["width"])), tuple(objects[number]))
            for number, entry in images.items()
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        geojson = isinstance(content, list) or (isinstance(content, dict) and "features" in content)
        advice = (
            "name it .geojson if it is GeoJSON" if geojson else f"it lacks {error}; export it again, or move it away"
        )
        raise UserError(f"{path}: got json of another kind, expected {EXPECTED}; {advice}") from error
    return {image.name: image for image in found}


def decode(text: str) -> list[int]:
    """Return the lengths of runs in COCO's compressed string.

    Each is a number in groups of 5 bits, the lowest first, a character (from "0") for each; bit 6 says that more groups
    follow, the highest bit of the last group is the sign. From the fourth run on it is the difference to the run two
    before. Raises ``IndexError`` and ``ValueError`` for text that is cut short or of other characters.
    """
    counts: list[int] = []
    place = 0
    while place < len(text):
        value = shift = 0
        more = True
        while more:
            group = ord(text[place]) - 48
            if not 0 <= group < 64:
                raise ValueError(f"no character of a compressed run: {text[place]!r}")
            value |= (group & 31) << shift
            shift, place, more = shift + 5, place + 1, bool(group & 32)
        value -= (1 << shift) if group & 16 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts


class CocoWriter:
    """Collects the objects of label images for one COCO file.

    Objects are polygons along the edges of their pixels, those with holes runs of pixels; all are of one category.
    Unknown pixels (−1) are a crowd. Annotations are numbered from 1: COCO's evaluation takes a match with 0 for none.
    """

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, name: str, labels: np.ndarray) -> None:
        """Add the objects of labels ``(y, x)`` for the image file ``name``. Raises ``UserError`` for volumes."""
        image = len(self.images) + 1
        for annotation in _annotations(labels):
            number = len(self.annotations) + 1
            self.annotations.append({"id": number, "image_id": image, "category_id": 1, **annotation})
        height, width = labels.shape
        self.images.append({"id": image, "file_name": name, "height": height, "width": width})

    def write(self, path: str | Path) -> None:
        """Write the file, completely or not at all. Raises ``UserError`` for a full disk or a read-only folder."""
        categories = [{"id": 1, "name": "object"}]
        content = {"images": self.images, "annotations": self.annotations, "categories": categories}
        write_text(path, json.dumps(content, separators=(",", ":")))


def _annotations(labels: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield what COCO keeps of each object of a label image."""
    for number, polygons in object_polygons(labels):
        mask = labels == number
        corners = np.array([point for polygon in polygons for point in polygon[0]])
        (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
        outline: Any = [[value for point in polygon[0][:-1] for value in point] for polygon in polygons]
        if any(len(polygon) > 1 for polygon in polygons):
            outline = {"size": list(labels.shape), "counts": _runs(mask)}
        box = [left, top, right - left, bottom - top]
        yield {"segmentation": outline, "area": int(mask.sum()), "bbox": box, "iscrowd": 0}
    if (unknown := labels == UNKNOWN).any():
        rows, columns = (np.flatnonzero(unknown.any(axis)).tolist() for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
        outline = {"size": list(labels.shape), "counts": _runs(unknown)}
        yield {"segmentation": outline, "area": int(unknown.sum()), "bbox": box, "iscrowd": 1}


def _runs(mask: np.ndarray) -> list[int]:
    """Return the lengths of runs outside and inside a mask ``(y, x)`` by turns, column by column."""
    flat = np.concatenate([[False], mask.T.ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff([0, *changes.tolist(), mask.size]).tolist()
