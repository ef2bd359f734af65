"""What tells that an image is no longer what it was: when its files were last written, and checksums of its pixels.

Files that were written since may be a copy of the same image: then its pixels are looked at, and decide.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from zlib import crc32

import numpy as np

from segraft.blocks.job import Job
from segraft.blocks.stages import Run
from segraft.blocks.survey import SURVEY, checksum, cut
from segraft.errors import UserError
from segraft.images.formats import zarr_array
from segraft.images.lazy import OpenSource, Source
from segraft.images.reading import is_url, split_key, unreadable
from segraft.images.windows import Window, in_words

AGAIN = "again-{:08x}"
"""Stage: a block is as it was, although the image was written since, as ``Job.written`` says."""
MOST = 10_000
"""Files of a zarr that are looked at; of folders all are, in which most programs leave a trace when they write."""


def last_written(source: Source) -> int:
    """A number that is another one once the file or zarr of an image was written again; 0 of addresses and arrays."""
    place = _place(source.where)
    if place is None:
        return 0
    total = 0
    for each in [str(place), *islice(_files(place), MOST), *_folders(place)]:
        with suppress(OSError):  # gone meanwhile
            state = os.stat(each)
            size = 0 if os.path.isdir(each) else state.st_size
            total = crc32(f"{os.path.relpath(each, place)} {size} {state.st_mtime_ns}".encode(), total)
    return total


def _place(where: object) -> Path | None:
    """The file of an image, or the folder of its zarr array; None where it is neither."""
    array = where
    if isinstance(where, str | Path) and not is_url(where):
        file, key = split_key(where)
        if not file.is_dir():
            return file
        with unreadable(file):
            array, _ = zarr_array(file, key, labels=False)
    stored = getattr(array, "store_path", None)
    root = getattr(getattr(stored, "store", None), "root", None)
    return None if stored is None or root is None else Path(root) / stored.path


def _folders(place: Path) -> Iterator[str]:
    """The folders below one, in order."""
    for folder, inside, _ in os.walk(place):
        inside.sort()
        yield folder


def _files(place: Path) -> Iterator[str]:
    """The files below a folder, in order."""
    for folder in _folders(place):
        with os.scandir(folder) as entries:
            yield from sorted(each.path for each in entries if each.is_file())


def read_unchanged(job: Job, number: int, image: OpenSource, window: Window | None = None) -> np.ndarray:
    """Read a block ``(C, *block)``, or a window around it; ``UserError`` where the block is not as it was at first."""
    core = job.image_grid.box(number)
    window = window or core
    pixels = image.read(window)
    if job.folder.has(SURVEY, number) and checksum(cut(pixels, window, core)) != _kept(job, number):
        raise UserError(
            f"{job.source.name}, {in_words(core)}: the image changed while it was segmented, expected it to stay; put "
            f"the old one back to go on, or remove {job.folder.path} and run again once the new one is complete"
        )
    return pixels


def look_again(job: Job, run: Run) -> None:
    """Read the blocks anew that an earlier run has looked at, where the image was written since.

    Raises ``UserError`` as ``read_unchanged``.
    """
    done = [block for block in range(len(job.image_grid)) if job.folder.has(SURVEY, block)]
    older = [block for block in done if int(job.folder.load(SURVEY, block, "written")["written"]) != job.written]
    if older:
        run(AGAIN.format(job.written), "whether the image changed", compare_block, older, job.image_grid)


def compare_block(job: Job, number: int) -> None:
    """Look whether a block is as it was."""
    with job.source.open() as image:
        read_unchanged(job, number, image)
    job.folder.save(AGAIN.format(job.written), number)


def _kept(job: Job, block: int) -> int:
    """Checksum of a block's pixels, as they were at first."""
    return int(job.folder.load(SURVEY, block, "crc")["crc"])


def checksum_kept(job: Job) -> int:
    """Checksum of an image of which all blocks have been looked at."""
    return _joined(_kept(job, block) for block in range(len(job.image_grid)))


def checksum_now(job: Job) -> int:
    """The same of the image as it is, which is read for it, block by block."""
    with job.source.open() as image:
        return _joined(checksum(image.read(box)) for box in job.image_grid)


def _joined(parts: Iterable[int]) -> int:
    return crc32(np.fromiter(parts, np.uint32).tobytes())
