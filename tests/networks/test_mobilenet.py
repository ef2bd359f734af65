"""MobileNetV2 as a dense network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from segraft.networks import create_network


def test_strides_and_widths_are_those_of_the_dense_variant() -> None:
    with torch.device("meta"):
        network: Any = create_network("mobilenet", in_channels=3).eval()
        output = network.features(torch.empty(1, 3, 64, 96))
    assert [tuple(stage.shape[1:]) for stage in output.stages] == [(1280, 8, 12), (96, 16, 24), (24, 32, 48)]
    strides = [[block.body[-2][0].stride[0] for block in group] for group in network.groups]
    assert strides == [[1], [1, 1], [2, 1, 1], [1, 1, 1, 1], [1, 1, 1], [2, 1, 1], [1]]


def test_blocks_add_their_input_where_shapes_agree() -> None:
    """With projections of 0 every such block is the identity."""
    network: Any = create_network("mobilenet", filters=(4, 4, 6, 8, 8, 12, 16, 20, 40)).eval()
    blocks = [block for group in network.groups for block in group]
    for block in blocks:
        nn.init.zeros_(block.body[-1][0].weight)
    same = []
    with torch.no_grad():
        for block in blocks:
            x = torch.rand(1, block.body[0][0].in_channels, 8, 8)
            same.append(torch.equal(block(x), x))
    widths = [True]  # 4 to 4 channels
    for count, agrees in [(2, False), (3, False), (4, True), (3, False), (3, False), (1, False)]:
        widths += [agrees, *(count - 1) * [True]]
    assert same == widths
