"""The range of grey values that holds what an image shows, whatever lies beside it.

Percentiles of all pixels follow the share of empty area, and a few hot pixels or a piece of debris. Here an image is
cut into blocks, and only those that hold more than noise are asked: each gives its own low and high end, and the range
lies between quantiles over blocks. Single hot pixels are too few in a block, debris touches too few blocks, and empty
blocks do not count, however many they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

BLOCK = 32
"""Side of a block in pixels, in plane."""
ENDS = (0.01, 0.99)
"""Quantiles of a block's pixels that are its low and its high end: robust against 10 hot or dead ones."""
NOISY = 7.0
"""A block whose ends are no more standard deviations of its noise apart holds nothing else: of noise alone, whose
pixels are independent, they are 4.65 apart."""
QUANTILES = (0.25, 0.75)
"""Over blocks: where the range begins, of their low ends, and where it ends, of their high ones."""
FAINT = 20.0
"""Standard deviations of the noise that a range spans at least where no block holds more: noise stays dark."""
STEP = 0.35
"""Noise is at least that part of the step between grey values, if not nothing holds more: rounding alone adds 0.29."""
SOME = 4096
"""Pixels that tell the step between grey values."""
NEIGHBOUR = 3
"""Distance of the pixels whose differences tell noise: that of nearer ones is smoothed away by optics and resizing."""
FREE = 0.25
"""Part of the blocks that is at least free of padding."""
WITHIN = 0.6827
"""Part of a normal distribution within one standard deviation of its mean."""


@dataclass(frozen=True)
class Blocks:
    """What blocks of a channel say, one number each."""

    low: np.ndarray
    high: np.ndarray
    noise: np.ndarray
    """Standard deviation."""
    step: np.ndarray
    """Between neighbouring grey values of the channel."""

    @property
    def hold(self) -> np.ndarray:
        """Which blocks hold more than noise."""
        spread = self.high - self.low
        clear = spread > NOISY * np.maximum(self.noise, STEP * self.step)
        return clear if clear.any() else spread > NOISY * self.noise  # a picture of two or three grey values

    @property
    def signal(self) -> bool:
        """Whether any block holds more than noise."""
        return bool(self.hold.any())

    def range(self) -> tuple[float, float]:
        """Low and high end of what the image shows; both the same where all pixels are equal."""
        chosen = self.hold if self.signal else np.ones(len(self.low), bool)
        low, high = self.low[chosen], self.high[chosen]
        begin, end = (float(np.quantile(ends, q)) for ends, q in zip((low, high), QUANTILES, strict=True))
        if not self.signal:
            end = max(end, begin + FAINT * float(np.mean(self.noise)))
        return begin, end


def together(parts: Sequence[Blocks]) -> Blocks:
    """The blocks of several planes or images as those of one."""
    return Blocks(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Blocks)))


def measure(channel: np.ndarray) -> Blocks:
    """Measure a channel ``(*space)``, plane by plane; padding is left out, see `_without_padding`.

    Grey values are real numbers of any type.
    """
    channel = channel.view(np.uint8) if channel.dtype == bool else channel
    planes, step = channel.reshape(-1, *channel.shape[-2:]), _step(channel)
    return together([_of_pixels(_without_padding(_cut(plane)), step) for plane in planes])


def _step(channel: np.ndarray) -> float:
    """The smallest difference of two grey values, 0 where there is but one; whatever type they are stored in."""
    flat = channel.reshape(-1)
    values = np.unique(flat[:: max(1, flat.size // SOME)].astype(np.float64))
    return float(np.diff(values).min()) if len(values) > 1 else 0.0


def shows(channel: np.ndarray) -> bool:
    """Whether a channel ``(*space)`` shows more than noise."""
    return measure(channel).signal


def _cut(plane: np.ndarray) -> np.ndarray:
    """Blocks ``(n, y, x)`` that cover a plane; the last of each row and column overlap others where none is left."""
    sides = [min(BLOCK, size) for size in plane.shape]
    views = np.lib.stride_tricks.sliding_window_view(plane, sides)
    starts = [_starts(size, side) for size, side in zip(plane.shape, sides, strict=True)]
    return views[np.ix_(*starts)].reshape(-1, *sides)


def _starts(size: int, side: int) -> list[int]:
    regular = list(range(0, size - side + 1, side))
    return regular if regular[-1] == size - side else [*regular, size - side]


def _without_padding(blocks: np.ndarray) -> np.ndarray:
    """Leave out blocks ``(n, y, x)`` without contrast, and those that hold padding, as beside a turned slide.

    One block at least is left.
    """
    flat = blocks.reshape(len(blocks), -1)
    lowest, highest = flat.min(1), flat.max(1)
    varied = lowest < highest
    for value, of_blocks in ((lowest.min(), lowest), (highest.max(), highest)):
        mixed = varied & (of_blocks == value)
        free = varied & ~mixed
        if ((lowest == value) & (highest == value)).any() and _is_padding(float(value), flat[mixed], flat[free]):
            varied = free
    return blocks[varied] if varied.any() else blocks[:1]


def _is_padding(value: float, mixed: np.ndarray, free: np.ndarray) -> bool:
    """Whether a value is padding, of which blocks ``(n, pixels)`` are free, or mixed with it.

    Enough blocks are free of it, and those that are not have nothing in between, as a camera's offset is above black.
    A background that was set to zero is none: objects fade into it, and few blocks lie within objects.
    """
    if not len(mixed) or len(free) < FREE * (len(mixed) + len(free)):
        return False
    sign = 1.0 if value <= free.min() else -1.0
    away, usual = sign * (mixed.astype(np.float64) - value), sign * (free.astype(np.float64) - value)
    beside = away[away > 0]
    return bool(np.quantile(beside, 0.05) > np.median(np.quantile(usual, ENDS[0], axis=1)) / 2)


def _of_pixels(blocks: np.ndarray, step: float) -> Blocks:
    """Ends and noise of blocks ``(n, y, x)``."""
    flat = blocks.reshape(len(blocks), -1)
    places = [min(round(q * (flat.shape[1] - 1)), flat.shape[1] - 1) for q in ENDS]
    ends = np.partition(flat, places, axis=1)[:, places].astype(np.float64)
    return Blocks(ends[:, 0], ends[:, 1], _noise(blocks), np.full(len(blocks), step))


def _noise(blocks: np.ndarray) -> np.ndarray:
    """Standard deviation of each block's noise, from differences of near pixels ``(n, y, x)``.

    Where most of these are 0, as of few photons, from their mean.
    """
    real: np.ndarray = blocks.astype(np.float64 if blocks.dtype.itemsize > 4 else np.float32)
    across = np.abs(real[:, ::2, NEIGHBOUR:] - real[:, ::2, :-NEIGHBOUR]).reshape(len(blocks), -1)
    if not across.shape[1]:
        return np.zeros(len(blocks))
    place = round(WITHIN * (across.shape[1] - 1))
    usual = np.partition(across, place, axis=1)[:, place].astype(np.float64) / np.sqrt(2)
    return np.where(usual > 0, usual, across.mean(1, dtype=np.float64) * np.sqrt(np.pi) / 2)
