"""The size of a pixel or voxel in the metadata of an image file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segraft.images.formats import choose_key, h5_keys
from segraft.images.reading import split_key

NANOMETRES = {
    "nm": 1.0,
    "nanometer": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "\\u00B5m": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
}
"""Length in nm of the units that microscopes and ImageJ write, with both µ of Unicode and ImageJ's escape."""

ALIKE = 1.25
"""Sizes whose ratio is larger differ: networks bear less."""


def alike(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether two pixel sizes are nearly the same along each axis."""
    return all(1 / ALIKE <= a / b <= ALIKE for a, b in zip(first, second, strict=True))


def in_nm(size: Sequence[float]) -> str:
    """A pixel size in words."""
    return " × ".join(f"{length:g}" for length in size) + " nm"


def read_voxel_size(path: str | Path) -> tuple[float, ...] | None:
    """Return the size of a voxel in nm, ``(y, x)`` or ``(z, y, x)``; None where the file does not state it.

    Reads ImageJ and OME tifs, OME-Zarr, and h5 with ``resolution`` (CREMI, nm) or ``element_size_um``
    (ilastik, PlantSeg) on the image.
    """
    file, key = split_key(path)
    readers = {".tif": _tif, ".tiff": _tif, ".h5": _h5, ".hdf5": _h5, ".hdf": _h5, ".zarr": _zarr}
    read = readers.get(file.suffix.lower())
    if read is None:
        return None
    try:
        size = read(file, key)
    except Exception:  # odd metadata must not prevent reading the image
        return None
    return size if size and all(np.isfinite(size)) and min(size) > 0 else None


def _tif(file: Path, key: str | None) -> tuple[float, ...] | None:
    """Voxel size from OME or ImageJ metadata; the resolution tags of other tifs (dots per inch) are ignored."""
    import tifffile

    with tifffile.TiffFile(file) as tif:
        if tif.ome_metadata:
            return _ome_xml(tif.ome_metadata, int(key or 0))
        if not tif.imagej_metadata:
            return None
        unit = NANOMETRES[tif.imagej_metadata["unit"]]
        tags = tif.pages.first.tags
        sizes = [tags[name].value[1] / tags[name].value[0] for name in ("YResolution", "XResolution")]
        if "Z" in tif.series[0].axes:
            sizes.insert(0, tif.imagej_metadata["spacing"])
    return tuple(float(size) * unit for size in sizes)


def _ome_xml(text: str, number: int) -> tuple[float, ...]:
    """Voxel size of one image from an OME-XML header, whose default unit is µm."""
    from xml.etree import ElementTree

    pixels: Any = ElementTree.fromstring(text).findall(".//{*}Pixels")[number]
    axes = "ZYX" if int(pixels.get("SizeZ", "1")) > 1 else "YX"
    return tuple(
        float(pixels.attrib[f"PhysicalSize{axis}"]) * NANOMETRES[pixels.get(f"PhysicalSize{axis}Unit", "µm")]
        for axis in axes
    )


def _h5(file: Path, key: str | None) -> tuple[float, ...] | None:
    """Voxel size from the attributes of an HDF5 array."""
    import h5py

    key = choose_key(file, h5_keys(file), key, labels=False)
    with h5py.File(file, "r") as opened:
        attributes = opened[key].attrs
        for name, unit in (("resolution", "nm"), ("element_size_um", "um")):
            if name in attributes:
                return tuple(float(size) * NANOMETRES[unit] for size in attributes[name])
    return None


def _zarr(file: Path, key: str | None) -> tuple[float, ...] | None:
    """Voxel size from the finest level of an OME-Zarr pyramid."""
    import zarr

    node: Any = zarr.open(file, mode="r")
    node = node[key] if key else node
    scales = node.attrs.get("ome", node.attrs)["multiscales"][0]
    transforms = scales["datasets"][0]["coordinateTransformations"]
    factors = next(entry["scale"] for entry in transforms if entry["type"] == "scale")
    space = [(axis, factor) for axis, factor in zip(scales["axes"], factors, strict=True) if axis["type"] == "space"]
    return tuple(float(factor) * NANOMETRES[axis["unit"]] for axis, factor in space)
