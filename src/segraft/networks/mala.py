"""The 3-D U-Net of MALA (Funke et al. 2018, arXiv 1709.02974), ``mala`` and ``mala-tiny``, for anisotropic volumes."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.networks.contract import Network, centre, foreground_head, initialise
from segraft.tensors import Output
from segraft.types import Geometry

SLOPE = 0.005
"""Of the leaky ReLU."""
POOLING = (1, 3, 3)
QUIET = 0.01
"""Of fresh foreground weights: what loud first guesses ask for can push the few unnormalised channels of the last level
below zero for good, within twenty steps."""


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    """Two valid 3×3×3 convolutions: two voxels are lost on each side."""
    first, second = nn.Conv3d(inputs, outputs, 3), nn.Conv3d(outputs, outputs, 3)
    return nn.Sequential(first, nn.LeakyReLU(SLOPE), second, nn.LeakyReLU(SLOPE))


class Up(nn.Module):
    """Enlarge channel by channel, bring to the channels of the skip, join its middle, convolve."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose3d(inputs, inputs, POOLING, stride=POOLING, groups=inputs, bias=False)
        nn.init.ones_(self.enlarge.weight)  # each voxel has one weight: begin as a copy, neither louder nor softer
        self.reduce = nn.Conv3d(inputs, skip, 1)
        self.body = _pair(2 * skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.reduce(self.enlarge(x))
        return self.body(torch.cat([x, centre(skip, x.shape[2:])], dim=1))


def _zero_sums(module: nn.Module) -> None:
    """Let the fresh weights of each 3×3×3 kernel sum to 0.

    There is no normalisation: else the mean brightness outgrows all contrast and all embeddings point the same way.
    """
    if isinstance(module, nn.Conv3d) and module.kernel_size == (3, 3, 3):
        with torch.no_grad():
            module.weight -= module.weight.mean(dim=(1, 2, 3, 4), keepdim=True)


def _widths(filters: tuple[int, ...], wide_second: bool) -> list[int]:
    """Channels of the decoder's levels, deepest first."""
    widths = list(filters[-2::-1])
    if wide_second and len(widths) > 1:
        widths[1] = widths[0]
    return widths


class MALA(Network):
    """U-Net of valid convolutions, pooled in plane only, with an embedding head and a foreground head.

    ``network(x)`` takes ``(B, in_channels, z, y, x)`` and returns what is ``margin`` voxels inside it: for four levels
    84 × 268 × 268 voxels become 56 × 56 × 56. ``filters``: channels per level. The decoder's levels have the encoder's
    channels, but with ``wide_second`` its second one has those of its first.
    """

    ndim = 3

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...], wide_second: bool = False) -> None:
        pools = len(filters) - 1
        cell = POOLING[-1] ** pools
        # Each pair of convolutions takes 2 voxels of its level: z has 2 pools + 1 pairs of one scale; in plane
        # 2 (1 + 3 + … + cell/3) on the way down, as much on the way up, and 2 cell at the bottom.
        side = 2 * (cell - 1) + 2 * cell
        margin = (2 * (2 * pools + 1), side, side)
        # One voxel in z; in plane two: a bottom of one cell would be enlarged to three, of which the pair takes four.
        minimum = (2 * margin[0] + 1, 2 * side + 2, 2 * side + 2)
        super().__init__(Geometry(3, in_channels, dim, (1, cell, cell), margin, minimum, (0, 0, 0)), filters)
        widths = _widths(self.filters, wide_second)
        self.down = nn.ModuleList(_pair(a, b) for a, b in pairwise((in_channels, *filters)))
        inputs, skips = (filters[-1], *widths), filters[-2::-1]
        self.up = nn.ModuleList(Up(a, skip, b) for (a, b), skip in zip(pairwise(inputs), skips, strict=True))
        self.embedding = nn.Conv3d(widths[-1], dim, 1)
        self.foreground = foreground_head(widths[-1], ndim=3)
        initialise(self, SLOPE)
        self.apply(_zero_sums)
        for weights in self.foreground[-1].parameters():
            weights.data *= QUIET

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the intermediate ``stages`` from the bottleneck up through the decoder."""
        self.geometry.check_input(x.shape)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(functional.max_pool3d(x, POOLING) if skips else x)
            skips.append(x)
        stages = [skips.pop()]
        for block in self.up:
            stages.append(block(stages[-1], skips.pop()))
        return Output(self.embedding(stages[-1]), self.foreground(stages[-1]), tuple(stages))
