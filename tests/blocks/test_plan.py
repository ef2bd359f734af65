"""Blocks are chosen for which the network sees fewest pixels, within the memory that there is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from segraft.blocks.cutting import Grid
from segraft.blocks.plan import pixel_bytes, plan
from segraft.blocks.tissue import around
from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.model.config import ModelConfig, NetworkConfig, Segmentation
from segraft.model.model import Model
from segraft.model.tile_memory import tile_bytes, waste
from segraft.types import Geometry
from shared.echo import Echo

IMAGE = Geometry(2, 1, 16, (16, 16), (0, 0), (16, 16), (96, 96))
VOLUME = Geometry(3, 1, 16, (1, 9, 9), (10, 34, 34), (21, 70, 70), (0, 0, 0))


class Costly(Echo):
    """A network of a geometry that takes so many bytes per pixel."""

    def __init__(self, geometry: Geometry, per_pixel: float) -> None:
        self.geometry, self.per_pixel = geometry, per_pixel

    def memory(self, window: tuple[int, ...]) -> float:
        return self.per_pixel * math.prod(window)


def a_model(geometry: Geometry, per_pixel: float = 300.0) -> Model:
    config = ModelConfig.usual(NetworkConfig("resunet-tiny"), geometry.ndim)
    return Model(Costly(geometry, per_pixel), replace(config, offsets={2: OFFSETS_2D, 3: OFFSETS_3D}[geometry.ndim]))


def test_memory_goes_to_the_network_before_large_blocks():
    """Blocks of 2048² would leave so little that tiles of a network with a halo of 96 see each pixel several times."""
    model, rules, space = a_model(IMAGE), Segmentation(), (20000, 20000)
    chosen = plan(model, rules, space, None, 1.3e9, 1)
    seen = waste(model.geometry, space, chosen.tile, model.offsets)
    assert seen < 1.6
    largest = plan(model, rules, space, (2048, 2048), 1.3e9, 1)
    assert waste(model.geometry, space, largest.tile, model.offsets) > seen


@pytest.mark.parametrize("gigabytes", [1.5, 3.0])
def test_what_surrounds_a_block_counts(gigabytes):
    """A block in the midst of a volume is seen with its margins, and with what its fragments are cut with."""
    model, rules, space = a_model(VOLUME), Segmentation("waterz", fill=True), (500, 2000, 2000)
    block, tile, _, _ = plan(model, rules, space, None, gigabytes * 1e9, 1)
    grid = Grid(space, block)
    inner = int(np.ravel_multi_index([count // 2 for count in grid.counts], grid.counts))
    seen = around(grid.box(inner), space, model.geometry.stride)
    assert all(axis.stop - axis.start >= side + 64 for axis, side in zip(seen[1:], block[1:], strict=True))
    kept = math.prod(axis.stop - axis.start for axis in seen) * pixel_bytes(model, rules)
    assert tile_bytes(model.runner, space, tile, model.offsets, seen) + kept <= gigabytes * 1e9 - 0.3e9


def test_fewer_workers_where_memory_is_short():
    model, space = a_model(IMAGE, 2000.0), (9000, 9000)
    assert plan(model, Segmentation(), space, None, 8e9, 4).workers == 4
    assert plan(model, Segmentation(), space, None, 1.5e9, 4).workers < 4
    with pytest.raises(UserError, match=r"memory: got 0\.32 GB"):
        plan(model, Segmentation(), space, None, 0.32e9, 4)
