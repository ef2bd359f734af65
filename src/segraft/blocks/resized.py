"""Parts of an image at another pixel size, and labels brought back, equal to those of the whole image.

What `segraft.model.resize` does, for a box at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import numpy as np
from scipy import ndimage

from segraft.blocks.cutting import Grid
from segraft.images.windows import Window, crop_from
from segraft.model.tiling import overlap, within
from segraft.types import Space

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
