"""Reading images and label images from files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.images.formats import CONTAINERS, LABEL_KEYS, READERS, SERIES, container_keys
from segraft.images.microscopes import lacking
from segraft.images.pictures import PICTURES
from segraft.labels.check import check_labels, colours

NO_CODECS = re.compile("requires the 'imagecodecs' package|No module named '(imagecodecs|compression)")
"""How readers say that they lack imagecodecs."""


def split_key(path: str | Path) -> tuple[Path, str | None]:
    """Split ``file.h5:key``, ``dir.zarr:key`` or ``file.tif:1`` into the path and the key, None where there is none."""
    arrays, numbered = ("|".join(map(re.escape, suffixes)) for suffixes in (CONTAINERS, SERIES))
    match = re.fullmatch(rf"(.*(?:{arrays})):(.+)|(.*(?:{numbered})):(\d+)", str(path), re.IGNORECASE)
    if not match:
        return Path(path), None
    return Path(match[1] or match[3]), match[2] or match[4]


def is_url(path: object) -> bool:
    """Whether a path is the address of a zarr store that fsspec opens, ``https://``, ``s3://`` and so on."""
    return isinstance(path, str) and "://" in path


def split_url(url: str) -> tuple[str, str | None]:
    """Split ``https://host/a.zarr:key`` into address and key, None where there is none."""
    match = re.fullmatch(r"(.*\.zarr/?):([^/:].*)", url, re.IGNORECASE)
    return (match[1], match[2]) if match else (url, None)


def with_key(path: Path, key: str | None) -> Path:
    """Add a key to a path: of any kind where arrays have names, a number where a file holds series; else none."""
    named = Path(path if key is None else f"{path}:{key}")
    return named if split_key(named) == (path, key) else path


def is_image(path: str | Path) -> bool:
    """Return whether the name is that of a format that can be read here; the file itself is not opened."""
    file, _ = split_key(path)
    return file.suffix.lower() in READERS and not file.name.startswith(".") and lacking(file) is None


def read_image(path: str | Path) -> np.ndarray:
    """Read an image in its stored type and shape: tif, picture, npy, ``file.h5:key``, zarr or OME-Zarr (level 0).

    Of files that hold several images, ``file.tif:1`` is the second. A channel axis that the metadata of a tif name
    comes first. Raises ``UserError`` when the file is missing, cut short, no image, or empty, and when it holds
    several and none of them is named.
    """
    return _read(path, labels=False)


def read_labels(path: str | Path) -> np.ndarray:
    """Read a label image ``(*space)`` of integers; where there is a palette the indices, never the colours.

    Leading and trailing axes of one entry are dropped, beyond two axes.

    Raises ``UserError`` as ``read_image`` and ``segraft.labels.check.check_labels``.
    """
    array = _read(path, labels=True)
    if array.ndim > 2 and split_key(path)[0].suffix.lower() in PICTURES:
        raise colours(array.shape, str(path))
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    return check_labels(array, str(path))


def _read(path: str | Path, labels: bool) -> np.ndarray:
    """Read a file by its suffix; raise ``UserError`` where that fails."""
    file, key = split_key(path)
    read = READERS.get(file.suffix.lower())
    if not file.exists():
        raise UserError(f"{file} does not exist, expected an image; check the path")
    if read is None or (file.is_dir() and file.suffix.lower() != ".zarr"):
        raise UserError(
            f"{file} is in no known format, expected one of {', '.join(READERS)}; convert it, to .tif for example"
        )
    with unreadable(file):
        array = read(file, key, labels)
    if not array.size:
        raise UserError(f"{path} has no pixels: got shape {array.shape}, expected at least one pixel; export it again")
    return array


@contextmanager
def unreadable(path: Path | str, expected: str = "an image") -> Iterator[None]:
    """Turn any error of decoding ``path`` into a ``UserError`` that says what was ``expected`` there."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the decoders of broken files raise anything: struct, zlib, codec and key errors
        if NO_CODECS.search(str(error)):
            raise UserError(
                f"{path} is compressed as only imagecodecs reads it, expected that to be installed; "
                "run: pip install 'segraft[formats]', or save it without compression"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be read ({reason}), expected {expected}; if it is damaged or cut short, copy it again"
        ) from error


def own_label_key(path: Path, named: str | None = None) -> str | None:
    """Return the key of the labels in an h5 or zarr that holds an image as well: the named one, or a usual one.

    None where the file is no container, has no such array or no other one. Raises ``UserError`` for a broken file.
    """
    if path.suffix.lower() not in CONTAINERS:
        return None
    with unreadable(path):
        keys = container_keys(path)
    found = [key for key in ([named] if named else LABEL_KEYS) if key in keys]
    return found[0] if found and len(keys) > 1 else None
