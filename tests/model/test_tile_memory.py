"""Tiles by memory: what a network takes, and the tile that wastes least within it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from segraft.errors import UserError
from segraft.graphs.affinity import OFFSETS_2D, OFFSETS_3D
from segraft.model.tile_memory import fitting_tile, forward_bytes, tile_bytes, waste
from segraft.networks import create_network


class Chain(nn.Module):
    """Known sizes: at most the input, one map and the next are alive at once."""

    in_channels = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.expand(1, 10, *x.shape[2:]) * 2  # 10
        y = torch.cat([y, y], 1)  # 10 + 20
        y = y.sum(1, keepdim=True)  # 20 + 1
        return y.view(-1)[:5] + 0 * y.mean()


def test_the_most_that_is_alive_at_once_is_counted() -> None:
    assert forward_bytes(Chain(), (30, 40)) == 4 * 1200 * (1 + 10 + 20)


def test_memory_grows_with_the_window() -> None:
    network = create_network("resunet", filters=(4, 8, 16))
    small, large = (forward_bytes(network, (side, side)) for side in (256, 512))
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
    network: nn.Module, space: tuple[int, ...], offsets: tuple[tuple[int, ...], ...]
) -> None:
    before = math.inf
    for memory in (0.3e9, 0.8e9, 3e9):
        tile = fitting_tile(network, space, offsets, memory)
        assert tile_bytes(network, space, tile, offsets) <= memory
        assert waste(network, space, tile, offsets) <= before
        before = waste(network, space, tile, offsets)
    assert before < 2.5


def test_waste_is_what_the_tiles_see() -> None:
    network = create_network("mala", filters=(2, 3, 4))
    seen = math.prod(size + 2 * lost for size, lost in zip((10, 20, 20), network.context, strict=True))
    assert waste(network, (10, 20, 20), (10, 20, 20), ()) == pytest.approx(seen / 4000)


@pytest.mark.parametrize("memory", [1e4, 0.0, -1e9, math.nan])
def test_too_little_memory_is_answered(memory: float) -> None:
    with pytest.raises(UserError, match=r"smallest tile of this network takes .* GB; give more"):
        fitting_tile(create_network("resunet", filters=(4, 8, 16)), (500, 500), OFFSETS_2D, memory)
