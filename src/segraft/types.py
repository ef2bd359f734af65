"""What travels between rooms without PyTorch. ``*space`` is ``(y, x)`` or ``(z, y, x)``; sizes are in pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from segraft.errors import UserError

Space = tuple[int, ...]
"""One size per axis of ``*space``."""
Offsets = tuple[tuple[int, ...], ...]
"""Displacement vectors in pixels, one per affinity channel, in array order."""


@runtime_checkable
class Stored(Protocol):
    """A NumPy array, or one in a file (h5py, zarr), of which boxes are read and written."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, box: Any, /) -> Any: ...

    def __setitem__(self, box: Any, values: Any, /) -> None: ...


@dataclass(frozen=True)
class Sample:
    """One image as stored, ``(C, *space)``, with its label image ``(*space)`` where there is one.

    ``voxel_size`` is in nm per axis of ``*space``, None where it is not known.
    """

    image: np.ndarray
    labels: np.ndarray | None
    name: str
    voxel_size: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Geometry:
    """All that tiling, memory planning and runners know of a network; every size is in pixels, one per axis of space.

    An input has ``minimum + k · stride`` pixels per axis; the output is ``margin`` pixels smaller on each side. Two
    windows of one image, a multiple of ``stride`` apart, give the same at every pixel that lies at least ``halo``
    inside both outputs, or on whose near side the window ends with the image.
    """

    ndim: int
    """Axes of space, 2 or 3."""
    in_channels: int
    dim: int
    """Channels of the embedding."""
    stride: Space
    margin: Space
    """What valid convolutions lose on each side; 0 for networks that pad."""
    minimum: Space
    """Smallest input."""
    halo: Space
    """Pixels around an output pixel that padding at a window's border can reach; 0 for valid networks."""

    def __post_init__(self) -> None:
        """Refuse sizes that are not one per axis."""
        sizes = (self.stride, self.margin, self.minimum, self.halo)
        if any(len(each) != self.ndim for each in sizes):
            raise UserError(f"geometry: got {sizes} for {self.ndim} axes of space, expected one size per axis")

    def input_size(self, output: Space) -> Space:
        """Return the smallest possible input ``(*space)`` whose output covers ``output``."""
        return self.nearest_input(
            tuple(size + 2 * lost for size, lost in zip(output, self.margin, strict=True)), math.ceil
        )

    def nearest_input(self, space: Space, rounding: Callable[[float], int]) -> Space:
        """Return the possible input size next to ``space``, rounded up (``math.ceil``) or down (``math.floor``)."""
        axes = zip(space, self.minimum, self.stride, strict=True)
        return tuple(least + max(0, rounding((size - least) / stride)) * stride for size, least, stride in axes)

    def check_input(self, shape: Sequence) -> None:  # of integers, or of symbols where a network is exported
        """Raise ``UserError`` for the shape of an input ``(B, C, *space)`` that the network cannot take."""
        if len(shape) != self.ndim + 2 or shape[1] != self.in_channels:
            axes = ", ".join("zyx"[-self.ndim :])
            raise UserError(f"network input: got shape {tuple(shape)}, expected (batch, {self.in_channels}, {axes})")
        space = tuple(shape[2:])
        fits = zip(space, self.minimum, self.stride, strict=True)
        if any(size < least or (size - least) % stride for size, least, stride in fits):
            nearest = (self.nearest_input(space, rounding) for rounding in (math.floor, math.ceil))
            sizes = " or ".join(dict.fromkeys(" × ".join(map(str, each)) for each in nearest))
            raise UserError(
                f"image size: got {space}, expected {self._possible_sizes()}, nearest {sizes}; "
                "use a model's predict, which takes any size"
            )

    def _possible_sizes(self) -> str:
        """The possible input sizes, in words."""
        if self.minimum == self.stride and len(set(self.stride)) == 1:
            return f"multiples of {self.stride[0]}"
        axes = zip(self.minimum, self.stride, strict=True)
        return " × ".join(f"({least}, {least + stride}, {least + 2 * stride}, …)" for least, stride in axes)
