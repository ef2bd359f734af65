"""BBBC010: the worm *C. elegans* alive and dead in brightfield (Wählby et al., Nature Methods 2012), 100 wells."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

from segraft.data.samples import LazySamples, drawn_split, existing_folder
from segraft.errors import Notice, UserError, choose
from segraft.files import natural
from segraft.images.reading import read_image
from segraft.labels.check import UNKNOWN
from segraft.types import Sample

IMAGES = ("BBBC010_v2_images", "BBBC010_v1_images")
"""Folders of the images, the first that is there: version 2 has all wells."""
WORMS = "BBBC010_v1_foreground_eachworm"
BRIGHTFIELD = re.compile(r"_([A-P]\d\d)_w2_.*\.tif$", re.IGNORECASE)
WORM = re.compile(r"([A-P]\d\d)_\d+_ground_truth\.png$", re.IGNORECASE)
TEST = 0.5
OVERLAPS = {
    "deepest": "a pixel of several worms belongs to the one inside which it lies deepest",
    "unknown": "a pixel of several worms is unknown (-1)",
}


@dataclass(frozen=True)
class Well:
    """One well: its brightfield image and one mask per worm."""

    name: str
    image: Path
    worms: tuple[Path, ...]


def bbbc010(root: str | Path | None, split: str, *, seed: int = 0, overlap: str = "deepest") -> LazySamples:
    """Open the unpacked archive: ``BBBC010_v2_images/`` (or ``v1``) and ``BBBC010_v1_foreground_eachworm/``.

    Images ``(1, y, x)`` uint16 are the brightfield channel, w2; labels ``(y, x)`` int32 number the worms by file.
    There is no official split: half of the wells, drawn by ``seed``, are for testing, a tenth of the others for
    validation. Wells with masks are drawn, so that a missing image does not move other wells to another split; wells
    without an image are left out with a warning. Worms overlap: see ``merge_worms`` for ``overlap``.
    Raises ``UserError`` for missing folders, for a split without a well, and for an unknown ``overlap``.
    """
    choose("overlap", overlap, OVERLAPS)
    root = existing_folder(root, f"BBBC010's {IMAGES[0]}/ and {WORMS}/")
    folder = next((root / name for name in IMAGES if (root / name).is_dir()), root / IMAGES[0])
    missing = [str(path) for path in (folder, root / WORMS) if not path.is_dir()]
    if missing:
        raise UserError(
            f"{', '.join(missing)} not found, expected BBBC010's {IMAGES[0]}/ (or {IMAGES[1]}/) and {WORMS}/ in "
            f"{root}; run segraft download bbbc010, or unpack the archives there (bbbc.broadinstitute.org/BBBC010)"
        )
    images = {name: files[0] for name, files in _by_well(folder, BRIGHTFIELD).items()}
    worms = _by_well(root / WORMS, WORM)
    names = drawn_split(worms, split, seed, TEST)
    absent = [name for name in names if name not in images]
    if len(absent) == len(names):
        raise UserError(
            f"{folder} has no image of the {split} wells {', '.join(absent[:3])}…, "
            "expected *_WELL_w2_*.tif for each well with masks; unpack it again"
        )
    if absent:
        notice = Notice(f"{folder} has no image of {', '.join(absent)}; left out of the {split} split")
        warnings.warn(notice, stacklevel=2)
    wells = tuple(Well(name, images[name], tuple(worms[name])) for name in names if name in images)
    return LazySamples(wells, partial(_read, overlap))


def _by_well(folder: Path, pattern: re.Pattern[str]) -> dict[str, list[Path]]:
    """Return the files of a folder by the well in their name."""
    wells: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=natural):
        if not path.name.startswith(".") and (match := pattern.search(path.name)):
            wells.setdefault(match[1].upper(), []).append(path)
    return wells


def _read(overlap: str, well: Well) -> Sample:
    """Read one well: image ``(1, y, x)``, labels ``(y, x)``."""
    image = read_image(well.image)
    masks = [read_image(path) for path in well.worms]
    for path, mask in zip(well.worms, masks, strict=True):
        if image.ndim != 2 or mask.shape != image.shape:
            raise UserError(
                f"{well.image} and {path}: got shapes {image.shape} and {mask.shape}, expected the same (y, x); "
                "unpack the archives again"
            )
    return Sample(image[None], merge_worms([mask > 0 for mask in masks], overlap), well.name)


def merge_worms(masks: Iterable[np.ndarray], overlap: str = "deepest") -> np.ndarray:
    """Merge masks ``(y, x)`` of single worms into labels ``(y, x)`` int32, numbered from 1 in their order.

    A pixel of several worms belongs to the one in which it lies deepest: the one with the largest Euclidean distance,
    in pixels, to the outside of its own mask (beyond the image's border is outside); of equal ones to the first. So
    overlapping worms share their overlap along its middle, and the order of the files decides exact ties only. With
    ``overlap="unknown"`` such a pixel becomes −1.
    """
    masks = list(masks)
    labels = np.zeros(masks[0].shape, np.int32)
    deepest = np.zeros(masks[0].shape)
    covered = np.zeros(masks[0].shape, np.int32)
    for number, mask in enumerate(masks, start=1):
        for place in find_objects(mask.astype(np.uint8)):  # one box around the worm, none if its mask is empty
            depth = distance_transform_edt(np.pad(mask[place], 1))[1:-1, 1:-1]
            own = depth > deepest[place]
            labels[place][own], deepest[place][own] = number, depth[own]
            covered[place] += mask[place]
    if overlap == "unknown":
        labels[covered > 1] = UNKNOWN
    return labels
