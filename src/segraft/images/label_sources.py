"""Where labels come from: label images, folders with one mask per object, outlines, one COCO file of many images.

Every source reads to labels ``(*space)``. Outlines need the size of their image: ``read`` takes a function that
returns it, (y, x), and calls it only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.files import natural
from segraft.images.reading import is_image, read_labels, unreadable
from segraft.labels.coco import CocoImage
from segraft.labels.geojson import read_geojson
from segraft.labels.imagej import read_rois
from segraft.labels.planes import is_mask, pile
from segraft.labels.shapes import Outline, draw
from segraft.types import Space

OUTLINES: dict[str, Callable[[Path], list[Outline]]] = {
    ".geojson": read_geojson,
    ".roi": read_rois,
    ".zip": read_rois,
}
"""Readers of files with the outlines of one image's objects, by suffix."""
COCO = ".json"
Size = Callable[[], Space]


@dataclass(frozen=True)
class LabelImage:
    """A label image."""

    path: Path

    def read(self, size: Size) -> np.ndarray:
        """Read it: see ``segraft.images.reading.read_labels``."""
        return read_labels(self.path)


@dataclass(frozen=True)
class MaskFolder:
    """A folder with a binary mask for each object."""

    path: Path

    def read(self, size: Size) -> np.ndarray:
        """Read labels ``(*space)``, numbered from 1 in natural order of the files; a later object lies on top.

        An empty folder is an image without objects. Raises ``UserError`` for masks that are not binary, and for masks
        of different sizes.
        """
        files = sorted((path for path in self.path.iterdir() if is_image(path)), key=natural)
        return pile(_of_one_size(files), len(files)) if files else np.zeros(size(), np.uint32)


def _of_one_size(files: Sequence[Path]) -> Iterator[np.ndarray]:
    """Read masks of one image, as booleans."""
    shape: Space | None = None
    for path in files:
        mask = _binary(path)
        shape = shape or mask.shape
        if mask.shape != shape:
            raise UserError(
                f"{path}: got shape {mask.shape}, expected {shape} as of {files[0].name}; masks of one image have its "
                "size"
            )
        yield mask


def _binary(path: Path) -> np.ndarray:
    """Read a mask, 0 outside the object and one other value inside, as booleans."""
    mask = read_labels(path)
    if not is_mask(mask):
        raise UserError(
            f"{path}: got {len(np.unique(mask))} different values, expected 0 and one for the object; a label image "
            "lies beside the other images' masks, not in a folder of its own"
        )
    return mask != 0


@dataclass(frozen=True)
class OutlineFile:
    """A file of outlines in QuPath's or ImageJ's format."""

    path: Path

    def read(self, size: Size) -> np.ndarray:
        """Read labels ``(y, x)`` of the size of the image: see ``segraft.labels.shapes.draw``."""
        with unreadable(self.path, "outlines of objects"):
            outlines = OUTLINES[self.path.suffix.lower()](self.path)
        return draw(outlines, _plane(self.path, size()), str(self.path))


@dataclass(frozen=True)
class CocoLabels:
    """One image of a COCO file."""

    path: Path
    image: CocoImage

    def read(self, size: Size) -> np.ndarray:
        """Read labels ``(y, x)`` of the size that the file says: see ``CocoImage.draw``."""
        return self.image.draw(f"{self.path}, {self.image.name}")


LabelSource = LabelImage | MaskFolder | OutlineFile | CocoLabels
"""The labels of one image, on disk: ``path`` is the file or folder, for messages, and ``read(size)`` reads them."""


def _plane(path: Path, shape: Space) -> tuple[int, int]:
    """Return the size of a plane."""
    if len(shape) != 2:
        raise UserError(
            f"{path}: got outlines for an image of shape {shape}, expected a plane (y, x); give label images"
        )
    return shape[0], shape[1]


def is_outline_file(path: Path) -> bool:
    """Return whether the name is that of a file of outlines; the file itself is not opened."""
    return path.suffix.lower() in OUTLINES and not path.name.startswith(".")


def single_sources(folder: Path) -> Iterator[LabelSource]:
    """Yield the sources in a folder that hold the labels of one image each: label images, outlines, mask folders."""
    for path in folder.iterdir():
        if is_image(path):
            yield LabelImage(path)
        elif is_outline_file(path):
            yield OutlineFile(path)
        elif path.is_dir() and not path.name.startswith("."):
            yield MaskFolder(path)


def coco_file(*folders: Path) -> Path | None:
    """Return the COCO file in one of the folders, None without one. Raises ``UserError`` where there are several."""
    found = [path for folder in dict.fromkeys(folders) for path in folder.iterdir() if path.suffix.lower() == COCO]
    found = [path for path in found if not path.name.startswith(".")]
    if len(found) > 1:
        names = ", ".join(map(str, sorted(found)[:3]))
        raise UserError(f"got {len(found)} json files: {names}, expected one in COCO's format; move the others away")
    return found[0] if found else None
