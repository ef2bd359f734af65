"""One reader and one writer per file format: arrays as stored, errors as the libraries raise them.

Readers are ``(path, key, labels) -> array``, writers ``(temporary, array, path, key)``: they write to ``temporary``,
which then replaces ``path``. ``key`` names an array inside h5 and zarr; other formats ignore it.
"""

from __future__ import annotations

import logging
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError

IMAGE_KEYS = ("raw", "image", "images", "data", "volumes/raw")
LABEL_KEYS = ("labels", "label", "masks", "mask", "volumes/labels/neuron_ids")
"""Names under which containers usually keep an image and its labels, the likeliest first."""
PNG_LIMIT = 65535

# tifffile logs what is wrong with a broken file and then raises; the error alone is enough for the user.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def choose_key(path: Path, keys: Sequence[str], named: str | None, labels: bool) -> str:
    """Return the key of the array to read from a container: the named one, one with a usual name, or the only one.

    Raises ``UserError`` when there is no such array.
    """
    usual = LABEL_KEYS if labels else IMAGE_KEYS
    if named is not None:
        if named.strip("/") in keys:
            return named.strip("/")
        raise UserError(f"{path}: got the key {named!r}, expected one of {', '.join(keys) or 'none'}; name one of them")
    for key in usual:
        if key in keys:
            return key
    if len(keys) == 1:
        return keys[0]
    held = f"the arrays {', '.join(keys)}" if keys else "no array of two or more axes"
    raise UserError(f"{path}: got {held}, expected one called {', '.join(usual)}; name the array: {path.name}:KEY")


