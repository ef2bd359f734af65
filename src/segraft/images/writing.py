"""Writing images: tif, png, h5 and zarr, completely or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.images.formats import TIF, WRITERS, write_into_zarr
from segraft.images.reading import split_key
from segraft.images.tif import write_tif_stack


def write_image(path: str | Path, array: np.ndarray, key: str | None = None) -> None:
    """Write an array by suffix: tif (deflate), png (integers to 65 535), ``file.h5:key`` or ``dir.zarr:key``.

    Missing folders are created. The file appears only when it is complete. ``key`` is the name inside h5 and zarr
    where the path has none: by default "labels" for integers, else "data"; the file's other arrays are kept.
    Booleans are written as 0 and 1. Raises ``UserError`` for an unknown format, values that it cannot hold, a full
    disk or a read-only folder.
    """
    file, own = split_key(path)
    key = own or key or ("labels" if np.issubdtype(array.dtype, np.integer) else "data")
    array = array.astype(np.uint8) if array.dtype == bool else array
    write = WRITERS.get(file.suffix.lower())
    if write is None:
        raise UserError(
            f"{file}: got the suffix {file.suffix!r}, expected one of {', '.join(WRITERS)}; choose one of them"
        )
    with unwritable(file):
        if file.suffix.lower() == ".zarr" and file.exists():
            write_into_zarr(array, file, key)
            return
        with replacing(file) as temporary:
            write(temporary, array, file, key)


def write_label_stack(path: Path, labels: np.ndarray, axes: str, voxel_size: Sequence[float] | None) -> None:
    """Write labels ``(*axes, y, x)`` by suffix; a tif names time and z and states the size of a voxel, in nm.

    Raises ``UserError`` as ``write_image``.
    """
    if path.suffix.lower() not in TIF:
        write_image(path, labels, key="labels")
        return
    with unwritable(path), replacing(path) as temporary:
        write_tif_stack(temporary, labels, axes, voxel_size)
