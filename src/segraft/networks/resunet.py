"""Residual U-Net, teacher (``resunet``) and student (``resunet-tiny``) of the paper, for 2-D images."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.networks.contract import Padded, foreground_head
from segraft.tensors import Output


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a 3×3 shortcut, each with batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, outputs), nn.ReLU(), _conv(outputs, outputs))
        self.shortcut = _conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


class ResUNet(Padded):
    """Residual U-Net with an embedding head and a foreground head.

    ``network(x)`` takes ``(B, in_channels, y, x)``, both sizes a multiple of the stride, and returns
    ``Output(embedding (B, dim, y, x), foreground (B, 1, y, x))``. The decoder's blocks have the encoder's widths,
    deepest first; skips are the pooled outputs, concatenated after each decoder block.
    """

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...]) -> None:
        depth = len(filters) - 1
        blocks = 2 + sum(2 * 2 * 2**level for level in range(depth))  # two convolutions per block, down and up
        pooling = interpolation = stride = 2**depth
        super().__init__(in_channels, dim, filters, stride, reach=blocks + pooling + interpolation)
        self.entry = ResidualBlock(in_channels, filters[0])
        self.down = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(filters))
        widths = filters[:0:-1]  # deepest first; the entry's own width is not met again
        joined = [widths[0], *(above + skip for above, skip in pairwise(widths))]
        self.up = nn.ModuleList(ResidualBlock(a, b) for a, b in zip(joined, widths, strict=True))
        self.embedding = nn.Conv2d(widths[-1], dim, 1)
        self.foreground = foreground_head(widths[-1])

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the intermediate ``stages`` from the bottleneck up through the decoder."""
        self.geometry.check_input(x.shape)
        x = self.entry(x)
        skips = []
        for block in self.down:
            x = functional.max_pool2d(block(x), 2)
            skips.append(x)
        stages = [skips.pop()]
        for block in self.up:
            x = block(functional.interpolate(x, scale_factor=2.0, mode="bilinear"))
            stages.append(x)
            x = torch.cat([x, skips.pop()], dim=1) if skips else x
        return Output(self.embedding(x), self.foreground(x), tuple(stages))
