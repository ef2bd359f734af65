"""Blocks of an image without padding, as beside a turned slide, from surveys of its parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from segraft.images.histogram import Histogram
from segraft.images.survey import ROW, Survey

FREE = 0.25
"""Part of the blocks that is at least free of padding."""
NEAR = 0.05
"""Quantile of the pixels beside a value that tells whether objects fade into it."""
BATCH = 64
"""Histograms of a plane that are held before they are merged."""
Group = tuple[float, float, Histogram]
"""Blocks of a plane that hold the lowest pixel, the highest, or both, else NaN, and their pixels."""


class Gathered:
    """Surveys of all parts of a channel of so many planes, whatever their order.

    Each is added; then each is looked at once more, for histograms of those planes that may be padded, which are few.
    """

    def __init__(self, planes: int) -> None:
        self.lowest, self.flat_lowest, self.first = (np.full(planes, np.inf) for _ in range(3))
        self.highest, self.flat_highest = (np.full(planes, -np.inf) for _ in range(2))
        self.value = np.zeros(planes)
        self.sample = np.empty(0)
        """Different grey values of evenly spaced pixels."""
        self._rows = [np.empty(0, ROW)]
        self._groups: defaultdict[int, list[Group]] = defaultdict(list)

    def add(self, survey: Survey) -> None:
        """Take note of a part."""
        self._rows.append(survey.rows)
        self.sample = np.union1d(self.sample, survey.sample)
        planes = survey.planes
        place = planes["plane"]
        for name in ("lowest", "flat_lowest"):
            np.minimum.at(getattr(self, name), place, planes[name])
        for name in ("highest", "flat_highest"):
            np.maximum.at(getattr(self, name), place, planes[name])
        earlier = planes[planes["first"] < self.first[place]]
        self.first[earlier["plane"]], self.value[earlier["plane"]] = earlier["first"], earlier["value"]

    @property
    def doubtful(self) -> np.ndarray:
        """Which planes may be padded ``(planes,)``: they have blocks of an extreme value alone."""
        even = (self.flat_lowest == self.lowest) | (self.flat_highest == self.highest)
        return even & np.isfinite(self.lowest)

    def look_again(self, survey: Survey) -> None:
        """Take what a part, all of which are added, holds of the extreme pixels of planes that may be padded."""
        doubtful = self.doubtful
        for group, histogram in zip(survey.groups, survey.histograms(), strict=True):
            plane, lowest, highest = int(group["plane"]), float(group["lowest"]), float(group["highest"])
            if doubtful[plane] and (lowest == self.lowest[plane] or highest == self.highest[plane]):
                self._groups[plane].append((lowest, highest, histogram))
                if len(self._groups[plane]) > BATCH:
                    self._groups[plane] = list(self._kept(plane))

    def _kept(self, plane: int) -> Iterator[Group]:
        """The groups of a plane that may decide, one of each kind."""
        kinds: defaultdict[tuple[bool, bool], list[Histogram]] = defaultdict(list)
        for lowest, highest, histogram in self._groups[plane]:
            kinds[lowest == self.lowest[plane], highest == self.highest[plane]].append(histogram)
        for (low, high), found in kinds.items():
            if low or high:
                ends = (self.lowest[plane] if low else np.nan, self.highest[plane] if high else np.nan)
                merged = found[0] if len(found) == 1 else Histogram.together(found).thinned()
                yield float(ends[0]), float(ends[1]), merged

    def without_padding(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the blocks with contrast that hold no padding, `ROW`, and the values of planes without contrast.

        Of a plane without contrast that is its first block.
        """
        rows = np.concatenate(self._rows)
        rows = rows[np.argsort(rows["plane"], kind="stable")]
        keep = np.ones(len(rows), bool)
        varied = np.unique(rows["plane"])
        for plane in varied[self.doubtful[varied]]:
            start, stop = np.searchsorted(rows["plane"], [plane, plane + 1])
            keep[start:stop] = self._free(int(plane), rows[start:stop])
        constant = np.isfinite(self.first)
        constant[varied] = False
        return rows[keep], self.value[constant]

    def _free(self, plane: int, rows: np.ndarray) -> np.ndarray:
        """Which blocks of a plane, `ROW`, hold no padding."""
        groups = list(self._kept(plane))
        lowest, highest = self.lowest[plane], self.highest[plane]
        free = rows["lowest"] > lowest
        low = [histogram for low, _, histogram in groups if low == lowest]
        keep = np.ones(len(rows), bool)
        padded = self.flat_lowest[plane] == lowest and _is_padding(lowest, low, rows["below"][free] - lowest, len(rows))
        if padded:
            keep = free
        high = [each for low, high, each in groups if high == highest and not (padded and low == lowest)]
        free = keep & (rows["highest"] < highest)
        away = highest - rows["above"][free]
        padded = self.flat_highest[plane] == highest and _is_padding(highest, high, away, int(keep.sum()))
        return free if padded else keep


def _is_padding(value: float, mixed: Sequence[Histogram], away: np.ndarray, blocks: int) -> bool:
    """Whether a value is padding: blocks are free of it, their darker ends so far ``away``, or ``mixed`` with it.

    Enough of the blocks are free of it, and those that are not have nothing in between, as a camera's offset is above
    black. A background that was set to zero is none: objects fade into it, and few blocks lie within objects.
    """
    if not mixed or len(away) < FREE * blocks:
        return False
    pixels = Histogram.together(mixed)
    distances = np.abs(pixels.values.astype(np.float64) - value)
    order = np.argsort(distances)[1:]  # the first is the value itself
    beside = Histogram(distances[order], pixels.counts[order])
    return beside.quantile(NEAR) > float(np.median(away)) / 2