def read_tif(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read the first series of a tif; a channel axis that the metadata name comes first."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        array = series.asarray()
        channel = series.axes.find("C")
        if _is_cut_short(tif):
            raise UserError(f"{path} is cut short: got {len(tif.pages)} pages, expected more; copy it again")
    return np.moveaxis(array, channel, 0) if channel > 0 else array


def _is_cut_short(tif: Any) -> bool:
    """Return whether the last page names a next one beyond the end of the file; tifffile reads the pages before it."""
    file, layout = tif.filehandle, tif.tiff
    file.seek(tif.pages[-1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, os.SEEK_CUR)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    return following >= file.size


def read_picture(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read a png or jpg; of a palette png an image takes the colours, a label image the indices.

    Raises ``UserError`` for labels in a jpg.
    """
    from PIL import Image

    if labels and path.suffix.lower() != ".png":
        raise UserError(
            f"{path}: got a jpg as labels, expected a format that keeps numbers exactly; save labels as tif or png"
        )
    data = path.read_bytes()
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:25] == b"\x10" and data[25:26] in b"\x02\x06":
        import imagecodecs

        return imagecodecs.png_decode(data)  # Pillow would cut 16-bit colours to 8 bits
    with Image.open(path) as picture:
        if picture.mode == "P" and not labels:
            return np.asarray(picture.convert("RGB"))
        return np.asarray(picture)


def h5_keys(path: Path) -> list[str]:
    """Return the keys of the arrays with two or more axes in an HDF5 file."""
    import h5py

    keys: list[str] = []

    def keep(key: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and node.ndim >= 2:
            keys.append(key)

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return keys


def read_h5(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read one array of an HDF5 file."""
    import h5py

    key = choose_key(path, h5_keys(path), key, labels)
    with h5py.File(path, "r") as file:
        return file[key][...]


def zarr_keys(group: Any) -> list[str]:
    """Return the keys of the arrays with two or more axes below a zarr group."""
    import zarr

    members = group.members(max_depth=None)
    return sorted(key for key, node in members if isinstance(node, zarr.Array) and node.ndim >= 2)


def zarr_array(path: Path, key: str | None, labels: bool) -> Any:
    """Open one array of a zarr store; of an OME-Zarr pyramid the finest level, of OME-Zarr labels the first ones.

    Raises ``UserError`` for a key that is not there.
    """
    import zarr

    node: Any = zarr.open(path, mode="r")
    if key is None and labels and isinstance(node, zarr.Group) and "labels" in node:
        key = "labels"
    if key is not None and isinstance(node, zarr.Group) and key in node:
        node, key = node[key], None
    while isinstance(node, zarr.Group):
        attributes: Any = node.attrs.get("ome", node.attrs)
        if scales := attributes.get("multiscales"):
            node = node[scales[0]["datasets"][0]["path"]]
        elif names := attributes.get("labels"):
            node = node[names[0]]
        else:
            node, key = node[choose_key(path, zarr_keys(node), key, labels)], None
    if key is not None:
        raise UserError(f"{path} is a single array: got the key {key!r}, expected none; omit it")
    return node


def container_keys(path: Path) -> list[str]:
    """Return the keys of the arrays in an h5 or zarr; those of OME-Zarr's labels is "labels"."""
    import zarr

    if path.suffix.lower() != ".zarr":
        return h5_keys(path)
    store = zarr.open(path, mode="r")
    if not isinstance(store, zarr.Group):
        return []
    return [*zarr_keys(store), *(["labels"] if isinstance(store.get("labels"), zarr.Group) else [])]


def read_zarr(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read one array of a zarr store."""
    return np.asarray(zarr_array(path, key, labels)[...])


def write_tif(temporary: Path, array: np.ndarray, path: Path, key: str) -> None:
    """Write a deflate-compressed tif, with RGB marked as such."""
    import tifffile

    colour = array.dtype == np.uint8 and array.ndim == 3 and array.shape[-1] == 3
    tifffile.imwrite(
        temporary,
        array,
        photometric="rgb" if colour else "minisblack",
        compression="zlib",
        bigtiff=array.nbytes > 2**32 - 2**25,
    )


def write_png(temporary: Path, array: np.ndarray, path: Path, key: str) -> None:
    """Write a png: 8-bit grey or colour as it is, other integers as 16-bit grey.

    Raises ``UserError`` for other types, other dimensions and values beyond 16 bits.
    """
    from PIL import Image

    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[-1] in (3, 4)
    if not np.issubdtype(array.dtype, np.integer) or not (grey or (colour and array.dtype == np.uint8)):
        got = f"got {array.dtype} with shape {array.shape}"
        raise UserError(f"{path}: {got}, expected 2-D integers for a png; use .tif, .h5 or .zarr")
    if array.size and (array.min() < 0 or array.max() > PNG_LIMIT):
        got = f"got values from {array.min()} to {array.max()}"
        raise UserError(f"{path}: {got}, expected 0 to {PNG_LIMIT} for a png; use .tif, .h5 or .zarr")
    Image.fromarray(array if array.dtype == np.uint8 else array.astype(np.uint16)).save(temporary, format="png")


def write_h5(temporary: Path, array: np.ndarray, path: Path, key: str) -> None:
    """Write one array of an HDF5 file; the other arrays of an existing file are kept."""
    import h5py

    if path.exists():
        shutil.copyfile(path, temporary)
    with h5py.File(temporary, "a") as file:
        if key in file:
            del file[key]
        file.create_dataset(key, data=array, compression="gzip", compression_opts=4, chunks=True)


def write_zarr(temporary: Path, array: np.ndarray, path: Path, key: str) -> None:
    """Write one array of a new zarr store."""
    import zarr

    zarr.create_array(temporary, name=key, data=array)


def write_into_zarr(array: np.ndarray, path: Path, key: str) -> None:
    """Write one array of an existing zarr store; once complete, it replaces an array of the same name.

    Raises ``UserError`` where the store is a single array.
    """
    import zarr

    store = zarr.open(path, mode="r+")
    if not isinstance(store, zarr.Group):
        raise UserError(f"{path}: got a single array, expected a group to write {key!r} into; choose another name")
    place = path / key
    temporary, old = (place.with_name(f".{place.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    group = store.require_group(key.rpartition("/")[0]) if "/" in key else store
    try:
        group.create_array(temporary.name, data=array)
        if place.exists():
            os.replace(place, old)
        os.replace(temporary, place)
    except BaseException:
        if old.exists():
            os.replace(old, place)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    if store.metadata.consolidated_metadata is not None:
        zarr.consolidate_metadata(path)


Reader = Callable[[Path, str | None, bool], np.ndarray]
Writer = Callable[[Path, np.ndarray, Path, str], None]
READERS: dict[str, Reader] = {
    ".tif": read_tif,
    ".tiff": read_tif,
    ".png": read_picture,
    ".jpg": read_picture,
    ".jpeg": read_picture,
    ".h5": read_h5,
    ".hdf5": read_h5,
    ".hdf": read_h5,
    ".zarr": read_zarr,
}
WRITERS: dict[str, Writer] = {
    ".tif": write_tif,
    ".tiff": write_tif,
    ".png": write_png,
    ".h5": write_h5,
    ".hdf5": write_h5,
    ".hdf": write_h5,
    ".zarr": write_zarr,
}
CONTAINERS = (".h5", ".hdf5", ".hdf", ".zarr")
"""Formats that hold several arrays by key."""
