"""One reader and one writer per file format: arrays as stored, errors as the libraries raise them.

Readers are ``(path, key, labels) -> array``, writers ``(temporary, array, path, key)``: they write to ``temporary``,
which then replaces ``path``. Openers are ``(path, key, labels) -> with block of a list of series``, read in parts.
``key`` names an array inside h5 and zarr, and a series of a file by its number; other formats ignore it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.images import cellpose
from segraft.images.absent_chunks import absent_chunks
from segraft.images.microscopes import LIBRARIES, microscope_series, read_microscope
from segraft.images.pictures import PICTURES, read_picture, write_png
from segraft.images.series import Series, pick, unnamed
from segraft.images.tif import read_tif, tif_series, write_tif

IMAGE_KEYS = ("raw", "image", "images", "data", "volumes/raw")
LABEL_KEYS = ("labels", "label", "masks", "mask", "volumes/labels/neuron_ids")
"""Names under which containers usually keep an image and its labels, the likeliest first."""


def choose_key(path: Path | str, keys: Sequence[str], named: str | None, labels: bool) -> str:
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
    raise UserError(
        f"{path}: got {held}, expected one called {', '.join(usual)}; name the array: {Path(path).name}:KEY"
    )


def read_npy(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read an array as NumPy saves it, of labels also Cellpose's masks.

    Raises ``UserError`` for other Python objects, which are never loaded.
    """
    return cellpose.read_masks(path) if labels and cellpose.holds_objects(path) else np.array(_npy(path))


def _npy(path: Path) -> np.ndarray:
    """Open an array in its file."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "object" not in str(error).lower():
            raise
        raise UserError(
            f"{path}: got an array of Python objects, expected numbers; save an array of numbers"
        ) from error


@contextmanager
def npy_series(path: Path, key: str | None, labels: bool = False) -> Iterator[list[Series]]:
    """Open an array as NumPy saves it."""
    yield [unnamed(_npy(path))]


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


@contextmanager
def h5_series(path: Path, key: str | None, labels: bool = False) -> Iterator[list[Series]]:
    """Open one array of an HDF5 file."""
    import h5py

    key = choose_key(path, h5_keys(path), key, labels)
    with h5py.File(path, "r") as file:
        yield [replace(unnamed(file[key]), chunks=file[key].chunks)]


def zarr_keys(group: Any) -> list[str]:
    """Return the keys of the arrays with two or more axes below a zarr group."""
    import zarr

    members = group.members(max_depth=None)
    return sorted(key for key, node in members if isinstance(node, zarr.Array) and node.ndim >= 2)


def zarr_positions(node: Any) -> list[str]:
    """Return the keys of the images in an OME-Zarr that holds several positions; none elsewhere."""
    import zarr

    if not isinstance(node, zarr.Group) or "bioformats2raw.layout" not in described(node):
        return []
    return sorted((key for key in node.group_keys() if key.isdigit()), key=int)


def described(group: Any) -> Any:
    """Return what OME-Zarr says of a group, in its old and its new place."""
    return group.attrs.get("ome", group.attrs)


def zarr_array(path: Path | str, key: str | None, labels: bool) -> tuple[Any, str]:
    """Open one array of a zarr store, with its axes: OME-Zarr's letters, else unknown ones.

    Of an OME-Zarr pyramid it is the finest level, of OME-Zarr labels the first ones. Raises ``UserError`` for a key
    that is not there, and for several positions without one.
    """
    import zarr

    node: Any = zarr.open(path, mode="r")
    if key is None and labels and isinstance(node, zarr.Group) and "labels" in node:
        key = "labels"
    if key is None and (positions := zarr_positions(node)):
        key = pick(path, positions, None)
    if key is not None and isinstance(node, zarr.Group) and key in node:
        node, key = node[key], None
    axes: list[Any] = []
    while isinstance(node, zarr.Group):
        attributes = described(node)
        if scales := attributes.get("multiscales"):
            axes = scales[0].get("axes", [])
            node = node[scales[0]["datasets"][0]["path"]]
        elif names := attributes.get("labels"):
            node = node[names[0]]
        else:
            node, key = node[choose_key(path, zarr_keys(node), key, labels)], None
    if key is not None:
        raise UserError(f"{path} is a single array: got the key {key!r}, expected none; omit it")
    return node, _letters(axes, node.ndim)


def _letters(axes: Sequence[Any], count: int) -> str:
    """One letter per axis, from OME-Zarr's names of them; unknown ones where their number does not fit."""
    names = [axis["name"] if isinstance(axis, dict) else axis for axis in axes]
    return "".join(str(name)[:1].upper() for name in names) if len(names) == count else "?" * count


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
    array, _ = zarr_array(path, key, labels)
    return np.asarray(array[...])


@contextmanager
def zarr_series(path: Path | str, key: str | None, labels: bool = False) -> Iterator[list[Series]]:
    """Open one array of a zarr store, in a folder or at a URL, or one of each position."""
    import zarr

    positions: list[str | None] = []
    if key is None and not labels:
        positions = [*zarr_positions(zarr.open(path, mode="r"))]
    found = [zarr_array(path, each, labels) for each in positions or [key]]
    yield [_zarr_series(array, axes) for array, axes in found]


def _zarr_series(array: Any, axes: str) -> Series:
    stored, absent = array.shards or array.chunks, partial(absent_chunks, array)
    return Series(axes, array.shape, array.__getitem__, array.dtype, stored, absent)


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
Opener = Callable[..., AbstractContextManager[list[Series]]]
Writer = Callable[[Path, np.ndarray, Path, str], None]
H5 = (".h5", ".hdf5", ".hdf")
TIF = (".tif", ".tiff")
CONTAINERS = (*H5, ".zarr")
"""Formats that hold several arrays by key."""
SERIES = (*TIF, *LIBRARIES)
"""Formats that hold several images by number."""
READERS: dict[str, Reader] = {
    **dict.fromkeys(TIF, read_tif),
    **dict.fromkeys(PICTURES, read_picture),
    ".npy": read_npy,
    **dict.fromkeys(H5, read_h5),
    ".zarr": read_zarr,
    **dict.fromkeys(LIBRARIES, read_microscope),
}
OPENERS: dict[str, Opener] = {
    **dict.fromkeys(TIF, tif_series),
    ".npy": npy_series,
    **dict.fromkeys(H5, h5_series),
    ".zarr": zarr_series,
    **dict.fromkeys(LIBRARIES, microscope_series),
}
"""Formats that may hold stacks."""
LAZY = tuple(suffix for suffix in OPENERS if suffix not in LIBRARIES)
"""Formats of which parts are read without the rest."""
WRITERS: dict[str, Writer] = {
    **dict.fromkeys(TIF, write_tif),
    ".png": write_png,
    **dict.fromkeys(H5, write_h5),
    ".zarr": write_zarr,
}
