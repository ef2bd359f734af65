"""What a network costs at any window, known without the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from segraft.errors import UserError
from segraft.types import Geometry, Space

NEAR, FAR = 32, 64
"""Strides beyond the smallest window at which a cost is looked at."""


@dataclass(frozen=True)
class Multilinear:
    """A function of the sides of a window that is affine in each of them.

    The multiply-adds of convolutions are one, exactly: every layer's output has sides that are affine in the window's.
    ``near`` and ``far`` are two sides per axis; ``values (2^ndim,)`` those at all corners between them, the last axis
    first.
    """

    near: Space
    far: Space
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse corners that do not span a box."""
        spans = len(self.near) == len(self.far) and all(a < b for a, b in zip(self.near, self.far, strict=False))
        if not spans or len(self.values) != 2 ** len(self.near):
            raise UserError(
                f"costs: got {len(self.values)} between {self.near} and {self.far}, expected one per corner of a box"
            )

    @classmethod
    def of(cls, cost: Callable[[Space], float], geometry: Geometry) -> Multilinear:
        """Look at a cost at the corners of a box of windows that a network takes."""
        near, far = (
            tuple(least + count * stride for least, stride in zip(geometry.minimum, geometry.stride, strict=True))
            for count in (NEAR, FAR)
        )
        return cls(near, far, tuple(round(cost(corner)) for corner in product(*zip(near, far, strict=True))))

    def at(self, window: Sequence[int]) -> int:
        """The value for a window ``(*w)``."""
        boxes = list(zip(window, self.near, self.far, strict=True))
        whole = prod(far - near for _, near, far in boxes)
        corners = product(*((far - side, side - near) for side, near, far in boxes))
        return round(sum(prod(part) * value for part, value in zip(corners, self.values, strict=True)) / whole)
