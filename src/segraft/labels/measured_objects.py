"""Measurements of the objects of a label image: size, position, shape and intensity, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from segraft.files import write_text
from segraft.labels.relabel import id_dtype, id_table

AXES = "zyx"
LENGTHS = {
    "equivalent_diameter": "equivalent_diameter_area",
    "perimeter": "perimeter",
    "major_axis": "axis_major_length",
    "minor_axis": "axis_minor_length",
}
"""Lengths, and what scikit-image calls them."""
RATIOS = ("eccentricity", "solidity")
FLAT = ("perimeter", *RATIOS)
"""Measurements of images alone: volumes have none such."""
EXTENTS = {2: "area_um2", 3: "volume_um3"}
INTENSITIES = ("mean_intensity", "max_intensity", "integrated_intensity")
NANOMETRES = 1000.0
"""In a micrometre."""
Row = dict[str, int | float | None]


class Table(NamedTuple):
    """Rows by the names of their columns, which are there without rows, too."""

    names: list[str]
    rows: list[Row]


def columns(ndim: int, channels: int = 0, physical: bool = False) -> list[str]:
    """Return the columns of ``measure``, by name, for labels of ``ndim`` axes and an image of so many channels.

    ``physical`` says that the pixel size is known: lengths are in µm then, in pixels otherwise.
    """
    axes, unit = AXES[-ndim:], "um" if physical else "px"
    boxes = [f"{end}_{axis}" for end in ("min", "max") for axis in axes]
    shapes = [*(f"{name}_{unit}" for name in _of_dimension(LENGTHS, ndim)), *_of_dimension(RATIOS, ndim)]
    extent = [EXTENTS[ndim]] if physical else []
    endings = [""] if channels == 1 else [f"_{channel}" for channel in range(channels)]
    intensities = [f"{name}{ending}" for name in INTENSITIES for ending in endings]
    return ["id", "area", *(f"centroid_{axis}" for axis in axes), *boxes, *extent, *shapes, *intensities]


def _of_dimension(names: Sequence[str] | dict[str, str], ndim: int) -> list[str]:
    return [name for name in names if ndim == 2 or name not in FLAT]


def measure(
    labels: np.ndarray, image: np.ndarray | None = None, voxel_size: Sequence[float] | None = None
) -> list[Row]:
    """Measure each object of labels ``(*space)``: one row per id, ascending, with the keys ``columns``.

    The area (in 3-D the volume), centroid and box are in pixels: a centroid is the mean of pixel indices; a bounding
    box begins at ``min`` and ends before ``max``. Shapes are scikit-image's, in µm where the ``voxel_size``, in nm per
    axis, is given. Pixels count as points: a single one has axes, perimeter and eccentricity of 0, a row of them has no
    minor axis and an eccentricity of 1; both have a solidity of 1. The perimeter is None where pixels are not square.
    With an image ``(C, *space)`` the intensities of each channel follow, in its grey values.

    Memory grows with the largest object, not with the number of objects.
    """
    names = columns(labels.ndim, 0 if image is None else len(image), voxel_size is not None)
    spacing = (1.0,) * labels.ndim if voxel_size is None else micrometres(voxel_size)
    rows = []
    for number, box in boxes(labels):
        mask = labels[box] == number
        start = [side.start for side in box]
        pixels = np.nonzero(mask)
        centre = [float(axis.mean()) + begin for axis, begin in zip(pixels, start, strict=True)]
        position = [*centre, *start, *(side.stop for side in box)]
        extent = [] if voxel_size is None else [float(len(pixels[0]) * np.prod(spacing))]
        shape = _flat_shape(mask, spacing) if mask.ndim == 2 else _solid_shape(pixels, spacing)
        grey = [] if image is None else _intensities([channel[box][mask] for channel in image])
        values = [number, len(pixels[0]), *position, *extent, *shape, *grey]
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def micrometres(voxel_size: Sequence[float]) -> tuple[float, ...]:
    """A size in nm per axis in µm; as files store fractions, axes that differ by less than 0.1 % are equal."""
    sizes = np.divide(voxel_size, NANOMETRES)
    alike = np.ptp(sizes) < 1e-3 * sizes.min()
    return tuple(np.full_like(sizes, sizes.mean()).tolist() if alike else sizes.tolist())


def _flat_shape(mask: np.ndarray, spacing: Sequence[float]) -> list[float | None]:
    """Lengths and ratios of the object that a mask ``(y, x)`` shows, with pixels of this size."""
    from skimage.measure import regionprops  # slow to import

    region = regionprops(mask.astype(np.uint8), spacing=spacing)[0]
    square = len(set(spacing)) == 1
    lengths = [float(getattr(region, name)) if square or name != "perimeter" else None for name in LENGTHS.values()]
    return [*lengths, *(float(getattr(region, name)) for name in RATIOS)]


def _solid_shape(pixels: Sequence[np.ndarray], spacing: Sequence[float]) -> list[float]:
    """Diameter, major and minor axis of voxels at these indices ``(voxels,)`` per axis, with voxels of this size.

    What scikit-image gives; but that takes a hundred bytes for each voxel of the box, and a neuron's is the volume.
    """
    volume = len(pixels[0]) * float(np.prod(spacing))
    places = np.stack([axis * size for axis, size in zip(pixels, spacing, strict=True)])
    variances = np.linalg.eigvalsh(np.cov(places, bias=True)).clip(0)
    return [(6 * volume / np.pi) ** (1 / 3), *(float(2 * np.sqrt(5 * variances[k])) for k in (-1, 0))]


def _intensities(channels: Sequence[np.ndarray]) -> list[float]:
    """Mean, largest and summed grey value of an object's pixels ``(pixels)``, each of all channels."""
    means = [float(pixels.mean(dtype=np.float64)) for pixels in channels]
    largest = [float(pixels.max()) for pixels in channels]
    return [*means, *largest, *(float(pixels.sum(dtype=np.float64)) for pixels in channels)]


def table(labels: np.ndarray, image: np.ndarray | None = None, voxel_size: Sequence[float] | None = None) -> Table:
    """Return ``measure`` with its columns."""
    names = columns(labels.ndim, 0 if image is None else len(image), voxel_size is not None)
    return Table(names, measure(labels, image, voxel_size))


def write_table(
    path: str | Path,
    labels: np.ndarray,
    image: np.ndarray | None = None,
    voxel_size: Sequence[float] | None = None,
) -> None:
    """Write ``measure`` as CSV, completely or not at all; labels without objects give the header alone.

    Raises ``UserError`` for a full disk or a read-only folder.
    """
    write_rows(path, table(labels, image, voxel_size))


def write_rows(path: str | Path, measured: Table) -> None:
    """Write a table as CSV; see ``write_table``."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, measured.names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(measured.rows)
    write_text(path, text.getvalue())


def boxes(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Give id and bounding box of each object of labels ``(*space)``, ids ascending; memory does not grow with ids."""
    ids, rows, _ = id_table(labels)
    objects = ids > 0
    numbers = (np.cumsum(objects) * objects).astype(id_dtype(len(ids)))
    return zip(ids[objects].tolist(), ndimage.find_objects(numbers[rows]), strict=True)
