"""Files that napari itself cannot read or write: h5 (its own reader fails on them), and outlines for QuPath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.images.formats import LABEL_KEYS, h5_keys
from segraft.images.reading import read_image, unreadable
from segraft.images.voxel_size import read_voxel_size
from segraft.labels.outlines import write_outlines

Layer = tuple[Any, dict[str, Any], str]
"""Data, settings and kind of a layer, as napari takes them."""


def reader(path: str | Sequence[str]) -> Callable[[Any], list[Layer]]:
    """What opens one h5 file or several; napari, which names the argument, asks for those alone."""
    paths = [path] if isinstance(path, str) else path
    return lambda _: [layer for each in paths for layer in open_h5(each)]


def open_h5(path: str | Path) -> list[Layer]:
    """A layer for each array of two axes or more: whole numbers under a usual name of labels are labels.

    Raises ``UserError`` for a file that is no h5, and for one that holds nothing to show.
    """
    with unreadable(Path(path)):
        keys = h5_keys(Path(path))
    if not keys:
        raise UserError(f"{path} holds no array of two axes or more, expected an image or labels; check the file")
    return [_layer(f"{path}:{key}", key) for key in keys]


def _layer(path: str, key: str) -> Layer:
    """An array of a file with the size of its pixels, where the file states it."""
    array, size = read_image(path), read_voxel_size(path)
    settings: dict[str, Any] = {"name": key}
    if size is not None and len(size) <= array.ndim:
        leading = array.ndim - len(size)
        settings |= {"scale": (1.0,) * leading + tuple(size), "units": ("pixel",) * leading + ("nm",) * len(size)}
    labels = key in LABEL_KEYS and np.issubdtype(array.dtype, np.integer)
    return array, settings, "labels" if labels else "image"


def write_geojson(path: str, labels: Any, settings: dict[str, Any]) -> list[str]:
    """Write the outlines of a layer of labels ``(y, x)``, in pixels, for QuPath; return the path.

    Raises ``UserError`` for labels of other dimensions, and for a file that cannot be written.
    """
    write_outlines(path, np.asarray(labels))
    return [path]
