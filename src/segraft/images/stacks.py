"""Stacks in files, time series and z-stacks, read plane by plane for models of single images."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segraft.images.formats import OPENERS, SERIES, TIF, zarr_positions
from segraft.images.names import image_stem
from segraft.images.reading import split_key, unreadable
from segraft.images.series import Series, as_planes, pick
from segraft.images.voxel_size import read_voxel_size
from segraft.types import Space


@dataclass(frozen=True)
class Stack:
    """Planes of one file, each an image of its own."""

    path: Path
    """With the key of the series, where the file holds several."""
    name: str
    counting: tuple[int, ...]
    """The axes of the file that count planes."""
    axes: str
    """Their letters, T for time, Z, ``?`` where the file does not name them."""
    shape: Space
    """Their sizes."""
    voxel_size: tuple[float, ...] | None
    """Of the file, in nm per axis of space."""

    def planes(self) -> Generator[np.ndarray, None, None]:
        """Read one plane after the other, as stored, a named channel axis first; ``UserError`` where that fails."""
        file, key = split_key(self.path)
        with unreadable(file), _opened(file, key, joined=True) as series:
            rest = "".join(letter for axis, letter in enumerate(series.axes) if axis not in self.counting)
            channel = max(rest.find("C"), 0)
            for index in np.ndindex(self.shape):
                box: list[Any] = [slice(None)] * len(series.shape)
                for axis, place in zip(self.counting, index, strict=True):
                    box[axis] = place
                yield np.moveaxis(series.read(tuple(box)), channel, 0)


def open_stack(path: Path, name: str, channels: int, planes: bool = False) -> Stack | None:
    """Return the stack that a file holds, None for a single image; no pixel is read.

    T and Z count planes, where ImageJ, OME or OME-Zarr name them; one of them alone counts ``channels`` instead, where
    these are several and have no axis of their own. With ``planes`` the first axis counts planes where none is named,
    and images of one plane each make a stack together. Raises ``UserError`` for a broken file, and for planes that
    differ in size.
    """
    file, key = split_key(path)
    if file.suffix.lower() not in OPENERS:
        return None
    with unreadable(file), _opened(file, key, planes) as series:
        counting = _counting(series, channels, planes)
        shape = tuple(series.shape[axis] for axis in counting)
        if max(shape, default=1) == 1:
            return None
        axes = "".join(series.axes[axis] if axis in series.named else "?" for axis in counting)
    return Stack(path, name, counting, axes, shape, read_voxel_size(path))


def _counting(series: Series, channels: int, planes: bool) -> tuple[int, ...]:
    """Return the axes that count planes; see ``open_stack``."""
    named, first = series.named, series.axes[:1]
    if planes and len(series.shape) > 2 and first not in ("YS" if not named else "YSC"):
        return tuple(sorted({0, *named}))
    coloured = any(letter in "CS" for letter in series.axes)
    return () if channels > 1 and len(named) == 1 and not coloured else named


@contextmanager
def _opened(file: Path, key: str | None, joined: bool) -> Iterator[Series]:
    """Open the series that the key names; without one the only one, or all of them ``joined`` as planes."""
    with OPENERS[file.suffix.lower()](file, key) as found:
        yield as_planes(file, found) if joined and len(found) > 1 else pick(file, found, None)


def plane_axes(path: Path) -> str:
    """Return the letters of a tif's axes before (y, x), T, Z or ``?`` for others; "" for other formats.

    Raises ``UserError`` for a broken file, and for several series of which none is named.
    """
    file, key = split_key(path)
    if file.suffix.lower() not in TIF:
        return ""
    with unreadable(file), _opened(file, key, joined=False) as series:
        return "".join(letter if letter in "TZ" else "?" for letter in series.axes[:-2])


def each_image(path: Path, number: int | None = None, planes: bool = False) -> list[tuple[Path, str]]:
    """Return path and name of each image of a file: ``a.tif`` and "a", or ``a.tif:0`` and "a_s0" and so on.

    ``number`` picks one. With ``planes``, images without planes of their own count as one stack. Raises ``UserError``
    for a broken file and a number that is not there.
    """
    file, key = split_key(path)
    name = image_stem(path)
    keys = _series_keys(file, joined=planes and number is None and key is None)
    if key is None and number is not None:
        chosen = [pick(file, keys or ["0"], str(number))]
    else:
        chosen = keys if key is None else [key] * (key in keys)
    if len(keys) < 2 or not chosen:
        return [(path, name)]
    return [(Path(f"{file}:{each}"), f"{name}_s{keys.index(each)}") for each in chosen]


def _series_keys(file: Path, joined: bool) -> list[str]:
    """Return the keys of the images of a file; none where there is but one, or where they are ``joined`` as planes."""
    import zarr

    with unreadable(file):
        if file.suffix.lower() == ".zarr":
            return zarr_positions(zarr.open(file, mode="r"))
        if file.suffix.lower() not in SERIES:
            return []
        with OPENERS[file.suffix.lower()](file, None) as found:
            flat = joined and not any(series.named for series in found)
            return [] if flat else [str(number) for number in range(len(found))]
