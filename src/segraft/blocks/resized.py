"""Parts of an image at another pixel size, and labels brought back, equal to those of the whole image.

What `segraft.model.resize` does, for a box at a time. Objects of which no pixel is left at the image's size are none:
which there are is known once all blocks are brought back, and then they are numbered anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import floor

import numpy as np
from scipy import ndimage

from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job
from segraft.blocks.stages import Found, Run
from segraft.images.windows import Window, crop_from
from segraft.labels.relabel import id_table
from segraft.model.tiling import overlap, within
from segraft.types import Space

BACK, SHOWN = "back", "shown"
"""Stage: labels of a block at the image's size, and their ids; and what number each id gets, 0 where it is nowhere."""
TRUNCATED = 4.0
"""Standard deviations at which SciPy ends a Gaussian."""


def read_resized(read: Callable[[Window], np.ndarray], space: Space, target: Space, box: Window) -> np.ndarray:
    """Read a box of an image ``(C, *space)`` resized to ``(C, *target)``: ``(C, *box)`` float32.

    Linear, and smoothed first along axes that shrink; see `segraft.model.resize.resize`.
    """
    factors = [old / new for old, new in zip(space, target, strict=True)]
    places = [(np.arange(side.start, side.stop) + 0.5) * by - 0.5 for side, by in zip(box, factors, strict=True)]
    blur = [max(0.0, (by - 1) / 2) for by in factors]
    reach = [int(TRUNCATED * width + 0.5) for width in blur]
    window = tuple(slice(floor(at[0]) - more, floor(at[-1]) + 2 + more) for at, more in zip(places, reach, strict=True))
    image = crop_from(read, space, window).astype(np.float32)
    smooth = np.stack([ndimage.gaussian_filter(channel, blur) for channel in image]) if any(blur) else image
    for axis, (at, side) in enumerate(zip(places, window, strict=True), start=1):
        smooth = _interpolated(smooth, at - side.start, axis)
    return smooth


def _interpolated(image: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values between the pixels along an axis."""
    before = np.floor(places).astype(np.intp)
    share = (places - before).astype(np.float32).reshape([-1 if each == axis else 1 for each in range(image.ndim)])
    return np.take(image, before, axis) * (1 - share) + np.take(image, before + 1, axis) * share


def labels_back(labels_of: Callable[[int], np.ndarray], grid: Grid, space: Space, box: Window) -> np.ndarray:
    """Labels of a box of an image ``(*space)`` from those of the blocks of ``grid``, which cut the resized image.

    Each pixel takes the label of the nearest one; see `segraft.model.resize.nearest`.
    """
    picks = [
        ((np.arange(side.start, side.stop) + 0.5) * new / old).astype(np.intp)
        for side, old, new in zip(box, space, grid.space, strict=True)
    ]
    region = tuple(slice(int(at[0]), int(at[-1]) + 1) for at in picks)
    labels = np.zeros([side.stop - side.start for side in region], np.uint64)
    for number in grid.touched(region):
        shared = overlap(grid.box(number), region)
        if shared is not None:
            labels[within(shared, region)] = labels_of(number)[within(shared, grid.box(number))]
    return labels[np.ix_(*(at - side.start for at, side in zip(picks, region, strict=True)))]


def bring_back(job: Job, run: Run, found: Found) -> Found:
    """What a segmentation found, at the size of the image itself, as the blocks of that."""
    blocks = range(len(job.image_grid))
    run(BACK, "labels at the image's size", partial(back_block, labels_of=found.labels), blocks, job.image_grid)
    shown = np.zeros(found.objects + 1, bool)
    for block in blocks:
        shown[job.folder.load(BACK, block, "ids")["ids"]] = True
    shown[0] = False
    job.folder.save_plain(SHOWN, 0, np.cumsum(shown, dtype=np.uint64))
    return found._replace(objects=int(shown.sum()), labels=labels_shown)


def back_block(job: Job, number: int, labels_of: Callable[[Job, int], np.ndarray]) -> None:
    """Bring the labels of a block of the image back, and keep which there are."""
    grid = job.image_grid
    ids, rows, _ = id_table(labels_back(partial(labels_of, job), job.grid, grid.space, grid.box(number)))
    job.folder.save(BACK, number, ids=ids, rows=rows.astype(np.min_scalar_type(len(ids))))


def labels_shown(job: Job, number: int) -> np.ndarray:
    """Final labels ``(*block)`` of a block of the image, uint64."""
    own = job.folder.load(BACK, number)
    return job.folder.mapped(SHOWN, 0)[own["ids"]][own["rows"]]
