"""Residual U-Net for 2-D images: teacher (``resunet``) and student (``resunet-tiny``) of the paper; a quicker one."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

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

    shrinkage: ClassVar[int] = 1
    """Side of the squares of pixels that its convolutions see as one."""

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...]) -> None:
        depth = len(filters) - 1
        blocks = 2 + sum(2 * 2 * 2**level for level in range(depth))  # two convolutions per block, down and up
        pooling = interpolation = stride = 2**depth
        side, pixels = self.shrinkage, self.shrinkage**2
        super().__init__(in_channels, dim, filters, side * stride, reach=side * (blocks + pooling + interpolation))
        self.entry = ResidualBlock(in_channels * pixels, filters[0])
        self.down = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(filters))
        widths = filters[:0:-1]  # deepest first; the entry's own width is not met again
        joined = [widths[0], *(above + skip for above, skip in pairwise(widths))]
        self.up = nn.ModuleList(ResidualBlock(a, b) for a, b in zip(joined, widths, strict=True))
        self.embedding = nn.Conv2d(widths[-1], dim * pixels, 1)
        self.foreground = foreground_head(widths[-1], outputs=pixels)

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the intermediate ``stages`` from the bottleneck up through the decoder."""
        self.geometry.check_input(x.shape)
        x = self.entry(functional.pixel_unshuffle(x, self.shrinkage) if self.shrinkage > 1 else x)
        skips = []
        for block in self.down:
            x = functional.max_pool2d(block(x), 2)
            skips.append(x)
        stages = [skips.pop()]
        for block in self.up:
            x = block(functional.interpolate(x, scale_factor=2.0, mode="bilinear"))
            stages.append(x)
            x = torch.cat([x, skips.pop()], dim=1) if skips else x
        return Output(self._enlarged(self.embedding(x)), self._enlarged(self.foreground(x)), tuple(stages))

    def _enlarged(self, maps: Tensor) -> Tensor:
        return functional.pixel_shuffle(maps, self.shrinkage) if self.shrinkage > 1 else maps


class SwiftResUNet(ResUNet):
    """The same at half the resolution: 2 × 2 pixels enter as channels of one, and leave again as pixels.

    Space to depth and back (Shi et al. 2016, "Real-time single image and video super-resolution"): a quarter of the
    multiply-adds, with about the same parameters.
    """

    shrinkage = 2
