"""Blocks are chosen for which the network sees fewest pixels, within the memory that there is."""

from __future__ import annotations

import gc
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import psutil
import pytest
from scipy.ndimage import gaussian_filter

from segraft.blocks.cutting import Grid
from segraft.blocks.plan import piece_bytes, pixel_bytes, plan
from segraft.blocks.tissue import around
from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D, OFFSETS_3D_LONG
from segraft.model.config import ModelConfig, NetworkConfig, Segmentation
from segraft.model.hardware import resident_peak
from segraft.model.model import Model
from segraft.model.tile_memory import tile_bytes, waste
from segraft.segment.mutex import mutex_watershed
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
    """Blocks of 1024² would leave so little that smaller tiles of a network with a halo of 96 see pixels more often."""
    model, rules, space = a_model(IMAGE, 900.0), Segmentation(), (20000, 20000)
    chosen = plan(model, rules, space, None, 1.5e9, 1)
    seen = waste(model.geometry, space, chosen.tile, model.offsets)
    assert seen < 1.7
    largest = plan(model, rules, space, (1024, 1024), 1.5e9, 1)
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


def test_pieces_of_foreground_have_room_as_well():
    """A block full of one piece, with what its neighbours see of it, is partitioned when the network is gone."""
    model, space, budget = a_model(IMAGE, 1.0), (20000, 20000), 1.0e9
    chosen = plan(model, Segmentation(), space, None, budget + 0.3e9, 1)
    assert chosen.largest == int(budget / piece_bytes(model, Segmentation()))
    assert math.prod(side + 2 * 64 for side in chosen.block) <= chosen.largest
    with pytest.raises(UserError, match="do not fit one worker"):
        plan(model, Segmentation(), space, (2048, 2048), budget + 0.3e9, 1)


@pytest.mark.parametrize(
    ("space", "offsets", "share"), [((512, 512), OFFSETS_2D, 1.0), ((48, 160, 160), OFFSETS_3D_LONG, 0.5)]
)
def test_a_piece_takes_no_more_than_is_counted(space, offsets, share):
    """Measured in a process of its own: the peak of the system counts all that it ever took."""
    geometry = IMAGE if len(space) == 2 else VOLUME
    counted = piece_bytes(replace_offsets(a_model(geometry), offsets), Segmentation()) * math.prod(space)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert 0.3 * counted < pool.submit(taken, space, offsets, share).result() < counted


def taken(space, offsets, share):
    """Bytes that the mutex watershed of one piece of foreground takes, affinities included."""
    random = np.random.default_rng(0)
    smooth = partial(gaussian_filter, sigma=2)
    affinities = np.stack([0.5 + 8 * smooth(random.normal(size=space).astype(np.float32)) for _ in offsets])
    chance = gaussian_filter(random.normal(size=space).astype(np.float32), 3)
    inside = chance >= np.quantile(chance, 1 - share)
    gc.collect()
    before = resident()
    mutex_watershed(np.clip(affinities, 0, 1), offsets, inside, thickness=2.0, minimum_size=80)
    return resident_peak() - before


def resident():
    """Bytes of this process in memory."""
    return psutil.Process().memory_info().rss


def replace_offsets(model, offsets):
    """The model with other offsets."""
    return Model(model.runner, replace(model.config, offsets=offsets))


def test_fewer_workers_where_memory_is_short():
    model, space = a_model(IMAGE, 2000.0), (9000, 9000)
    assert plan(model, Segmentation(), space, None, 8e9, 4).workers == 4
    assert plan(model, Segmentation(), space, None, 1.5e9, 4).workers < 4
    with pytest.raises(UserError, match=r"memory: got 0\.32 GB"):
        plan(model, Segmentation(), space, None, 0.32e9, 4)
