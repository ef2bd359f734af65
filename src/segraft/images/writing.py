"""Writing images: tif, png, h5 and zarr, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.images.calibration import state_in_h5, state_in_zarr
from segraft.images.formats import H5, TIF, WRITERS, write_into_zarr
from segraft.images.reading import split_key
from segraft.images.tif import write_tif_planes

State = Callable[[Path, str], None]
"""Adds what is known of an array to the file that holds it, under this key."""
STATES: dict[str, Callable[..., None]] = {**dict.fromkeys(H5, state_in_h5), ".zarr": state_in_zarr}
"""By suffix, how files state axes and the size of a voxel."""


def write_image(path: str | Path, array: np.ndarray, key: str | None = None) -> None:
    """Write an array by suffix: tif (deflate), png (integers to 65 535), ``file.h5:key`` or ``dir.zarr:key``.

    Missing folders are created. The file appears only when it is complete. ``key`` is the name inside h5 and zarr
    where the path has none: by default "labels" for integers, else "data"; the file's other arrays are kept.
    Booleans are written as 0 and 1. Raises ``UserError`` for an unknown format, values that it cannot hold, a full
    disk or a read-only folder.
    """
    _write(path, array, key, _nothing)


def write_labels(
    path: str | Path, labels: np.ndarray, axes: str = "", voxel_size: Sequence[float] | None = None
) -> None:
    """Write labels ``(*axes, y, x)`` by suffix, with their axes and the size of a voxel, ``(y, x)`` or ``(z, y, x)``.

    The letters of the ``axes`` are T, Z and ``?`` for one without a name; the size is in nm. A tif says both as ImageJ
    does, a zarr as OME-Zarr does, an h5 the size alone; a png says neither. Raises ``UserError`` as ``write_image``.
    """
    file, _ = split_key(path)
    suffix = file.suffix.lower()
    if suffix in TIF and (axes or voxel_size):
        with unwritable(file), replacing(file) as temporary:
            write_tif_planes(temporary, labels, axes, voxel_size)
        return
    state = STATES.get(suffix)
    _write(path, labels, "labels", partial(state, axes=axes, voxel_size=voxel_size) if state else _nothing)


def _write(path: str | Path, array: np.ndarray, key: str | None, state: State) -> None:
    """Write an array by suffix, see ``write_image``, and ``state`` what is known of it before the file appears."""
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
            state(file, key)
            return
        with replacing(file) as temporary:
            write(temporary, array, file, key)
            state(temporary, key)


def _nothing(place: Path, key: str) -> None:
    """Add nothing to a file."""
