"""Values of many pixels, counted: quantiles of them all from what was counted in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

MOST = 2**18
"""Different values that a histogram `thinned` keeps."""
ROOM = 2**22
"""Values that a `Tally` holds before it merges them, unless told otherwise."""


@dataclass(frozen=True)
class Histogram:
    """Different values ``(n,)``, ascending, and how many pixels have each, int64."""

    values: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> Histogram:
        """Count pixels of any shape."""
        if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
            counts = np.bincount(pixels.reshape(-1))
            present = np.flatnonzero(counts)
            return cls(present.astype(pixels.dtype), counts[present])
        return cls(*np.unique(pixels, return_counts=True))

    @classmethod
    def together(cls, parts: Sequence[Histogram]) -> Histogram:
        """The pixels of several as those of one; at least one."""
        if len(parts) == 1:
            return parts[0]
        values, rows = np.unique(np.concatenate([part.values for part in parts]), return_inverse=True)
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, rows, np.concatenate([part.counts for part in parts]))
        return cls(values, counts)

    def quantile(self, q: float) -> float:
        """Return the quantile ``q``, 0 to 1, as `numpy.quantile` of all pixels does: linear between two pixels."""
        until = np.cumsum(self.counts)
        place = (int(until[-1]) - 1) * q
        before = int(place)
        rows = np.searchsorted(until, [before, min(before + 1, int(until[-1]) - 1)], side="right")
        low, high = self.values[rows] if self.values.dtype.kind == "f" else self.values[rows].astype(np.float64)
        part, step = place - before, float(high - low)  # as NumPy does, in the type of the pixels
        return float(low) + step * part if part < 0.5 else float(high) - step * (1 - part)

    def thinned(self) -> Histogram:
        """Keep at most `MOST` values, evenly spaced in rank of value, which stand for those up to the next."""
        every = -(-len(self.values) // MOST)
        if every == 1 or not len(self.values):
            return self
        starts = np.arange(0, len(self.values), every)
        return Histogram(self.values[starts], np.add.reduceat(self.counts, starts))


@dataclass
class Tally:
    """Histograms that come one after another, merged as memory asks for it."""

    most: int | None = None
    """Different values up to which they are held; of more none is."""
    room: int = ROOM
    """Values that are held before they are merged; more where most of them are different."""
    _held: list[Histogram] = field(default_factory=list)
    _merged: int = 0
    _many: bool = False

    def add(self, part: Histogram) -> None:
        """Count more pixels."""
        if self._many:
            return
        self._held.append(part)
        if sum(len(each.values) for each in self._held) > max(self.room, 2 * self._merged):
            self._merge()
            self._merged = sum(len(each.values) for each in self._held)

    def give_up(self) -> None:
        """Hold nothing, now and later: there are too many values."""
        self._held, self._many = [], True

    @property
    def complete(self) -> bool:
        """Whether all pixels are held: there were not too many values."""
        self._merge()
        return not self._many

    def total(self) -> Histogram:
        """All of them, if it is ``complete``; at least one."""
        self._merge()
        return self._held[0]

    def _merge(self) -> None:
        if len(self._held) > 1:
            self._held = [Histogram.together(self._held)]
        if self._held and self.most is not None and len(self._held[0].values) > self.most:
            self.give_up()
