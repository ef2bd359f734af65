"""Tif files: their series, read plane by plane or whole, and stacks that ImageJ shows as such."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.images.series import Series, pick
from segraft.labels.check import colours, holds_colours
from segraft.types import Space

PREVIEWS = ("thumbnail", "label", "macro", "map", "overview")
"""What slide scanners call the small pictures that they add to an image."""

# tifffile logs what is wrong with a broken file and then raises; the error alone is enough for the user.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def shown(tif: Any) -> list[Any]:
    """Return the series of an open tif without reduced copies and previews."""
    series = list(tif.series)
    own = [each for each in series if not each.keyframe.is_reduced and each.name.lower() not in PREVIEWS]
    return own or series[:1]


@contextmanager
def tif_series(path: Path, key: str | None, labels: bool = False) -> Iterator[list[Series]]:
    """Open a tif: the series that the key names, or all of them.

    Raises ``UserError`` where the file is cut short, and for labels in colour.
    """
    import tifffile

    with tifffile.TiffFile(path) as tif:
        _check_length(path, tif)
        found = shown(tif)
        found = found if key is None else [pick(path, found, key)]
        for each in found if labels else ():
            _check_labels(path, each)
        yield [
            Series(each.axes, tuple(each.shape), _reader(path, each, labels), each.dtype, _stored(each))
            for each in found
        ]


def read_tif(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read one series of a tif; a channel axis that the metadata name comes first.

    Images whose white is 0 are inverted, so that they are read as they are shown. Raises ``UserError`` where there
    are several series and no key, and for labels whose pixels hold several samples, colours for example.
    """
    import tifffile

    with tifffile.TiffFile(path) as tif:
        series = pick(path, shown(tif), key)
        array = series.asarray()
        channel = series.axes.find("C")
        _check_length(path, tif)
        if labels:
            _check_labels(path, series)
        array = array if labels else _as_shown(series, array)
    return np.moveaxis(array, channel, 0) if channel > 0 else array


def _check_labels(path: Path, series: Any) -> None:
    """Raise ``UserError`` where the pixels of labels are colours."""
    if series.axes.endswith("YXS") and holds_colours(series.shape):
        raise colours(tuple(series.shape), str(path))


def _stored(series: Any) -> Space:
    """The size of what is stored as one: a page, a strip or a tile."""
    return (*[1] * (len(series.shape) - len(series.keyframe.chunks)), *series.keyframe.chunks)


def _reader(path: Path, series: Any, labels: bool) -> Callable[[tuple[Any, ...]], np.ndarray]:
    """Return what reads a part of an image series: only the pages, strips and tiles that it touches.

    Pixels that lie in the file in one piece as they are in memory are mapped.
    """

    @cache
    def opened() -> Any:
        import zarr

        if series.dataoffset is None:
            return zarr.open_array(series.aszarr(level=0), mode="r")
        stored = np.dtype(series.keyframe.parent.byteorder + series.dtype.char)
        return np.memmap(path, stored, "r", series.dataoffset, tuple(series.shape))

    def read(box: tuple[Any, ...]) -> np.ndarray:
        part = np.asarray(opened()[box])
        return part if labels else _as_shown(series, part)

    return read


def _as_shown(series: Any, array: np.ndarray) -> np.ndarray:
    """Invert integers whose white is 0; never booleans, whose 1 is stored as black by habit."""
    inverted = series.keyframe.photometric == 0 and array.dtype.kind in "ui"
    return np.invert(array) if inverted else array


def _check_length(path: Path, tif: Any) -> None:
    """Raise ``UserError`` where the last page names a next one beyond the end of the file."""
    file, layout = tif.filehandle, tif.tiff
    file.seek(tif.pages[-1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, os.SEEK_CUR)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    if following >= file.size:
        raise UserError(f"{path} is cut short: got {len(tif.pages)} pages, expected more; copy it again")


def write_tif(temporary: Path, array: np.ndarray, path: Path, key: str) -> None:
    """Write a deflate-compressed tif, with RGB marked as such."""
    colour = array.dtype == np.uint8 and array.ndim == 3 and array.shape[-1] == 3
    _write(temporary, array, photometric="rgb" if colour else "minisblack")


def write_tif_planes(temporary: Path, array: np.ndarray, axes: str, voxel_size: Sequence[float] | None) -> None:
    """Write planes ``(*axes, y, x)`` as ImageJ and Fiji show them, T and Z named, with the size of a voxel, in nm.

    The size is ``(y, x)`` or ``(z, y, x)``; the description is ImageJ's, the integers may be wider than those that
    ImageJ writes. Planes that ``?`` counts are plain slices. ImageJ has no description for further axes and other
    orders: these are named in tifffile's way, and the size of a pixel is in the tags of resolution.
    """
    if axes not in ("", "T", "Z", "TZ", "?"):
        scale = _resolution(voxel_size, 1e7, "CENTIMETER")
        _write(temporary, array, photometric="minisblack", metadata={"axes": f"{axes.replace('?', 'Q')}YX"}, **scale)
        return
    description = _imagej(array.shape, axes, voxel_size)
    scale = _resolution(voxel_size, 1e3, "NONE")
    _write(temporary, array, photometric="minisblack", metadata=None, description=description, **scale)


def _imagej(shape: Sequence[int], axes: str, voxel_size: Sequence[float] | None) -> str:
    """Return ImageJ's description of planes, lengths in µm."""
    from tifffile import imagej_description

    known: dict[str, Any] = {"unit": "um"} if voxel_size else {}
    if voxel_size and len(voxel_size) == 3 and "Z" in axes:
        known["spacing"] = voxel_size[0] / 1e3
    if axes == "?":
        return "\n".join(["ImageJ=1.11a", f"images={shape[0]}", *(f"{name}={known[name]}" for name in known), ""])
    return imagej_description(shape, axes=f"{axes}YX", **known)


def _resolution(voxel_size: Sequence[float] | None, unit: float, name: str) -> dict[str, Any]:
    """Return tifffile's options for pixels per ``unit`` nm, which the tag calls ``name``; none without a size."""
    if not voxel_size:
        return {}
    return {"resolution": (unit / voxel_size[-1], unit / voxel_size[-2]), "resolutionunit": name}


def _write(temporary: Path, array: np.ndarray, **options: Any) -> None:
    import tifffile

    large = array.nbytes > 2**32 - 2**25
    tifffile.imwrite(temporary, array, compression="zlib", bigtiff=large, **options)
