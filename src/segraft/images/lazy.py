"""Images of which parts are read: a small description that travels between processes, and its opened form."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from segraft.errors import UserError
from segraft.images.channels import GREY, Layout, check_count, model_layout
from segraft.images.formats import LAZY, OPENERS, zarr_series
from segraft.images.names import image_stem
from segraft.images.normalisation import check_type
from segraft.images.reading import is_url, split_key, split_url, unreadable
from segraft.images.series import Series, pick
from segraft.images.voxel_size import read_voxel_size
from segraft.images.windows import Window, in_words
from segraft.labels.check import check_kind
from segraft.types import Space

DRIVERS = {"http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}
"""Packages by which fsspec opens addresses, by their scheme."""
LARGE = 2**31
"""Bytes of images from which on they are large."""
SAMPLE = 64
"""Side of the sample parts, in pixels."""
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where sample parts lie along the diagonal of an image."""


@dataclass(frozen=True)
class Source:
    """An image ``(C, *space)`` on disk, at a URL or in an array, of which boxes are read; `lazy_source` makes it.

    It holds no open file and can be pickled. An array in memory travels with it.
    """

    where: Any
    """A path or URL, with its key, or an array."""
    name: str
    layout: Layout
    dtype: np.dtype
    """Of the pixels."""
    voxel_size: tuple[float, ...] | None = None
    """In nm per axis of space, where the image states it."""
    grey: str = ""
    """Why its channels count as one, if they do: a name of `segraft.images.channels.GREY`."""
    labels: bool = False
    """Whether it is a label image."""

    @property
    def space(self) -> Space:
        """Sizes per axis of space."""
        return self.layout.space

    @property
    def channels(self) -> int:
        """Number of channels that are read."""
        return 1 if self.grey else len(self.layout.chosen)

    @contextmanager
    def open(self) -> Iterator[OpenSource]:
        """Open it to read boxes. Raises ``UserError`` where that fails, or the shape is another than before."""
        with _opened(self.where, self.labels) as series:
            if tuple(series.shape) != self.layout.shape:
                raise UserError(
                    f"{self.name}: got shape {tuple(series.shape)}, expected {self.layout.shape} as before; "
                    "the image changed: start again"
                )
            yield OpenSource(self, series)


@dataclass(frozen=True)
class OpenSource:
    """A source while it is open."""

    source: Source
    series: Series

    def read(self, box: Window) -> np.ndarray:
        """Read a box, a slice per axis of space that lies inside the image: ``(C, *box)`` as stored.

        Raises ``UserError``, one line with the box, where the file is damaged there, and where channels that are alike
        elsewhere differ.
        """
        place = f"{self.source.name}, {in_words(box)}"
        image = self._stored(box, place)
        if not self.source.grey:
            return image
        if not GREY[self.source.grey](image):
            raise UserError(
                f"{place}: got {len(image)} channels that differ, expected them to be alike as elsewhere in the image; "
                "choose one (channels, for example 0)"
            )
        return image[:1]

    def absent(self, box: Window) -> int:
        """How many chunks of a zarr that a box touches were never written and read as the fill value; else 0."""
        return self.series.absent(self._index(box))

    def _index(self, box: Window) -> tuple[Any, ...]:
        """The box in the axes of the file."""
        layout = self.source.layout
        index: list[Any] = [0] * len(layout.shape)
        for axis, side in zip(layout.axes, box, strict=True):
            index[axis] = side
        if layout.channel is not None:
            index[layout.channel] = slice(min(layout.chosen), max(layout.chosen) + 1)
        return tuple(index)

    def _stored(self, box: Window, place: str) -> np.ndarray:
        """Read the chosen channels of a box."""
        layout = self.source.layout
        with unreadable(place):
            part = np.asarray(self.series.read(self._index(box)))
            part = part.astype(part.dtype.newbyteorder("="), copy=False)
        if layout.channel is None:
            return part[None]
        part = np.moveaxis(part, sum(axis < layout.channel for axis in layout.axes), 0)
        chosen = [index - min(layout.chosen) for index in layout.chosen]
        return part if chosen == list(range(len(part))) else part[chosen]


def lazy_source(image: Any, ndim: int, channels: int = 1, chosen: Sequence[int] | None = None) -> Source:
    """Describe an image of ``ndim`` axes of space for a model of so many ``channels``; a few pixels are read.

    Parameters
    ----------
    image : tif, npy, ``file.h5:key``, zarr or OME-Zarr (its finest level), a path or for zarr also a URL that fsspec
        opens, ``https://``, ``s3://``; or an array with shape, dtype and indexing (NumPy, zarr, Dask)
    ndim : 2 or 3
    channels : how many the model takes
    chosen : indices of the channels to use

    The channel axis is that of the metadata, else found as in `segraft.images.channels.layout`. Where a model takes one
    channel, several that are alike count as one; whether they are is looked at in a few parts here, and in each box
    that is read later. Raises ``UserError`` where the image cannot be read in parts or does not fit, and where the
    package is missing that opens such a URL.
    """
    source = described(image, lambda shape, *named: model_layout(shape, ndim, channels, chosen, *named))
    if source.channels == channels:
        return source
    with source.open() as opened:
        parts = [opened.read(box).reshape(source.channels, -1) for box in _sample_boxes(source.space)]
    if channels == 1 and chosen is None:
        for kind, rule in GREY.items():
            if all(map(rule, parts)):
                return replace(source, grey=kind)
    check_count(np.concatenate(parts, 1), source.layout.shape, channels, source.name)
    return source


