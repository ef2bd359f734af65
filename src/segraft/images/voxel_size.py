"""The size of a pixel or voxel in the metadata of an image file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segraft.images.formats import choose_key, h5_keys
from segraft.images.reading import is_url, split_key, split_url
from segraft.images.tif import shown

NAMES = {
    1e-3: ("pm", "picometer"),
    0.1: ("Å", "angstrom"),
    1.0: ("nm", "nanometer"),
    1e3: ("um", "µm", "μm", "micron", "microns", "micrometer"),
    1e6: ("mm", "millimeter"),
    1e7: ("cm", "centimeter"),
    2.54e7: ("in", "inch", "inches"),
    1e9: ("m", "meter"),
}
"""What microscopes, ImageJ, OME and OME-Zarr call a length in nm, with both µ of Unicode."""
NANOMETRES = {name: length for length, names in NAMES.items() for name in names}
RESOLUTION_UNITS = {2: "inch", 3: "cm"}
"""Of the resolution tags of tif (TIFF 6.0, section 8)."""
PRINTED = 10_000.0
"""Pixels of so many nm or more, 2540 dots per inch, in tags of resolution are meant for a printer or scanner."""

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

    Reads ImageJ and OME tifs, other tifs whose resolution is finer than any printer's, OME-Zarr, also by its URL, and
    h5 with ``resolution`` (CREMI, nm) or ``element_size_um`` (ilastik, PlantSeg) on the image.
    """
    file, key = split_key(path)
    readers = {".tif": _tif, ".tiff": _tif, ".h5": _h5, ".hdf5": _h5, ".hdf": _h5, ".zarr": _zarr}
    read = readers.get(file.suffix.lower())
    if read is None and not is_url(path):
        return None
    try:
        size = _zarr(*split_url(str(path))) if is_url(path) else read(file, key) if read else None
    except Exception:  # odd metadata must not prevent reading the image
        return None
    return size if size and len(size) > 1 and all(np.isfinite(size)) and min(size) > 0 else None


def _tif(file: Path, key: str | None) -> tuple[float, ...] | None:
    """Voxel size from OME or ImageJ metadata, else from the tags of resolution."""
    import tifffile

    with tifffile.TiffFile(file) as tif:
        if tif.ome_metadata:
            return _ome_xml(tif.ome_metadata, int(key or 0))
        series = shown(tif)[int(key or 0)]
        tags = series.keyframe.tags
        y, x = (tags[name].value[1] / tags[name].value[0] for name in ("YResolution", "XResolution"))
        stated = tif.imagej_metadata or {}
        if "unit" in stated:
            return _imagej(stated, y, x, "Z" in series.axes)
        unit = NANOMETRES[RESOLUTION_UNITS[tags.valueof("ResolutionUnit", 2)]]
    return (y * unit, x * unit) if max(y, x) * unit < PRINTED else None


def _imagej(stated: dict[str, Any], y: float, x: float, stack: bool) -> tuple[float, ...]:
    """Voxel size from ImageJ's description; units of y and z, and a spacing of 1, are left out where they can be."""
    units = [NANOMETRES[_plain(stated.get(name, stated["unit"]))] for name in ("zunit", "yunit", "unit")]
    sizes = (abs(float(stated.get("spacing", 1.0))), y, x)
    return tuple(size * unit for size, unit in zip(sizes, units, strict=True))[0 if stack else 1 :]


def _plain(unit: str) -> str:
    """Return a unit without the escapes by which ImageJ writes letters beyond ASCII."""
    return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda code: chr(int(code[1], 16)), unit).strip()


def _ome_xml(text: str, number: int) -> tuple[float, ...]:
    """Voxel size of one image from an OME-XML header, whose default unit is µm; that of its planes where z lacks."""
    from xml.etree import ElementTree

    pixels: Any = ElementTree.fromstring(text).findall(".//{*}Pixels")[number]
    axes = "ZYX" if int(pixels.get("SizeZ", "1")) > 1 and "PhysicalSizeZ" in pixels.attrib else "YX"
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


def _zarr(file: Path | str, key: str | None) -> tuple[float, ...] | None:
    """Voxel size of an OME-Zarr pyramid, from its finest level or from the array that the key names."""
    import zarr

    group: Any = zarr.open(file, mode="r")
    name: str | None = None
    if key and isinstance(group[key], zarr.Array):
        parent, _, name = key.strip("/").rpartition("/")
        group = group[parent] if parent else group
    elif key:
        group = group[key]
    scales = group.attrs.get("ome", group.attrs)["multiscales"][0]
    level = next(each for each in scales["datasets"] if name in (None, each["path"]))
    factors = np.ones(len(scales["axes"]))
    for entry in (*level["coordinateTransformations"], *scales.get("coordinateTransformations", ())):
        factors = factors * entry.get("scale", 1.0)
    along = zip(scales["axes"], factors, strict=True)
    space = [(axis["unit"], factor) for axis, factor in along if axis.get("type") == "space" and "unit" in axis]
    return tuple(float(factor) * NANOMETRES[unit] for unit, factor in space)
