"""Tiles by memory: what a network takes, and the tile that wastes least within it."""

from __future__ import annotations

import math

import pytest
import torch

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.model.tile_memory import fitting_tile, tile_bytes, waste
from segraft.model.torch_runner import TorchRunner, forward_bytes
from segraft.networks import create_network
from segraft.networks.contract import Network
from segraft.types import Geometry


class Chain(Network):
    """Known sizes: at most the input, one map and the next are alive at once."""

    ndim = 2

    def __init__(self) -> None:
        super().__init__(Geometry(2, 1, 4, (1, 1), (0, 0), (1, 1), (0, 0)), ())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.expand(1, 10, *x.shape[2:]) * 2  # 10
        y = torch.cat([y, y], 1)  # 10 + 20
        y = y.sum(1, keepdim=True)  # 20 + 1
        return y.view(-1)[:5] + 0 * y.mean()


def test_the_most_that_is_alive_at_once_is_counted() -> None:
    assert forward_bytes(Chain(), (30, 40)) == 4 * 1200 * (1 + 10 + 20)


def test_memory_grows_with_the_window() -> None:
    network = create_network("resunet", filters=(4, 8, 16))
    small, large = (TorchRunner(network).memory((side, side)) for side in (256, 512))
    assert 3.8 < large / small < 4.1
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "space", "offsets"),
    [
        (create_network("resunet", filters=(4, 8, 16)), (4000, 3000), OFFSETS_2D),
        (create_network("mala", filters=(4, 6, 8)), (120, 700, 700), OFFSETS_3D),
    ],
    ids=["images", "volumes"],
)
def test_more_memory_wastes_less(
    network: Network, space: tuple[int, ...], offsets: tuple[tuple[int, ...], ...]
) -> None:
    before, runner = math.inf, TorchRunner(network)
    for memory in (0.3e9, 0.8e9, 3e9):
        tile = fitting_tile(runner, space, offsets, memory)
        assert tile_bytes(runner, space, tile, offsets) <= memory
        assert waste(network.geometry, space, tile, offsets) <= before
        before = waste(network.geometry, space, tile, offsets)
    assert before < 2.5


def test_waste_is_what_the_tiles_see() -> None:
    network = create_network("mala", filters=(2, 3, 4))
    seen = math.prod(size + 2 * lost for size, lost in zip((10, 20, 20), network.geometry.margin, strict=True))
    assert waste(network.geometry, (10, 20, 20), (10, 20, 20), ()) == pytest.approx(seen / 4000)


@pytest.mark.parametrize("memory", [1e4, 0.0, -1e9, math.nan])
def test_too_little_memory_is_answered(memory: float) -> None:
    with pytest.raises(
        UserError, match=r"expected .* GB or more, which the smallest tile of this network takes; give more"
    ):
        fitting_tile(TorchRunner(create_network("resunet", filters=(4, 8, 16))), (500, 500), OFFSETS_2D, memory)
