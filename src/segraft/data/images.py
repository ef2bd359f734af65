"""Image files: reading and writing, finding them, and bringing their channel axis to the front."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from segraft.data.formats import CONTAINERS, LABEL_KEYS, READERS, WRITERS, container_keys, write_into_zarr
from segraft.errors import UserError
from segraft.labels import check_labels

FEW = 4
"""An axis of at most this many entries can be a channel axis (RGB, RGBA, the usual stains)."""


def split_key(path: str | Path) -> tuple[Path, str | None]:
    """Split ``file.h5:key`` or ``dir.zarr:key`` into the path and the key, None where there is none."""
    suffixes = "|".join(re.escape(suffix) for suffix in CONTAINERS)
    match = re.fullmatch(rf"(.*(?:{suffixes})):(.+)", str(path), re.IGNORECASE)
    return (Path(match[1]), match[2]) if match else (Path(path), None)


def is_image(path: str | Path) -> bool:
    """Whether the name is that of a format that can be read (the file itself is not opened)."""
    file, _ = split_key(path)
    return file.suffix.lower() in READERS and not file.name.startswith(".")


def read_image(path: str | Path) -> np.ndarray:
    """Read an image as stored: tif, png, jpg, ``file.h5:key``, zarr or OME-Zarr (level 0).

    A channel axis that a tif names comes first. Raises ``UserError`` when the file is missing, cut short,
    no image, or empty.
    """
    return _read(path, labels=False)


def read_labels(path: str | Path) -> np.ndarray:
    """Read a label image ``(*space)`` of integers; a palette png gives its index, never its colours.

    Raises ``UserError`` as ``read_image`` and ``segraft.labels.check_labels``.
    """
    array = _read(path, labels=True)
    if array.ndim > 2 and split_key(path)[0].suffix.lower() == ".png":
        raise UserError(
            f"{path}: came as a picture with {array.shape[-1]} channels (colours or transparency); wanted one integer "
            "per pixel; export the label image itself, or for the raw masks of BBBC039 use --dataset bbbc039 --root DIR"
        )
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    return check_labels(array, str(path))


def _read(path: str | Path, labels: bool) -> np.ndarray:
    """Read a file by its suffix, and say in one line what is wrong with it."""
    file, key = split_key(path)
    read = READERS.get(file.suffix.lower())
    if not file.exists():
        raise UserError(f"{file} does not exist; wanted an image; check the path")
    if read is None or (file.is_dir() and file.suffix.lower() != ".zarr"):
        raise UserError(
            f"{file} is no known image; wanted one of {', '.join(READERS)}; convert it, to .tif for example"
        )
    with unreadable(file):
        array = read(file, key, labels)
    if not array.size:
        raise UserError(f"{path} has no pixels (shape {array.shape}); wanted at least one; export it again")
    return array


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn any error of decoding ``path`` into a ``UserError``."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the decoders of broken files raise anything: struct, zlib, codec and key errors
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be read ({reason}); wanted an image; if it is damaged or cut short, copy it again"
        ) from error


def own_label_key(path: Path, wanted: str | None = None) -> str | None:
    """Key of the labels in an h5 or zarr that holds an image as well: the wanted or a usual one, None if none."""
    if path.suffix.lower() not in CONTAINERS:
        return None
    with unreadable(path):
        keys = container_keys(path)
    found = [key for key in ([wanted] if wanted else LABEL_KEYS) if key in keys]
    return found[0] if found and len(keys) > 1 else None


def write_image(path: str | Path, array: np.ndarray, key: str | None = None) -> None:
    """Write an array by suffix: tif (deflate), png (integers to 65 535), ``file.h5:key`` or ``dir.zarr:key``.

    Missing folders are made. The file appears only when it is complete. ``key`` is the name inside h5 and zarr
    where the path has none: by default "labels" for integers, else "data"; the file's other arrays stay.
    Raises ``UserError`` for an unknown format, values that it cannot hold, a full disk or a read-only folder.
    """
    file, own = split_key(path)
    key = own or key or ("labels" if np.issubdtype(array.dtype, np.integer) else "data")
    array = array.astype(np.uint8) if array.dtype == bool else array
    write = WRITERS.get(file.suffix.lower())
    if write is None:
        raise UserError(f"{file}: images cannot be written as {file.suffix!r}; wanted one of {', '.join(WRITERS)}")
    with unwritable(file):
        if file.suffix.lower() == ".zarr" and file.exists():
            write_into_zarr(array, file, key)
            return
        with replacing(file) as temporary:
            write(temporary, array, file, key)


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of writing ``path`` (full disk, read-only folder) into a ``UserError``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be written ({reason}); wanted a writable folder with "
            "free space; choose another or make room"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that replaces it at the end, or vanishes on any error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def natural(path: str | Path) -> tuple[tuple[str | int, ...], str]:
    """Sorting key that puts ``cell2`` before ``cell10``."""
    parts = re.split(r"(\d+)", str(path).lower())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), str(path)


def list_images(inputs: str | Path | Iterable[str | Path]) -> list[Path]:
    """Images named by files, folders (their own images) and globs, each once, in natural order.

    Raises ``UserError`` for a path that does not exist, and for a folder or glob without images.
    """
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    found = {path for item in inputs for path in _expand(item)}
    if not found:
        raise UserError("no input images came; wanted files, folders or globs; name at least one")
    return sorted(found, key=natural)


def _expand(item: str | Path) -> list[Path]:
    """Images of one input; a single file is taken as it is, so that reading it says what is wrong with it."""
    file, _ = split_key(item)
    if file.is_dir() and not is_image(file):
        images = [path for path in file.iterdir() if is_image(path)]
        where = f"the folder {file}"
    elif file.exists():
        return [Path(item)]
    elif glob.has_magic(str(item)):
        images = [Path(match) for match in glob.glob(str(item), recursive=True) if is_image(match)]
        where = f"the pattern {item}"
    else:
        raise UserError(f"{file} does not exist; wanted an image, a folder or a glob; check the path")
    if not images:
        inner = _folders_of_images(file)
        advice = f"there are some in {' and '.join(map(str, inner))}, give one of them" if inner else "check the path"
        raise UserError(f"no image in {where}; wanted {', '.join(READERS)}; {advice}")
    return images


def _folders_of_images(folder: Path) -> list[Path]:
    """Folders directly in this one that hold images."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [path for path in inner if any(is_image(file) for file in path.iterdir())]