def is_lazy(path: Path) -> bool:
    """Whether a path is that of a file of which parts are read, or of a zarr; the file itself is not opened."""
    file, _ = split_key(path)
    return file.suffix.lower() in LAZY and file.exists()


def large(*sources: Source) -> bool:
    """Whether images together are better not held in memory."""
    return sum(math.prod(each.layout.shape) * each.dtype.itemsize for each in sources) > LARGE


def described(image: Any, arrange: Callable[[Space, str, str], Layout]) -> Source:
    """Describe an image as `lazy_source` does, by any rule of its axes: ``arrange(shape, name, letters)``."""
    where, name = _place(image)
    with _opened(where) as series:
        layout, dtype = arrange(tuple(series.shape), name, series.axes), np.dtype(series.dtype).newbyteorder("=")
    check_type(dtype, name)
    return Source(where, name, layout, dtype, _voxel_size(where, len(layout.axes)))


def lazy_labels(path: str | Path) -> Source:
    """Describe a label image, by the rules of `segraft.images.reading.read_labels`, which reads it whole.

    Pixels are not looked at. Raises ``UserError`` where it cannot be read in parts, and for colours.
    """
    where, name = _place(path)
    with _opened(where, labels=True) as series:
        shape = tuple(series.shape)
        kept = list(range(len(shape)))
        while len(kept) > 2 and shape[kept[0]] == 1:
            kept.pop(0)
        while len(kept) > 2 and shape[kept[-1]] == 1:
            kept.pop()
        layout, dtype = Layout(shape, None, tuple(kept), (0,)), np.dtype(series.dtype).newbyteorder("=")
        check_kind(layout.space, dtype, str(path))
        return Source(where, name, layout, dtype, _voxel_size(where, len(kept)), labels=True)


def _place(image: Any) -> tuple[Any, str]:
    """Where an image is, and its name."""
    if isinstance(image, str) and image.startswith("file://"):
        image = unquote(urlsplit(image).path)
    if is_url(image):
        return image, image_stem(split_url(image)[0].rstrip("/"))
    if isinstance(image, str | Path):
        return Path(image), image_stem(image)
    if not all(hasattr(image, name) for name in ("shape", "dtype", "__getitem__")):
        raise UserError(
            f"an image: got {type(image).__name__}, expected a path, a URL or an array with shape, dtype and indexing"
        )
    return image, "an image"


@contextmanager
def _opened(where: Any, labels: bool = False) -> Iterator[Series]:
    """Open the image at a path or URL, or in an array."""
    with ExitStack() as closing:
        if is_url(where):
            url, key = split_url(where)
            with _with_driver(url), unreadable(url, "a zarr"):
                series = pick(url, closing.enter_context(zarr_series(url, key, labels)), None)
        elif isinstance(where, Path):
            file, key = split_key(where)
            _check_file(file)
            with unreadable(file):
                opened = OPENERS[file.suffix.lower()](file, key, labels)
                series = pick(file, closing.enter_context(opened), None)
        else:
            axes, shape = "?" * len(where.shape), tuple(where.shape)
            series = Series(axes, shape, lambda box: _computed(where[box]), where.dtype)
        yield series


def _check_file(file: Path) -> None:
    """Raise ``UserError`` for a file that is not there, and for formats that are only read whole."""
    if not file.exists():
        raise UserError(f"{file} does not exist, expected an image; check the path")
    if file.suffix.lower() not in LAZY or (file.is_dir() and file.suffix.lower() != ".zarr"):
        raise UserError(
            f"{file}: got a format of which no part can be read alone, expected one of {', '.join(LAZY)}; convert it"
        )


@contextmanager
def _with_driver(url: str) -> Iterator[None]:
    """Turn the error of a missing package into a ``UserError`` that says what to install."""
    scheme = re.split("::|://", url)[0]
    needed = " ".join(name for name in ("fsspec", DRIVERS.get(scheme)) if name and find_spec(name) is None)
    if needed:
        raise UserError(
            f"{url}: got a URL that other packages open, expected them to be installed; run: pip install {needed}"
        )
    try:
        yield
    except ImportError as error:
        raise UserError(
            f"{url}: got a URL that another package opens ({error}), expected it to be installed; install it"
        ) from error


def _computed(part: Any) -> np.ndarray:
    """Pixels of a part of an array; of a Dask array they are computed in this thread, which may be a worker's."""
    return np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "compute") else part)


def _voxel_size(where: Any, ndim: int) -> tuple[float, ...] | None:
    """Size of a voxel along the axes of space, where it is stated."""
    size = read_voxel_size(where) if isinstance(where, str | Path) else None
    return size[-ndim:] if size and len(size) >= ndim else None


def _sample_boxes(space: Space) -> list[Window]:
    """Parts of an image, evenly spaced on its diagonal."""
    return [
        tuple(slice(start := round(place * max(0, size - SAMPLE)), min(size, start + SAMPLE)) for size in space)
        for place in PLACES
    ]
