"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) as a dense network, ``mobilenet``, for 2-D images."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from segraft.errors import UserError
from segraft.networks.contract import Padded, initialise
from segraft.tensors import Output

FIRST_STRIDE = 2
BLOCKS = ((1, 1, 1), (6, 2, 1), (6, 3, 2), (6, 4, 1), (6, 3, 1), (6, 3, 2), (6, 1, 1))
"""Expansion, number of blocks and stride of the first one, per group; the paper's Table 2 strides twice more."""


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    """1×1 expansion, depthwise 3×3, linear 1×1 projection; added to the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [_conv(inputs, hidden, 1)] if expansion > 1 else []
        depthwise = _conv(hidden, hidden, 3, stride, groups=hidden)
        project = nn.Sequential(nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(*widen, depthwise, project)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def _group(inputs: int, outputs: int, expansion: int, count: int, stride: int) -> nn.Sequential:
    first = InvertedResidual(inputs, outputs, expansion, stride)
    return nn.Sequential(first, *(InvertedResidual(outputs, outputs, expansion, 1) for _ in range(count - 1)))


class MobileNet(Padded):
    """The features of MobileNetV2 at an eighth of the resolution, 1×1 heads, and their outputs enlarged bilinearly.

    ``filters``: channels of the first convolution, of the seven groups of blocks, and of the last convolution.
    """

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...]) -> None:
        if len(filters) != len(BLOCKS) + 2:
            raise UserError(
                f"filters of mobilenet: got {len(filters)}, {tuple(filters)}, expected {len(BLOCKS) + 2}: first "
                "convolution, seven groups of blocks, last convolution"
            )
        strides = [FIRST_STRIDE, *(s for _, count, stride in BLOCKS for s in (stride, *(count - 1) * (1,)))]
        stride = math.prod(strides)
        convolutions = sum(math.prod(strides[:k]) for k in range(len(strides)))  # each 3×3 reaches one pixel further
        # A coarse pixel lies on the first of its stride pixels; the two next to an output pixel are 1.5 strides away.
        super().__init__(in_channels, dim, filters, stride, reach=convolutions + 3 * stride // 2)
        first, *groups, last = filters
        self.first = _conv(in_channels, first, 3, FIRST_STRIDE)
        widths = zip((first, *groups), groups, BLOCKS, strict=False)
        self.groups = nn.ModuleList(_group(inputs, outputs, *block) for inputs, outputs, block in widths)
        self.last = _conv(groups[-1], last, 1)
        self.embedding = nn.Conv2d(last, dim, 1)
        self.foreground = nn.Conv2d(last, 1, 1)
        initialise(self)

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the last features at 1/8, 1/4 and 1/2 of the resolution as ``stages``."""
        self.geometry.check_input(x.shape)
        x = self.first(x)
        shallow = []
        for group, (_, _, stride) in zip(self.groups, BLOCKS, strict=True):
            shallow += [x] if stride > 1 else []
            x = group(x)
        x = self.last(x)
        return Output(self._enlarge(self.embedding(x)), self._enlarge(self.foreground(x)), (x, *reversed(shallow)))

    def _enlarge(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=float(self.geometry.stride[0]), mode="bilinear")
