"""What every network promises, whatever is inside: attributes to tile by, sizes, outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import SymInt, Tensor, nn

from segraft.errors import UserError
from segraft.tensors import Output


class Network(nn.Module):
    """From an image ``(B, in_channels, *space)`` to ``Output(embedding (B, dim, *out), foreground (B, 1, *out))``.

    ``out`` is ``context`` pixels smaller than ``space`` on each side; each axis of ``space`` has ``minimum + k·stride``
    pixels. Two windows of one image, a multiple of ``stride`` apart, give the same at every pixel that lies at least
    ``halo`` inside both outputs, or on whose near side the window ends with the image.
    """

    ndim: int
    context: tuple[int, ...]
    minimum: tuple[int, ...]
    stride: int | tuple[int, ...]
    halo: int = 0

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...]) -> None:
        super().__init__()
        self.in_channels, self.dim, self.filters = in_channels, dim, tuple(filters)

    def forward(self, x: Tensor) -> Output:
        return self.features(x)._replace(stages=())

    def features(self, x: Tensor) -> Output:
        """As ``forward``, with the intermediate ``stages`` from the bottleneck up through the decoder."""
        raise NotImplementedError

    def input_size(self, output: tuple[int, ...]) -> tuple[int, ...]:
        """Return the smallest possible input ``(*space)`` whose output covers ``output``."""
        wanted = tuple(size + 2 * lost for size, lost in zip(output, self.context, strict=True))
        return self._possible(wanted, math.ceil)

    def _possible(self, space: tuple[int, ...], rounding: Callable[[float], int]) -> tuple[int, ...]:
        """The possible input size next to ``space``."""
        axes = zip(space, self.minimum, self._strides, strict=True)
        return tuple(least + max(0, rounding((size - least) / stride)) * stride for size, least, stride in axes)

    @property
    def _strides(self) -> tuple[int, ...]:
        return (self.stride,) * self.ndim if isinstance(self.stride, int) else self.stride

    @property
    def _sizes(self) -> str:
        """The possible input sizes, in words."""
        axes = zip(self.minimum, self._strides, strict=True)
        return " × ".join(f"({least}, {least + stride}, {least + 2 * stride}, …)" for least, stride in axes)

    def _check(self, x: Tensor) -> None:
        """Raise ``UserError`` for images of another kind, and for sizes that do not fit."""
        if x.ndim != self.ndim + 2 or x.shape[1] != self.in_channels:
            axes = ", ".join("zyx"[-self.ndim :])
            came, wanted = tuple(x.shape), f"(batch, {self.in_channels}, {axes})"
            raise UserError(f"network input has shape {came}; wanted {wanted}")
        space = tuple(x.shape[2:])
        fits = zip(space, self.minimum, self._strides, strict=True)
        if any(size < least or (size - least) % stride for size, least, stride in fits):
            possible = (self._possible(space, rounding) for rounding in (math.floor, math.ceil))
            nearest = " or ".join(dict.fromkeys(" × ".join(map(str, sizes)) for sizes in possible))
            raise UserError(
                f"image size {space} does not fit the network; wanted {self._sizes}, nearest {nearest}; "
                "a model's predict takes any size"
            )


class Padded(Network):
    """A 2-D network whose output has the size of its input: zeros are added at the borders of every convolution.

    Both sizes must be a multiple of ``stride``. ``halo``: pixels around an output pixel that can influence it (the
    ``reach``), rounded up to a multiple of ``stride``.
    """

    ndim = 2
    context = (0, 0)
    stride: int

    def __init__(self, in_channels: int, dim: int, filters: tuple[int, ...], stride: int, reach: int) -> None:
        super().__init__(in_channels, dim, filters)
        self.stride, self.minimum = stride, (stride, stride)
        self.halo = math.ceil(reach / stride) * stride

    @property
    def _sizes(self) -> str:
        return f"multiples of {self.stride}"


def centre(maps: Tensor, space: Sequence[int | SymInt]) -> Tensor:
    """The middle of ``(..., *larger)``, of size ``space``: what valid convolutions leave."""
    for axis, size in zip(range(-len(space), 0), space, strict=True):
        maps = maps.narrow(axis, (maps.shape[axis] - size) // 2, size)
    return maps


def foreground_head(inputs: int, ndim: int = 2) -> nn.Sequential:
    """One-channel logits: object or background."""
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if ndim == 2 else (nn.Conv3d, nn.BatchNorm3d)
    return nn.Sequential(conv(inputs, inputs, 1), norm(inputs), nn.ReLU(), conv(inputs, 1, 1))


def initialise(network: nn.Module, slope: float = 0.0) -> None:
    """Draw the weights of convolutions as He et al. 2015 do, for leaky ReLUs of this slope; biases begin at 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, a=slope, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
