"""CVPPP: leaves of rosette plants from above (Minervini et al., Pattern Recognition Letters 2016), 128 plants of A1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segraft.data.samples import LazySamples, existing_folder, split_around
from segraft.errors import UserError
from segraft.images.channels import to_channels_first
from segraft.images.reading import read_image, read_labels
from segraft.types import Sample

PLANT = re.compile(r"(plant\d+)_rgb\.png$", re.IGNORECASE)
FOLDERS = (".", "A1", "training/A1", "CVPPP2017_LSC_training/training/A1")
"""Where the plants lie below the root: with or without the archive's own folders; the first with plants is used."""
TEST = (2, 16, 29, 37, 45, 46, 55, 61, 72, 80, 88, 99, 104, 108, 115, 127, 130, 142, 148, 159)
"""Numbers of the plants that the paper's authors test on: ``data/CVPPP/valid_set/local_20_1.txt`` of the code of the
paper's reference [36], https://github.com/weih527/Pixel-Embedded-Affinity, which their configuration names."""
PAGE = "www.plant-phenotyping.org/datasets-home"


@dataclass(frozen=True)
class Plant:
    """One plant: its colour image and its label image."""

    name: str
    image: Path
    labels: Path


def cvppp(root: str | Path | None, split: str, *, seed: int = 0) -> LazySamples:
    """Open the plants of CVPPP's folder A1: ``plantNNN_rgb.png`` with ``plantNNN_label.png``.

    Images are ``(3, y, x)`` uint8, without their constant alpha. Labels ``(y, x)`` int32 are the *indices* into the
    png's palette, the leaves' numbers; a leaf that another one crosses has the same number on both sides.
    ``plantNNN_fg.png`` is not needed: it equals ``labels > 0``. Of the 128 plants the 20 of ``TEST`` are for testing,
    11 of the others, drawn by ``seed``, for validation; of fewer plants those of ``TEST`` that are there, and a tenth.
    Raises ``UserError`` when there are no plants, or plants without labels.
    """
    root = existing_folder(root, "CVPPP's plantNNN_rgb.png and plantNNN_label.png")
    plants = next(filter(None, (_plants(root / folder) for folder in FOLDERS)), {})
    if not plants:
        raise UserError(
            f"no plantNNN_rgb.png in {root} or its {', '.join(FOLDERS[1:])}, expected the folder A1 of CVPPP's "
            f"leaf segmentation challenge; ask for the data at {PAGE}"
        )
    bare = [str(plant.image) for plant in plants.values() if not plant.labels.exists()]
    if bare:
        what = f"{', '.join(bare[:3])} ({len(bare)} of {len(plants)} images)"
        raise UserError(f"{what}: got no plantNNN_label.png, expected the training set A1; unpack it again")
    tests = [name for name in plants if int(name[len("plant") :]) in TEST]
    return LazySamples(tuple(plants[name] for name in split_around(plants, tests, split, seed)), _read)


def _plants(folder: Path) -> dict[str, Plant]:
    """Return the plants of a folder by name; the numbers have gaps."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    names = {match[1]: path for path in files if (match := PLANT.match(path.name))}
    return {name: Plant(name, path, path.with_name(f"{name}_label.png")) for name, path in names.items()}


def _read(plant: Plant) -> Sample:
    """Read one plant: image ``(3, y, x)``, labels ``(y, x)``."""
    image = to_channels_first(read_image(plant.image), 2, name=str(plant.image))
    labels = read_labels(plant.labels)
    if len(image) != 3 or labels.shape != image.shape[1:]:
        raise UserError(
            f"{plant.image} and {plant.labels}: got shapes {image.shape} and {labels.shape}, expected (3, y, x) and "
            "the same (y, x); unpack the archive again"
        )
    return Sample(image, labels.astype(np.int32), plant.name)
