"""How an image is cut, so that a worker's memory holds a block and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.seams import beyond
from segraft.blocks.tissue import around
from segraft.errors import UserError
from segraft.model.config import Segmentation
from segraft.model.model import Model
from segraft.model.options import per_axis
from segraft.model.tile_memory import fitting_tile, waste
from segraft.model.tiling import Region
from segraft.segment.mutex import STRIDES
from segraft.types import Space

BASE = {"PyTorch": 0.75e9}
USUAL_BASE = 0.3e9
"""Bytes of a worker before its first block, by what runs the network."""
DRIVER = {"PyTorch": 0.5e9}
USUAL_DRIVER = 0.25e9
"""Bytes of the driver, likewise; what grows with the number of objects is not among them."""
SIDES = {
    2: ((), (256, 512, 768, 1024, 2048)),
    3: ((8, 12, 16, 24, 32, 40, 48, 64, 96, 128), (64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 384, 512)),
}
"""Sections, and pixels in plane, of the blocks that are tried, by dimension."""
EDGE = 50.0
"""Bytes of an edge of a graph of pixels, while the mutex watershed partitions it."""
MOST = 2**23
"""Pixels of a block at most: larger ones save little, and the last workers wait longer."""


class Plan(NamedTuple):
    """How an image is cut, and by how many workers."""

    block: Space
    tile: Space
    largest: int
    """Pixels of the box of a piece that is partitioned as a whole."""
    workers: int


def dense(segmentation: Segmentation) -> bool:
    """Whether segments are those of dense tissue, joined in one graph, and not pieces of the foreground."""
    return segmentation.fill or segmentation.segmenter != "mutex"


def pixel_bytes(model: Model, segmentation: Segmentation) -> float:
    """Bytes that a pixel of a block takes at most, while it is segmented; of separate objects, without large pieces."""
    affinities = 4.0 * len(model.offsets)
    if segmentation.segmenter == "mutex":
        small = model.geometry.ndim == 2 and not dense(segmentation)
        return 2 * affinities + 40 if small else piece_bytes(model, segmentation)
    return affinities + 8 * model.geometry.ndim + 60


def piece_bytes(model: Model, segmentation: Segmentation) -> float:
    """Bytes that a pixel of a large piece of foreground takes at most, while it is partitioned."""
    ndim, count = model.geometry.ndim, len(model.offsets)
    steps = segmentation.settings.get("strides") or STRIDES[ndim]
    return 4.0 * count + EDGE * (ndim + (count - ndim) / math.prod(steps)) + 60


def plan(
    model: Model,
    segmentation: Segmentation,
    space: Space,
    block: Space | None,
    memory: float,
    workers: int,
    driver: float = 0.0,
) -> Plan:
    """Choose blocks, or check those that are given, for workers that share so many bytes, less those of the ``driver``.

    There are fewer workers where not all of them would have enough. Raises ``UserError`` where a single one has not,
    and for blocks that the network's stride does not divide.
    """
    if block is not None:
        _check(block, model, space)
    for count in range(workers, 0, -1):
        budget = (memory - driver) / count - _by_engine(model, BASE, USUAL_BASE)
        found = _best(model, segmentation, space, [block] if block else list(_candidates(model, space)), budget)
        if found:
            return Plan(*found, int(budget / piece_bytes(model, segmentation)), count)
    smallest = f"blocks of {'×'.join(map(str, block))}" if block else "the smallest blocks"
    raise UserError(
        f"memory: got {memory / 1e9:.2g} GB, expected more, for {smallest} do not fit one worker; give more memory"
        f"{', smaller blocks' if block else ''} or a smaller network"
    )


def driver_bytes(model: Model) -> float:
    """Bytes of the process that hands out blocks, which has loaded the model as well."""
    return _by_engine(model, DRIVER, USUAL_DRIVER)


def _by_engine(model: Model, sizes: Mapping[str, float], usual: float) -> float:
    return next((size for name, size in sizes.items() if name in model.runner.engine), usual)


def _check(block: Space, model: Model, space: Space) -> None:
    """Raise ``UserError`` for blocks that cannot be: their sides are multiples of the network's stride."""
    stride = model.geometry.stride
    if len(block) != len(space) or min(block) < 1:
        raise UserError(f"blocks: got {block}, expected {len(space)} positive numbers of pixels, or auto; change them")
    if any(side % step and side < size for side, step, size in zip(block, stride, space, strict=True)):
        nearest = tuple(math.ceil(side / step) * step for side, step in zip(block, stride, strict=True))
        raise UserError(
            f"blocks: got {block}, expected multiples of {stride}, the stride of this network; give {nearest}, or auto"
        )


def _candidates(model: Model, space: Space) -> Iterator[Space]:
    """Blocks that are worth a try, the largest first; no larger than the image."""
    depths, sides = SIDES[len(space)]
    shapes = {(*depth, side, side) for side in sides for depth in (((each,) for each in depths) if depths else [()])}
    stride = model.geometry.stride
    fitting = {
        tuple(math.ceil(min(side, size) / step) * step for side, size, step in zip(shape, space, stride, strict=True))
        for shape in shapes
        if math.prod(shape) <= MOST
    }
    yield from sorted(fitting, key=lambda shape: (math.prod(shape), min(shape)), reverse=True)


def _best(
    model: Model, segmentation: Segmentation, space: Space, blocks: list[Space], budget: float
) -> tuple[Space, Space] | None:
    """The block for whose pixels the network sees fewest, of those that fit a budget in bytes; and its tile.

    Large blocks leave little memory to the network, whose tiles then overlap the more.
    """
    fitting: list[tuple[float, int, Space, Space]] = []
    for block in blocks:
        core, seen = _in_the_midst(block, space, model, segmentation)
        if not dense(segmentation) and piece_bytes(model, segmentation) * _pixels(beyond(core, space, block)) > budget:
            continue  # a block of a piece that is cut would not fit
        left = budget - _pixels(seen) * pixel_bytes(model, segmentation)
        try:
            tile = fitting_tile(model.runner, space, model.offsets, left, seen)
        except UserError:
            continue
        cost = waste(model.geometry, space, tile, model.offsets, seen) * _pixels(seen) / _pixels(core)
        fitting.append((cost, -math.prod(block), block, tile))
    return min(fitting)[2:] if fitting else None


def _in_the_midst(block: Space, space: Space, model: Model, segmentation: Segmentation) -> tuple[Region, Region]:
    """A block with others around it, and the pixels that it is segmented with."""
    grid = Grid(space, block)
    core = grid.box(int(np.ravel_multi_index([(count - 1) // 2 for count in grid.counts], grid.counts)))
    return core, around(core, space, model.geometry.stride) if dense(segmentation) else core


def _pixels(region: Region) -> int:
    return math.prod(axis.stop - axis.start for axis in region)


def of_user(blocks: object, ndim: int) -> Space | None:
    """The shape that a user gives, one number or one per axis; None for ``auto``. Raises ``UserError`` for others."""
    values = per_axis(blocks, ndim) if not isinstance(blocks, str) else (blocks,)
    if tuple(values) in (("auto",), ("auto",) * ndim):
        return None
    try:
        return tuple(int(value) for value in values)
    except ValueError as error:
        raise UserError(
            f"blocks: got {blocks}, expected auto, or numbers of pixels, one per axis; change it"
        ) from error
