"""What the network says of a block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from segraft.blocks.changes import read_unchanged
from segraft.blocks.job import Job, opened
from segraft.blocks.resized import read_resized
from segraft.images.lazy import OpenSource
from segraft.images.windows import Window, crop_from
from segraft.model import affinities as of_window
from segraft.model.passes import run_tiles
from segraft.model.tiling import Region, overlap, tiles, within
from segraft.types import Geometry


def maps(job: Job, number: int, frame: Region, region: Region | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Affinities ``(N, *frame)`` and probability of the foreground ``(*frame)`` of a block; 0 in the frame around it.

    With a ``region`` inside the frame they are those of the region; it begins at multiples of the network's stride.
    Raises ``UserError`` where the image cannot be read and where the network gives no numbers.
    """
    model, core = opened(job.model, job.digest, job.device), region or job.grid.box(number)
    shape = tuple(axis.stop - axis.start for axis in frame)
    affinities, probability = np.zeros((len(job.offsets), *shape), np.float32), np.zeros(shape, np.float32)
    with job.source.open() as image:
        read: Callable[[Window], np.ndarray]
        if job.resized:
            read = partial(read_resized, image.read, job.image_grid.space, job.space)
        else:
            read = _read_once(job, number, image, _seen(job, model.runner.geometry, core))
        cut = partial(crop_from, read, job.space)
        for part, vectors, logits in run_tiles(model.runner, cut, job.space, job.scale, job.tile, job.offsets, core):
            place = within(part.core, frame)
            own = within(part.core, part.context)
            affinities[:, *place] = of_window.affinities(vectors, job.offsets)[:, *own]
            probability[place] = of_window.probability(logits)
    of_window.check(probability)
    return affinities, probability


def _seen(job: Job, geometry: Geometry, region: Region) -> Region:
    """What the network sees of the image, to compute a region."""
    windows = [part.window for part in tiles(job.space, job.tile, geometry, job.offsets, region)]
    return tuple(
        slice(max(0, min(side.start for side in sides)), min(size, max(side.stop for side in sides)))
        for sides, size in zip(zip(*windows, strict=True), job.space, strict=True)
    )


def _read_once(job: Job, number: int, image: OpenSource, seen: Region) -> Callable[[Window], np.ndarray]:
    """Read a block with what the network sees around it, in which tiles overlap; returns what gives boxes of it."""
    pixels = read_unchanged(job, number, image, seen)

    def read(box: Window) -> np.ndarray:
        if overlap(box, seen) != box:  # mirrored at the image's end, from further away
            return image.read(box)
        return pixels[(slice(None), *within(box, seen))]

    return read
