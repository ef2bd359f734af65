"""Measurements of the objects of a label image: size, position and mean intensity, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from segraft.files import write_text

AXES = "zyx"


class Table(NamedTuple):
    """Rows by the names of their columns, which are there without rows, too."""

    names: list[str]
    rows: list[dict[str, int | float]]


def columns(ndim: int, channels: int = 0) -> list[str]:
    """Return the columns of ``measure``, by name, for labels of ``ndim`` axes and an image of so many channels."""
    axes = AXES[-ndim:]
    means = ["mean_intensity"] if channels == 1 else [f"mean_intensity_{channel}" for channel in range(channels)]
    boxes = [f"{end}_{axis}" for end in ("min", "max") for axis in axes]
    return ["id", "area", *(f"centroid_{axis}" for axis in axes), *boxes, *means]


def measure(labels: np.ndarray, image: np.ndarray | None = None) -> list[dict[str, int | float]]:
    """Measure each object of labels ``(*space)``: one row per id, ascending, with the keys ``columns``.

    The area (in 3-D the volume) and coordinates are in pixels. A centroid is the mean of pixel indices; a bounding box
    begins at ``min`` and ends before ``max``. With an image ``(C, *space)`` the mean intensity of each channel, in its
    grey values, follows.
    """
    rows = []
    names = columns(labels.ndim, 0 if image is None else len(image))
    for number, box in boxes(labels):
        mask = labels[box] == number
        start = [side.start for side in box]
        centre = [float(axis.mean()) + begin for axis, begin in zip(np.nonzero(mask), start, strict=True)]
        means = [] if image is None else [float(channel[box][mask].mean(dtype=np.float64)) for channel in image]
        values = [number, int(mask.sum()), *centre, *start, *(side.stop for side in box), *means]
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def table(labels: np.ndarray, image: np.ndarray | None = None) -> Table:
    """Return ``measure`` with its columns."""
    return Table(columns(labels.ndim, 0 if image is None else len(image)), measure(labels, image))


def write_table(path: str | Path, labels: np.ndarray, image: np.ndarray | None = None) -> None:
    """Write ``measure`` as CSV, completely or not at all; labels without objects give the header alone.

    Raises ``UserError`` for a full disk or a read-only folder.
    """
    write_rows(path, table(labels, image))


def write_rows(path: str | Path, measured: Table) -> None:
    """Write a table as CSV; see ``write_table``."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, measured.names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(measured.rows)
    write_text(path, text.getvalue())


def boxes(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Yield id and bounding box of each object of labels ``(*space)``, ids ascending; memory does not grow with ids."""
    ids, rows = np.unique(labels, return_inverse=True)
    numbers = (np.cumsum(ids > 0) * (ids > 0))[rows].reshape(labels.shape)
    yield from zip(ids[ids > 0].tolist(), ndimage.find_objects(numbers), strict=True)