def to_channels_first(
    array: np.ndarray,
    ndim: int,
    channels: Sequence[int] | None = None,
    name: str = "an image",
    space: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Bring an image with ``ndim`` axes of space to ``(C, *space)``; ``name`` names it in messages.

    Without an axis to spare there is one channel. Else the channel axis is the one, last or first, without which
    the shape is ``space`` (that of the labels, where there are some). Without ``space`` it is the last one if it has
    at most four entries, else the first if it has; ``channels`` picks indices from it, and then the axis may be
    longer: the shorter of last and first. A fourth entry in last place is taken for alpha and dropped unless picked.
    Further axes of one entry are removed from the front. Raises ``UserError`` when no such axis is found.
    """
    shape = array.shape
    while array.ndim > ndim + 1 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    if array.ndim == ndim:
        array = array[None]
    elif array.ndim == ndim + 1:
        array = _channel_axis_first(array, channels, name, space)
    else:
        wanted = f"wanted {ndim} axes of space and at most one of channels"
        raise UserError(f"{name} came with shape {shape}; {wanted}; cut out or save what belongs together")
    if channels is None:
        return array
    if not channels or not all(0 <= channel < len(array) for channel in channels):
        raise UserError(
            f"channels {tuple(channels)} were asked of {name}, which has {len(array)}; "
            f"wanted indices from 0 to {len(array) - 1}; choose other channels"
        )
    return array[list(channels)]


def _channel_axis_first(
    array: np.ndarray, channels: Sequence[int] | None, name: str, space: tuple[int, ...] | None
) -> np.ndarray:
    """Find the channel axis among the last and the first; see ``to_channels_first``."""
    first, last = array.shape[0], array.shape[-1]
    fits_first, fits_last = array.shape[1:] == space, array.shape[:-1] == space
    if fits_first and not fits_last:
        return array
    if fits_last or last <= FEW or (channels is not None and last < first):
        array = np.moveaxis(array, -1, 0)
        return array[:3] if last == 4 and channels is None else array
    if first <= FEW or channels is not None:
        return array
    raise UserError(
        f"{name} came with shape {array.shape}; wanted {array.ndim - 1} axes of space and at most {FEW} channels; "
        "pick channels by index (channels), or treat it as a volume (ndim 3)"
    )


def spatial_axes(array: np.ndarray) -> int:
    """Axes of space, 2 or 3, that an image without labels seems to have: a short axis counts as channels."""
    shape = [size for size in array.shape if size > 1]
    return 3 if len(shape) > 3 or (len(shape) == 3 and min(shape[0], shape[-1]) > FEW) else 2
