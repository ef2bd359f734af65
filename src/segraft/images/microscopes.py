"""Files as microscopes write them: CZI, ND2 and LIF, by libraries of the extra ``formats``.

Of a library no more is used than this: it opens a file in a ``with`` block, and an image of it has ``sizes``, a
dictionary of sizes by the letter of the axis, in order, and ``asarray()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segraft.errors import UserError
from segraft.images.series import Series, pick


class Library(NamedTuple):
    """Who reads a format: the package, the class that opens a file, and what lists the images of an open file."""

    package: str
    opener: str
    images: Callable[[Any], list[Series]]


def lacking(path: Path) -> str | None:
    """Say what to install to read a file of a microscope; None where nothing is missing."""
    library = LIBRARIES.get(path.suffix.lower())
    if library is None or find_spec(library.package) is not None:
        return None
    return f"{path.suffix.lower()} is read by the package {library.package}: pip install 'segraft[formats]'"


@contextmanager
def microscope_series(path: Path, key: str | None, labels: bool = False) -> Iterator[list[Series]]:
    """Open a file: the series that the key names, or all of them; each is read as a whole when first asked for.

    Raises ``UserError`` where the library is not installed.
    """
    if missing := lacking(path):
        raise UserError(f"{path}: got a format that needs another package, expected it to be there; {missing}")
    library = LIBRARIES[path.suffix.lower()]
    with getattr(import_module(library.package), library.opener)(path) as file:
        found = library.images(file)
        yield found if key is None else [pick(path, found, key)]


def read_microscope(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read one series; the channel axis comes first. ``UserError`` where there are several and no key, and for labels.

    No microscope writes label images.
    """
    if labels:
        raise UserError(f"{path}: got a {path.suffix} as labels, expected a label image; save labels as tif or png")
    with microscope_series(path, key) as found:
        series = pick(path, found, None)
        array = series.read((slice(None),) * len(series.shape))
    channel = series.axes.find("C")
    return np.moveaxis(array, channel, 0) if channel > 0 else array


def _series(sizes: dict[str, int], load: Callable[[], np.ndarray]) -> Series:
    """A series whose whole array is loaded once."""
    whole = cache(load)
    return Series("".join(sizes), tuple(sizes.values()), lambda box: np.asarray(whole()[box]))


def _each(images: Iterable[Any]) -> list[Series]:
    return [_series(dict(image.sizes), image.asarray) for image in images]


def _positions(file: Any) -> list[Series]:
    """The stage positions of an ND2 file, whose axis is P."""
    sizes = dict(file.sizes)
    count = sizes.pop("P", None)
    if count is None:
        return [_series(sizes, file.asarray)]
    return [_series(sizes, partial(_position, file, number, tuple(file.sizes).index("P"))) for number in range(count)]


def _position(file: Any, number: int, axis: int) -> np.ndarray:
    """Read one position, without the axis of positions."""
    return np.squeeze(file.asarray(number), axis)


LIBRARIES = {
    ".czi": Library("czifile", "CziFile", lambda file: _each(file.scenes.values())),
    ".nd2": Library("nd2", "ND2File", _positions),
    ".lif": Library("liffile", "LifFile", lambda file: _each(file.images)),
}
