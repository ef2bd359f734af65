"""Images that are arrays and no files: what workers get of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from segraft.blocks.work_folder import WorkFolder
from segraft.errors import UserError
from segraft.images.lazy import Source

ARRAY = "array"
"""Stage: an array in memory, written once."""
LARGEST = 2**20
"""Bytes that may be sent with each block."""


def for_workers(source: Source, folder: WorkFolder) -> Source:
    """The source as workers read it: an array in memory becomes a file of the work folder, see ``place``.

    Raises ``UserError`` for other arrays that hold much themselves, or cannot be sent.
    """
    if isinstance(source.where, str | Path):
        return source
    if isinstance(source.where, np.ndarray):
        return replace(source, where=folder.file(ARRAY, _checksum(source.where), ".npy"))
    _check_sent(source)
    return source


def place(array: object, source: Source) -> None:
    """Write an array in memory where its ``source`` for workers expects it, unless it is there."""
    if isinstance(array, np.ndarray) and not source.where.exists():
        WorkFolder(source.where.parents[2]).save_plain(ARRAY, int(source.where.stem), array)


def identity(source: Source) -> str:
    """What tells an image from others, in the settings of a run."""
    array = source.where
    if isinstance(array, str | Path):
        return str(array)
    return str(getattr(array, "store_path", None) or getattr(array, "name", None) or source.name)


def _checksum(array: np.ndarray) -> int:
    total = 0
    for part in np.atleast_1d(array):
        total = crc32(np.ascontiguousarray(part).view(np.uint8).data, total)
    return total


def _check_sent(source: Source) -> None:
    """Raise ``UserError`` for an array that is too large, or not made, to be sent to workers with each block."""
    try:
        from distributed.protocol.pickle import dumps
    except ImportError:
        return  # that Dask is missing is said later
    try:
        size = len(dumps(source.where))
    except Exception as error:  # whatever the array's library raises
        raise UserError(
            f"{source.name}: got {type(source.where).__name__}, which cannot be sent to workers "
            f"({' '.join(str(error).split())}), expected an array of files; give its path"
        ) from error
    if size > LARGEST:
        raise UserError(
            f"{source.name}: got {type(source.where).__name__} that holds {size / 1e6:.0f} MB itself, expected one of "
            "files, which workers read; write it as zarr, and give that"
        )
