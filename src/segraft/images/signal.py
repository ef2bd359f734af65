"""The range of grey values that holds what an image shows, whatever lies beside it.

Percentiles of all pixels follow the share of empty area, and a few hot pixels or a piece of debris. Here an image is
cut into blocks, and only those that hold more than noise are asked: each gives its own low and high end, and the range
lies between quantiles over blocks. Single hot pixels are too few in a block, debris touches too few blocks, and empty
blocks do not count, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from segraft.images.padding import Gathered
from segraft.images.survey import survey
from segraft.images.windows import whole

NOISY = 7.0
"""A block whose ends are no more standard deviations of its noise apart holds nothing else: of noise alone, whose
pixels are independent, they are 4.65 apart."""
QUANTILES = (0.25, 0.75)
"""Over blocks: where the range begins, of their low ends, and where it ends, of their high ones."""
FAINT = 20.0
"""Standard deviations of the noise that a range spans at least where no block holds more: noise stays dark."""
STEP = 0.35
"""Noise is at least that part of the step between grey values, if not nothing holds more: rounding alone adds 0.29."""


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
            end = max(end, begin + FAINT * math.fsum(self.noise) / len(self.noise))
        return begin, end


def together(parts: Sequence[Blocks]) -> Blocks:
    """The blocks of several planes or images as those of one."""
    return Blocks(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Blocks)))


def measure(channel: np.ndarray) -> Blocks:
    """Measure a channel ``(*space)``, plane by plane; padding is left out, see `segraft.images.padding`.

    Grey values are real numbers of any type.
    """
    planes = channel.reshape(-1, *channel.shape[-2:])
    gathered = Gathered(len(planes))
    found = survey(planes, whole(planes.shape), planes.shape)
    gathered.add(found)
    gathered.look_again(found)
    return blocks_of(gathered)


def blocks_of(gathered: Gathered) -> Blocks:
    """The blocks of a channel from surveys of all its parts."""
    rows, constant = gathered.without_padding()
    low, high = (np.concatenate([rows[name], constant]) for name in ("low", "high"))
    noise = np.concatenate([rows["noise"], np.zeros(len(constant))])
    return Blocks(low, high, noise, np.full(len(low), _step(gathered.sample)))


def _step(values: np.ndarray) -> float:
    """The smallest difference of two grey values, ascending; 0 where there is but one."""
    return float(np.diff(values).min()) if len(values) > 1 else 0.0


def shows(channel: np.ndarray) -> bool:
    """Whether a channel ``(*space)`` shows more than noise."""
    return measure(channel).signal
