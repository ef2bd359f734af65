"""Stacks of sections from electron microscopy: their shape, and single sections without reading the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.images.formats import H5, choose_key, h5_keys
from segraft.images.reading import read_image, read_labels, split_key, unreadable
from segraft.labels.check import UNKNOWN, check_labels

LARGEST = np.iinfo(np.int64).max
"""Largest id; CREMI marks voxels that are not annotated by the last numbers of uint64."""


def stack_shape(path: str | Path, labels: bool = False) -> tuple[int, int, int]:
    """Return the shape ``(z, y, x)`` of a stack, tif or ``file.h5:key``; no pixel is read.

    Raises ``UserError`` when the file is no image or no stack.
    """
    file, key = split_key(path)
    with unreadable(file):
        shape = _h5_shape(file, key, labels) if is_h5(file) else _tif_shape(file)
    if len(shape) != 3 or not min(shape):
        raise UserError(f"{path}: got shape {shape}, expected a stack (z, y, x); save each stack in its own file")
    return shape[0], shape[1], shape[2]


def is_h5(file: Path) -> bool:
    """Return whether the name is that of an HDF5 file."""
    return file.suffix.lower() in H5


def _h5_shape(file: Path, key: str | None, labels: bool) -> tuple[int, ...]:
    """Return the shape of an array in an HDF5 file."""
    import h5py

    key = choose_key(file, h5_keys(file), key, labels)
    with h5py.File(file, "r") as opened:
        return tuple(opened[key].shape)


def _tif_shape(file: Path) -> tuple[int, ...]:
    """Return the shape of the first series of a tif."""
    import tifffile

    with tifffile.TiffFile(file) as tif:
        return tuple(tif.series[0].shape)


def read_sections(path: str | Path, begin: int, end: int, labels: bool = False) -> np.ndarray:
    """Read sections ``begin`` to ``end`` (excluded) of a stack ``(z, y, x)``; of an h5, no other section is read.

    Labels are checked, and larger ids than int64 holds become −1, unknown. Raises ``UserError`` as ``stack_shape``
    and ``segraft.labels.check.check_labels``.
    """
    file, key = split_key(path)
    if is_h5(file):
        import h5py

        with unreadable(file), h5py.File(file, "r") as opened:
            array = opened[choose_key(file, h5_keys(file), key, labels)][begin:end]
    else:
        array = (read_labels if labels else read_image)(path)[begin:end]
    return signed(check_labels(array, str(path))) if labels else array


def signed(labels: np.ndarray) -> np.ndarray:
    """Convert labels of uint64 to int64, ids that do not fit to −1; labels of other types are returned unchanged."""
    if labels.dtype != np.uint64:
        return labels
    return np.where(labels > LARGEST, np.uint64(0), labels).astype(np.int64) + UNKNOWN * (labels > LARGEST)
