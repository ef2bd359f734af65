"""CREMI: neurons of the fruit fly's brain in serial sections (cremi.org, 2016), three volumes of 125×1250×1250."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from segraft.data.samples import LazySamples
from segraft.errors import UserError, choose
from segraft.images.formats import CONTAINERS, h5_keys
from segraft.images.reading import unreadable
from segraft.images.sections import read_sections, stack_shape
from segraft.images.voxel_size import read_voxel_size
from segraft.types import Sample

RAW, NEURONS = "volumes/raw", "volumes/labels/neuron_ids"
OFFICIAL = re.compile(r"sample_([ABC])(?!_padded)_.*$", re.IGNORECASE)
"""Names of the annotated volumes: not of the padded ones, whose image is larger than its labels, nor of A+ B+ C+."""
SAMPLES = {"A": "A", "B": "B", "C": "C", "all": "ABC"}
SHARES = {"train": (0.0, 0.4), "val": (0.4, 0.6), "test": (0.6, 1.0)}
"""Part of the sections of each split: of 125, the first 50, the next 25, the last 50."""
ENDINGS = tuple(ending for ending in CONTAINERS if ending != ".zarr")


class Part(NamedTuple):
    """Sections ``begin`` to ``end`` (excluded) of one file."""

    file: Path
    begin: int
    end: int


def cremi(root: str | Path | None, split: str, *, sample: str = "all") -> LazySamples:
    """Open ``sample_A_*.hdf``, ``sample_B_*.hdf``, ``sample_C_*.hdf``, or h5 files with the same keys.

    Volumes are ``(1, z, y, x)`` as stored (uint8), labels ``(z, y, x)`` as stored, uint64 as int64; ids beyond its
    range, which mark voxels without annotation, become −1. ``voxel_size`` is the file's ``resolution``: (40, 4, 4) nm.
    Each volume is split along z: the first 50 of 125 sections for training, the next 25 for validation, the last
    50 for testing, other numbers in proportion; only these are read. The root is the folder, or one file; of a folder
    without official samples all h5 files are used. Raises ``UserError`` for a missing file or key, for shapes that
    differ and for too few sections.
    """
    choose("split", split, SHARES)
    choose("sample", sample, SAMPLES)
    return LazySamples(tuple(_part(file, split) for file in _files(root, sample)), _read)


def _part(file: Path, split: str) -> Part:
    """Return the sections of a file that belong to a split; reads the shapes only."""
    with unreadable(file):
        missing = [key for key in (RAW, NEURONS) if key not in h5_keys(file)]
    if missing:
        raise UserError(f"{file} has no {', '.join(missing)}, expected {RAW} and {NEURONS}; use one of CREMI's files")
    image, labels = stack_shape(f"{file}:{RAW}"), stack_shape(f"{file}:{NEURONS}", labels=True)
    if image != labels:
        raise UserError(f"{file}: got an image of shape {image}, labels of {labels}, expected the same; crop them")
    begin, end = (round(share * image[0]) for share in SHARES[split])
    if begin == end:
        raise UserError(f"{file}: got {image[0]} sections, too few for a {split} split, expected at least 5; use more")
    return Part(file, begin, end)


def _files(root: str | Path | None, sample: str) -> list[Path]:
    """Return the files to open: the root itself, or the samples in it, or any h5 where there are none."""
    expected = "CREMI's sample_A_20160501.hdf and the others"
    if root is None or not Path(root).exists():
        found = "root: got none" if root is None else f"{root} does not exist"
        raise UserError(f"{found}, expected the folder with {expected}; give it (root), or segraft download cremi")
    if Path(root).is_file():
        return [Path(root)]
    files = [path for path in sorted(Path(root).iterdir()) if path.suffix.lower() in ENDINGS]
    official = [path for path in files if (match := OFFICIAL.match(path.name)) and match[1].upper() in SAMPLES[sample]]
    others = [] if sample != "all" else [path for path in files if not path.name.startswith((".", "sample_"))]
    if not official and not others:
        raise UserError(
            f"{root} has no CREMI sample ({sample}), expected {expected}; run segraft download cremi, or check the path"
        )
    return official or others


def _read(part: Part) -> Sample:
    """Read the sections of one part: volume ``(1, z, y, x)``, labels ``(z, y, x)``."""
    read = partial(read_sections, begin=part.begin, end=part.end)
    image, labels = read(f"{part.file}:{RAW}"), read(f"{part.file}:{NEURONS}", labels=True)
    name = f"{part.file.stem}_z{part.begin:03d}-{part.end:03d}"
    return Sample(image[None], labels, name, read_voxel_size(f"{part.file}:{RAW}"))
