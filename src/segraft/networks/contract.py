"""What every network promises, whatever is inside: its geometry, and one form of output."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import torch
from torch import SymInt, Tensor, nn

from segraft.tensors import Output
from segraft.types import Geometry

Module = TypeVar("Module", bound=nn.Module)
SMALLEST_SHARE = 1e-3
"""Of foreground and of background: where labels have none of one, a network still begins able to learn it."""


class Network(nn.Module):
    """From an image ``(B, in_channels, *space)`` to ``Output(embedding (B, dim, *out), foreground (B, 1, *out))``.

    ``geometry`` says which sizes it takes and what it gives for them; ``filters`` are its channels per level.
    """

    ndim: ClassVar[int]
    """Axes of space of the images, 2 or 3."""
    foreground: nn.Module
    """The foreground head; it ends in a convolution."""

    def __init__(self, geometry: Geometry, filters: tuple[int, ...]) -> None:
        super().__init__()
        self.geometry, self.filters = geometry, tuple(filters)

    def forward(self, x: Tensor) -> Output:
        return self.features(x)._replace(stages=())

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the intermediate ``stages`` from the bottleneck up through the decoder."""
        raise NotImplementedError


class Padded(Network):
    """A 2-D network whose output has the size of its input: zeros are added at the borders of every convolution.

    Both sizes must be a multiple of ``stride``. The halo is ``reach``, the number of pixels around an output pixel
    that can influence it, rounded up to a multiple of ``stride``.
    """

    ndim = 2

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...], stride: int, reach: int) -> None:
        halo = math.ceil(reach / stride) * stride
        geometry = Geometry(
            ndim=2,
            in_channels=in_channels,
            dim=dim,
            stride=(stride, stride),
            margin=(0, 0),
            minimum=(stride, stride),
            halo=(halo, halo),
        )
        super().__init__(geometry, filters)


def skeleton(module: Module) -> Module:
    """Return a copy in eval mode whose weights have shapes and no contents (meta device); nothing is copied.

    Hooks are not taken along: they watch the module itself.
    """
    weights = {id(weight): nn.Parameter(weight.to("meta"), False) for weight in module.parameters()}
    bare = copy.deepcopy(module, weights).to("meta").eval()
    for part in bare.modules():
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    return bare


def channels_last(network: Network) -> Network:
    """Bring the weights of a 2-D network into the order in which the CPU is a third faster; a 3-D one stays."""
    return network.to(memory_format=torch.channels_last) if network.ndim == 2 else network  # type: ignore[call-overload]


def meta_input(network: Network, space: Sequence[int]) -> Tensor:
    """An image ``(1, in_channels, *space)`` without contents, for a `skeleton`."""
    return torch.empty((1, network.geometry.in_channels, *space), device="meta")


def centre(maps: Tensor, space: Sequence[int | SymInt]) -> Tensor:
    """The middle of ``(..., *larger)``, of size ``space``: what valid convolutions leave."""
    for axis, size in zip(range(-len(space), 0), space, strict=True):
        maps = maps.narrow(axis, (maps.shape[axis] - size) // 2, size)
    return maps


def foreground_head(inputs: int, ndim: int = 2, outputs: int = 1) -> nn.Sequential:
    """Logits: object or background; one channel, or as many as pixels of the image that one stands for."""
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if ndim == 2 else (nn.Conv3d, nn.BatchNorm3d)
    return nn.Sequential(conv(inputs, inputs, 1), norm(inputs), nn.ReLU(), conv(inputs, outputs, 1))


def set_prior(network: Network, share: float) -> None:
    """Let the foreground head begin at a share of foreground, 0 to 1: its last bias becomes the log-odds of it.

    From a bias of 0 a student of rare objects stays below a probability of 0.5 for long (Lin et al. 2017, section 4.1).
    """
    share = min(max(share, SMALLEST_SHARE), 1 - SMALLEST_SHARE)
    *_, last = (part for part in network.foreground.modules() if isinstance(part, nn.Conv2d | nn.Conv3d))
    assert last.bias is not None
    with torch.no_grad():
        last.bias.fill_(math.log(share / (1 - share)))


def initialise(network: nn.Module, slope: float = 0.0) -> None:
    """Draw the weights of convolutions as He et al. 2015 do, for leaky ReLUs of this slope; biases begin at 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, a=slope, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
