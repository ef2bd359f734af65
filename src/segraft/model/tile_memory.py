"""How much memory a tile takes, and the tile that costs least within what there is."""

from __future__ import annotations

import copy
import math
from functools import cache
from itertools import starmap
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from segraft.errors import UserError
from segraft.model.tiling import Part, Space, Tile, along, grid
from segraft.types import Offsets

CONTEXT, WINDOW = Tile._fields.index("context"), Tile._fields.index("window")
FLOAT = 4
"""Bytes."""
WORKSPACE = 1.5
"""Margin for what convolutions take beside their inputs and outputs; ``benchmarks/tiling.py`` shows what is taken."""


class Peak(TorchDispatchMode):
    """Follows the tensors that are alive while a network runs; ``bytes`` is the most they took at once."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
        for tensor in tree_leaves((args, result)):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.bytes = max(self.bytes, sum(size for _, size in self._alive.values()))
        return result


def forward_bytes(network: Any, window: Space) -> int:
    """Most memory that the tensors of a prediction take for an input of this shape; nothing is computed."""
    meta = _skeleton(network)
    with torch.no_grad(), Peak() as peak:
        meta(torch.empty((1, network.in_channels, *window), device="meta"))
    return peak.bytes


def _skeleton(network: Any) -> Any:
    """A copy in eval mode whose tensors have shapes and no contents."""
    shapes = {id(weight): torch.nn.Parameter(weight.to("meta"), False) for weight in network.parameters()}
    meta = copy.deepcopy(network, shapes).to("meta").eval()
    for module in meta.modules():  # those who watch the network itself have no part in this
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return meta


def fitting_tile(network: Any, space: Space, offsets: Offsets, memory: float) -> Space:
    """Shape of the tile that computes fewest pixels twice among those that take at most ``memory`` bytes.

    Raises ``UserError`` when not even the smallest fits.
    """
    least, network = (1,) * len(space), _skeleton(network)
    needed = tile_bytes(network, space, least, offsets)
    if not needed <= memory:
        raise UserError(
            f"{memory / 1e9:.2g} GB of memory came; the smallest tile of this network takes {needed / 1e9:.2g} GB; "
            "give more memory, or use a smaller network"
        )
    seen = cache(lambda axis, side: _seen(along(axis, space[axis], side, network, offsets)))  # most tiles share sides
    return min(
        _fitting(network, space, offsets, memory) or [least],
        key=lambda tile: (math.prod(starmap(seen, enumerate(tile))), tile),
    )


def _fitting(network: Any, space: Space, offsets: Offsets, memory: float) -> list[Space]:
    """All tiles that fit, of those worth a try: multiples of the stride, equal in plane.

    What fits, fits with fewer sections, too: as the side grows, the most sections that fit become fewer, so that few
    tiles need a look.
    """
    stride = network.stride if isinstance(network.stride, int) else network.stride[-1]
    depths: list[Space] = [(depth,) for depth in _growing(space[0])] if len(space) == 3 else [()]
    tiles: list[Space] = []
    for side in (stride * k for k in _growing(math.ceil(max(space[-2:]) / stride))):
        while depths and tile_bytes(network, space, (*depths[-1], side, side), offsets) > memory:
            depths.pop()
        tiles += [(*depth, side, side) for depth in depths]
    return tiles


def waste(network: Any, space: Space, tile: Space, offsets: Offsets) -> float:
    """Pixels that the network sees in all tiles together, per pixel of the image."""
    return math.prod(map(_seen, grid(space, tile, network, offsets))) / math.prod(space)


def _seen(parts: list[Part]) -> int:
    """Pixels along an axis that the network sees in all its tiles."""
    return sum(_length(part[WINDOW]) for part in parts)


def tile_bytes(network: Any, space: Space, tile: Space, offsets: Offsets) -> float:
    """Memory of the largest tile: the network, then unit vectors and affinities of its context."""
    affinities = FLOAT * (3 * network.dim + 2 * len(offsets))
    context, window = (_largest(network, space, tile, offsets, kind) for kind in (CONTEXT, WINDOW))
    return WORKSPACE * forward_bytes(network, window) + affinities * math.prod(context)


def _growing(last: int) -> list[int]:
    """Numbers from 1 to ``last``, each about an eighth larger than the one before."""
    numbers = [1]
    while numbers[-1] < last:
        numbers.append(min(last, numbers[-1] + 1 + numbers[-1] // 8))
    return numbers


def _largest(network: Any, space: Space, tile: Space, offsets: Offsets, kind: int) -> Space:
    """Shape of the largest context or window of all tiles."""
    return tuple(max(_length(part[kind]) for part in axis) for axis in grid(space, tile, network, offsets))


def _length(axis: slice) -> int:
    return int(axis.stop - axis.start)
