"""Separate objects: connected pieces of the foreground, each partitioned once and as a whole.

Nothing joins pixels that the foreground does not connect, so the segments of a piece are those of the whole image. A
block partitions the pieces that lie inside it at once. Of pieces that reach an inner face, and of large ones, it keeps
pixels and affinities; once it is known which of them belong together, the first block that has a part partitions all of
it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from segraft.blocks.cutting import Grid, grown
from segraft.blocks.job import Job
from segraft.blocks.maps import maps
from segraft.model.tiling import Region, within
from segraft.segment.mutex import STRIDES
from segraft.types import Space

NETWORK, CROSSING, AFFINITIES = "network", "network.crossing", "network.affinities"
"""A stage, labels of complete pieces, and what it keeps of the others: faces, boxes and pixels, their affinities."""
SHARE, SMALL = 1 / 8, 2**14
"""Of a block's pixels, or in pixels where that is more: what the box of a piece may have that is partitioned while the
network is in memory."""


def frame_of(job: Job, region: Region) -> Region:
    """A region with the rim that thickness looks at, beginning on the grid of repulsive edges."""
    steps = job.segmentation.settings.get("strides") or STRIDES[len(job.space)]
    return grown(region, job.space, math.ceil(job.segmentation.thickness), tuple(steps))


def partition(job: Job, affinities: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Labels ``(*frame)`` of whole pieces of foreground, from 1."""
    return job.segmentation.segment(affinities, job.offsets, inside)


def partition_block(job: Job, number: int) -> None:
    """Run the network on a block and partition what lies inside it; keep what crosses its faces."""
    core = job.grid.box(number)
    frame = frame_of(job, core)
    affinities, probability = maps(job, number, frame)
    place = within(core, frame)
    pieces, count = ndimage.label(probability[place] > job.segmentation.foreground_threshold)
    crossing = _at_faces(pieces, count, core, job.space) | _large(pieces, count)
    inside = np.zeros(probability.shape, bool)
    inside[place] = (pieces > 0) & ~crossing[pieces]
    labels = partition(job, affinities, inside)[place]
    _keep_crossing(job, number, pieces, crossing, affinities[:, *place])
    job.folder.save(NETWORK, number, labels=labels, count=int(labels.max()))


def _at_faces(pieces: np.ndarray, count: int, core: Region, space: Space) -> np.ndarray:
    """Which of the pieces 0 to ``count`` reach a face that is not the image's end."""
    crossing = np.zeros(count + 1, bool)
    for axis, (side, size) in enumerate(zip(core, space, strict=True)):
        lines = np.moveaxis(pieces, axis, 0)
        for inner, line in ((side.start > 0, lines[0]), (side.stop < size, lines[-1])):
            if inner:
                crossing[np.unique(line)] = True
    crossing[0] = False
    return crossing


def _large(pieces: np.ndarray, count: int) -> np.ndarray:
    """Which of the pieces 0 to ``count`` are left to a later stage, when the network takes no memory any more."""
    sizes = [math.prod(axis.stop - axis.start for axis in box) for box in ndimage.find_objects(pieces, count)]
    return np.array([0, *sizes]) > max(pieces.size * SHARE, SMALL)


def _keep_crossing(job: Job, number: int, pieces: np.ndarray, crossing: np.ndarray, affinities: np.ndarray) -> None:
    """Write the pieces that cross faces: numbers from 1 at the faces, boxes, pixels and affinities."""
    chosen = np.flatnonzero(crossing)
    numbers = np.zeros(len(crossing), np.int32)
    numbers[chosen] = np.arange(1, len(chosen) + 1)
    renumbered = numbers[pieces]
    flat = np.flatnonzero(renumbered)
    order = flat[np.argsort(renumbered.reshape(-1)[flat], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(renumbered.reshape(-1)[flat], minlength=len(chosen) + 1)[1:])])
    boxes = np.array(
        [[(axis.start, axis.stop) for axis in box] for box in ndimage.find_objects(renumbered)], np.int64
    ).reshape(-1, pieces.ndim, 2)
    boxes += np.array([axis.start for axis in job.grid.box(number)])[:, None]
    job.folder.save_plain(AFFINITIES, number, np.ascontiguousarray(affinities.reshape(len(affinities), -1)[:, order].T))
    job.folder.save_plain(CROSSING, number, order)
    job.folder.save(CROSSING, number, boxes=boxes, starts=starts, **faces(renumbered))


def faces(labels: np.ndarray) -> dict[str, np.ndarray]:
    """The first and last layer of labels ``(*space)`` along each axis."""
    axes = [(axis, np.moveaxis(labels, axis, 0)) for axis in range(labels.ndim)]
    return {f"{end}{axis}": lines[at] for axis, lines in axes for end, at in (("first", 0), ("last", -1))}


class Piece(NamedTuple):
    """A part of a piece of foreground: the block that it lies in, and its number there, from 1."""

    block: int
    number: int


def gather(job: Job, parts: list[Piece], region: Region) -> tuple[np.ndarray, np.ndarray, list[tuple]]:
    """Put parts together in a region: affinities ``(N, *region)``, the mask ``(*region)``, and the parts' pixels.

    Of parts that reach beyond the region only what lies inside it.
    """
    shape = tuple(axis.stop - axis.start for axis in region)
    affinities, inside = np.zeros((len(job.offsets), *shape), np.float32), np.zeros(shape, bool)
    pixels = []
    for part in parts:
        starts = job.folder.load(CROSSING, part.block, "starts")["starts"]
        rows = slice(int(starts[part.number - 1]), int(starts[part.number]))
        places = pixels_in(job.grid, part.block, job.folder.mapped(CROSSING, part.block)[rows], region)
        kept = np.all([(at >= 0) & (at < size) for at, size in zip(places, shape, strict=True)], 0)
        chosen: tuple[Any, ...] = tuple(at[kept] for at in places)
        affinities[:, *chosen] = job.folder.mapped(AFFINITIES, part.block)[rows][kept].T
        inside[chosen] = True
        pixels.append(chosen)
    return affinities, inside, pixels


def pixels_in(grid: Grid, block: int, flat: np.ndarray, region: Region) -> tuple[np.ndarray, ...]:
    """Indices of pixels of a block, given by their place in it, counted from the start of a region."""
    places = np.unravel_index(flat, grid.shape(block))
    return tuple(at + own.start - side.start for at, own, side in zip(places, grid.box(block), region, strict=True))
