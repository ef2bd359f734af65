"""How much memory a tile takes, and the tile that costs least within what there is."""

from __future__ import annotations

import math
from functools import cache
from itertools import starmap

from segraft.errors import UserError
from segraft.model.runner import Runner
from segraft.model.tiling import Part, Region, Tile, along, grid
from segraft.types import Geometry, Offsets, Space

CONTEXT, WINDOW = Tile._fields.index("context"), Tile._fields.index("window")
FLOAT = 4
"""Bytes."""
NORMS = 2
"""Numbers per pixel while vectors are brought to unit length."""


def fitting_tile(
    runner: Runner, space: Space, offsets: Offsets, max_bytes: float, region: Region | None = None
) -> Space:
    """Shape of the tile that computes fewest pixels twice among those that take at most ``max_bytes``.

    With a ``region`` tiles cover that part of the image alone. Raises ``UserError`` when not even the smallest fits.
    """
    region, least = region or tuple(map(slice, (0,) * len(space), space)), (1,) * len(space)
    needed = tile_bytes(runner, space, least, offsets, region)
    if not needed <= max_bytes:
        raise UserError(
            f"memory: got {max_bytes / 1e9:.2g} GB, expected {needed / 1e9:.2g} GB or more, which the smallest tile of "
            "this network takes; give more memory, or use a smaller network"
        )
    pixels = cache(lambda axis, side: _pixels(along(axis, space[axis], side, runner.geometry, offsets, region[axis])))
    return min(
        _fitting(runner, space, offsets, max_bytes, region) or [least],
        key=lambda tile: (math.prod(starmap(pixels, enumerate(tile))), tile),
    )


def _fitting(runner: Runner, space: Space, offsets: Offsets, max_bytes: float, region: Region) -> list[Space]:
    """All tiles that fit, of those worth a try: multiples of the stride, equal in plane.

    What fits, fits with fewer sections, too: as the side grows, the most sections that fit become fewer, so that few
    tiles need a look.
    """
    stride, sizes = runner.geometry.stride[-1], [_length(axis) for axis in region]
    depths: list[Space] = [(depth,) for depth in _growing(sizes[0])] if len(space) == 3 else [()]
    tiles: list[Space] = []
    for side in (stride * k for k in _growing(math.ceil(max(sizes[-2:]) / stride))):
        while depths and tile_bytes(runner, space, (*depths[-1], side, side), offsets, region) > max_bytes:
            depths.pop()
        tiles += [(*depth, side, side) for depth in depths]
    return tiles


def waste(geometry: Geometry, space: Space, tile: Space, offsets: Offsets, region: Region | None = None) -> float:
    """Pixels that the network sees in all tiles together, per pixel of the image or of a region of it."""
    sizes = [_length(axis) for axis in region] if region else space
    return math.prod(map(_pixels, grid(space, tile, geometry, offsets, region))) / math.prod(sizes)


def _pixels(parts: list[Part]) -> int:
    """Pixels along an axis that the network sees in all its tiles."""
    return sum(_length(part[WINDOW]) for part in parts)


def tile_bytes(runner: Runner, space: Space, tile: Space, offsets: Offsets, region: Region | None = None) -> float:
    """Memory of the largest tile: the network, then its vectors, unit vectors, and the affinities of its context."""
    affinities = FLOAT * (2 * runner.geometry.dim + len(offsets) + NORMS)
    axes = grid(space, tile, runner.geometry, offsets, region)
    context, window = (_largest(axes, kind) for kind in (CONTEXT, WINDOW))
    return runner.memory(window) + affinities * math.prod(context)


def _growing(last: int) -> list[int]:
    """Numbers from 1 to ``last``, each about an eighth larger than the one before."""
    numbers = [1]
    while numbers[-1] < last:
        numbers.append(min(last, numbers[-1] + 1 + numbers[-1] // 8))
    return numbers


def _largest(axes: list[list[Part]], kind: int) -> Space:
    """Shape of the largest context or window of all tiles."""
    return tuple(max(_length(part[kind]) for part in axis) for axis in axes)


def _length(axis: slice) -> int:
    return int(axis.stop - axis.start)
