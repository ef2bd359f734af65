"""UNet++ against its equation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segraft.networks import create_network


def test_nodes_see_what_the_equation_says() -> None:
    """Eq. 1 of UNet++, node by node, for three levels."""
    network: Any = create_network("nested-unet", in_channels=2, dim=3, filters=(3, 4, 5)).eval()
    node = network.nodes

    def down(x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 2)

    def join(*same: Tensor, below: Tensor) -> Tensor:
        return torch.cat([*same, functional.interpolate(below, scale_factor=2.0, mode="bilinear")], dim=1)

    with torch.no_grad():
        x = torch.rand(1, 2, 16, 24)
        x00 = node["0_0"](x)
        x10 = node["1_0"](down(x00))
        x20 = node["2_0"](down(x10))
        x01 = node["0_1"](join(x00, below=x10))
        x11 = node["1_1"](join(x10, below=x20))
        x02 = node["0_2"](join(x00, x01, below=x11))
        output = network.features(x)
        assert torch.equal(output.embedding, network.embedding(x02))
    assert all(torch.equal(a, b) for a, b in zip(output.stages, (x20, x11, x02), strict=True))
    assert len(node) == 6
