"""UNet++ (Zhou et al. 2018, arXiv 1807.10165), ``nested-unet``, for 2-D images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.networks.contract import Padded, foreground_head, initialise
from segraft.tensors import Output


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3×3 convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        conv = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class NestedUNet(Padded):
    """A grid of nodes ``i_j``, at level i and column j. Column 0 is the encoder; each later one is a level shorter.

    Node ``i_j`` sees all earlier nodes of its level and, enlarged bilinearly, the node before it one level deeper. The
    heads sit on the last node of level 0; there is no deep supervision. ``filters``: channels per level.
    """

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...]) -> None:
        levels = len(filters)
        stride = 2 ** (levels - 1)
        down, up = 2 * (2 * stride - 1), 2 * (stride - 1)  # two convolutions per node, all the way down and up
        pooling = interpolation = stride
        super().__init__(in_channels, dim, filters, stride, reach=down + up + pooling + interpolation)
        self.nodes = nn.ModuleDict()
        for i, (above, width) in enumerate(zip((in_channels, *filters), filters, strict=False)):
            self.nodes[f"{i}_0"] = _block(above, width)
            for j in range(1, levels - i):
                self.nodes[f"{i}_{j}"] = _block(j * width + filters[i + 1], width)
        self.embedding = nn.Conv2d(filters[0], dim, 1)
        self.foreground = foreground_head(filters[0])
        initialise(self)

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the last node of every level, the deepest first, as ``stages``."""
        self.geometry.check_input(x.shape)
        depth = len(self.filters)
        levels: list[list[Tensor]] = []
        for i in range(depth):
            x = self.nodes[f"{i}_0"](functional.max_pool2d(x, 2) if i else x)
            levels.append([x])
        for j in range(1, depth):
            for i in range(depth - j):
                below = functional.interpolate(levels[i + 1][j - 1], scale_factor=2.0, mode="bilinear")
                levels[i].append(self.nodes[f"{i}_{j}"](torch.cat([*levels[i], below], dim=1)))
        stages = tuple(level[-1] for level in reversed(levels))
        return Output(self.embedding(stages[-1]), self.foreground(stages[-1]), stages)
