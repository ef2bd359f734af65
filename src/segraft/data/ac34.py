"""AC3 and AC4: neurons of mouse cortex in serial sections (Kasthuri et al., Cell 2015), stacks of 1024×1024."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segraft.data.samples import LazySamples, existing_folder
from segraft.errors import UserError, choose
from segraft.images.sections import read_sections, stack_shape
from segraft.types import Sample

ENDINGS = (".h5", ".hdf5", ".hdf", ".tif", ".tiff")
PARTS = {"train": ("AC4", 0, 80), "val": ("AC4", 80, 100), "test": ("AC3", 0, 100)}
"""Volume and sections of each split: begin, and end excluded."""
FILES = {
    "AC4": (("AC4_inputs", "AC4_labels"), ("train-input", "train-labels")),
    "AC3": (("AC3_inputs", "AC3_labels"), ("test-input", "test-labels")),
}
"""Usual names of image and labels: of the volumes, and of the SNEMI3D challenge, which took its data from them."""
VOXEL_SIZE = (29.0, 3.0, 3.0)
PAGE = "lichtman.rc.fas.harvard.edu/vast"


class Stack(NamedTuple):
    """Some sections of a volume."""

    name: str
    image: Path
    labels: Path
    begin: int
    end: int


def ac34(root: str | Path | None, split: str, *, voxel_size: Sequence[float] = VOXEL_SIZE) -> LazySamples:
    """Open ``AC4_inputs`` with ``AC4_labels`` (train, val) or ``AC3_inputs`` with ``AC3_labels`` (test), h5 or tif.

    One volume ``(1, z, y, x)`` as stored, with labels ``(z, y, x)``: the first 80 sections of AC4 for training, the
    next 20 for validation, the first 100 of AC3 for testing. The names of SNEMI3D (``train-input``,
    ``train-labels``) are found, too. ``voxel_size`` is (z, y, x) in nm: (29, 3, 3) as published; many copies are
    binned to (30, 6, 6). Raises ``UserError`` for missing files, stacks that are too short and shapes that differ.
    """
    volume, begin, end = choose("split", split, PARTS)
    if len(voxel_size) != 3 or not all(np.isfinite(voxel_size)) or min(voxel_size) <= 0:
        raise UserError(f"voxel size: got {tuple(voxel_size)}, expected three positive lengths; give (z, y, x) in nm")
    root = existing_folder(root, f"{volume}_inputs.h5 and {volume}_labels.h5 (or .tif)")
    image, labels = _find(root, volume)
    shapes = stack_shape(image), stack_shape(labels, labels=True)
    if shapes[0] != shapes[1]:
        got = f"{image} and {labels}: got shapes {shapes[0]} and {shapes[1]}"
        raise UserError(f"{got}, expected the same; export both again")
    if shapes[0][0] < end:
        raise UserError(f"{image}: got {shapes[0][0]} sections, expected {end} or more; use the whole {volume}")
    size = voxel_size[0], voxel_size[1], voxel_size[2]
    return LazySamples((Stack(f"{volume}_z{begin:03d}-{end:03d}", image, labels, begin, end),), partial(_read, size))


def _find(root: Path, volume: str) -> tuple[Path, Path]:
    """Find the image and the label stack of a volume by any of their usual names."""
    for names in FILES[volume]:
        found = [path for name in names for ending in ENDINGS if (path := root / f"{name}{ending}").is_file()]
        pairs = {path.name.partition(".")[0]: path for path in reversed(found)}  # h5 before tif
        if len(pairs) == 2:
            return pairs[names[0]], pairs[names[1]]
    usual = " or ".join(f"{image} and {labels}" for image, labels in FILES[volume])
    raise UserError(
        f"{root} has no stacks of {volume}, expected {usual}, each as h5 or tif; "
        f"export them from the data at {PAGE} (Kasthuri 2015)"
    )


def _read(voxel_size: tuple[float, float, float], stack: Stack) -> Sample:
    """Read the sections: volume ``(1, z, y, x)``, labels ``(z, y, x)``."""
    image = read_sections(stack.image, stack.begin, stack.end)
    return Sample(image[None], read_sections(stack.labels, stack.begin, stack.end, labels=True), stack.name, voxel_size)
