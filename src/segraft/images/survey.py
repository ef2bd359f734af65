"""What the blocks of an image say of its grey values, looked at part by part.

Blocks are squares of 32 pixels in plane. One belongs to the part of the image in which it begins, and may reach beyond
it. What decides on padding needs all blocks of a plane: of each part that is kept which may decide for the plane.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segraft.images.histogram import Histogram
from segraft.images.windows import Window
from segraft.types import Space

BLOCK = 32
"""Side of a block in pixels, in plane."""
ENDS = (0.01, 0.99)
"""Quantiles of a block's pixels that are its low and its high end: robust against 10 hot or dead ones."""
NEIGHBOUR = 3
"""Distance of the pixels whose differences tell noise: that of nearer ones is smoothed away by optics and resizing."""
WITHIN = 0.6827
"""Part of a normal distribution within one standard deviation of its mean."""
SOME = 4096
"""Pixels that tell the step between grey values."""
MOST_BLOCKS = 2**22
"""Blocks of a channel that are looked at: of more, every second, third and so on."""

ROW = np.dtype([("plane", np.int64)] + [(name, np.float64) for name in (
    "lowest", "highest", "low", "high", "below", "above", "noise"
)])  # fmt: skip
"""A block with contrast: its plane, extreme pixels, its ends (pixels), the quantiles `ENDS`, and its noise."""
PLANE = np.dtype([("plane", np.int64)] + [(name, np.float64) for name in (
    "lowest", "highest", "flat_lowest", "flat_highest", "first", "value"
)])  # fmt: skip
"""A plane: its extreme pixels, the extreme values of blocks without contrast (±inf where there is none), and of the
first of these its number and value."""
GROUP = np.dtype([("plane", np.int64), ("lowest", np.float64), ("highest", np.float64), ("size", np.int64)])
"""Blocks of a plane with contrast that hold the lowest pixel of the plane, the highest, or both, else NaN; and how many
values their histogram has."""


@dataclass(frozen=True)
class Survey:
    """What the blocks of a part of a channel say."""

    rows: np.ndarray
    """Blocks with contrast, `ROW`."""
    planes: np.ndarray
    """Planes, `PLANE`."""
    groups: np.ndarray
    """Blocks that may hold padding, `GROUP`."""
    values: np.ndarray
    """Grey values of the groups' histograms, one after another."""
    counts: np.ndarray
    """Pixels of each of the values."""
    sample: np.ndarray
    """Different grey values of evenly spaced pixels."""

    def histograms(self) -> Iterator[Histogram]:
        """That of each group."""
        ends = np.cumsum(self.groups["size"])
        for start, end in zip(ends - self.groups["size"], ends, strict=True):
            yield Histogram(self.values[start:end], self.counts[start:end])


def with_margin(region: Window, space: Space) -> Window:
    """The pixels of the blocks that begin in a region of an image ``(*space)``, with those of the region."""
    ends = [min(side.stop + BLOCK - 1, size) for side, size in zip(region[-2:], space[-2:], strict=True)]
    return (*region[:-2], *(slice(side.start, end) for side, end in zip(region[-2:], ends, strict=True)))


def survey(pixels: np.ndarray, region: Window, space: Space, thin: bool = False) -> Survey:
    """Look at a region of a channel ``(z, y, x)``, a slice per axis, given its pixels `with_margin`, real numbers.

    With ``thin``, histograms of grey values beyond a quarter of a million are thinned.
    """
    pixels = pixels.view(np.uint8) if pixels.dtype == bool else pixels
    sides = [min(BLOCK, size) for size in space[-2:]]
    places = [_places(size, side, of) for size, side, of in zip(space[-2:], sides, region[-2:], strict=True)]
    per_plane = math.prod(len(_starts(size, side)) for size, side in zip(space[-2:], sides, strict=True))
    columns = len(_starts(space[-1], sides[-1]))
    every = -(-per_plane * space[0] // MOST_BLOCKS)
    numbers = (places[0][0][:, None] * columns + places[1][0]).reshape(-1)
    rows, planes, groups, found = [], [], [], []
    for number, plane in zip(range(region[0].start, region[0].stop), pixels, strict=True):
        chosen = (number * per_plane + numbers) % every == 0
        if not chosen.any():
            continue
        blocks = _cut(plane, sides, [starts for _, starts in places])[chosen]
        looked = _Plane(number, blocks, numbers[chosen])
        rows.append(looked.rows())
        planes.append(looked.summary())
        for group, histogram in looked.groups():
            found.append(histogram.thinned() if thin else histogram)
            groups.append((number, *group, len(found[-1].values)))
    inside = pixels[:, : region[-2].stop - region[-2].start, : region[-1].stop - region[-1].start]
    return Survey(
        np.concatenate([np.empty(0, ROW), *rows]),
        np.array(planes, PLANE),
        np.array(groups, GROUP),
        np.concatenate([np.empty(0, pixels.dtype), *(each.values for each in found)]),
        np.concatenate([np.empty(0, np.int64), *(each.counts for each in found)]),
        np.unique(evenly(inside, region, space, max(1, math.prod(space) // SOME))).astype(np.float64),
    )


def _starts(size: int, side: int) -> np.ndarray:
    """Where blocks begin along an axis; the last one overlaps another where none is left."""
    regular = np.arange(0, size - side + 1, side)
    return regular if regular[-1] == size - side else np.append(regular, size - side)


def _places(size: int, side: int, region: slice) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the blocks along an axis that begin in a region, and where in it."""
    starts = _starts(size, side)
    numbers = np.flatnonzero((starts >= region.start) & (starts < region.stop))
    return numbers, starts[numbers] - region.start


def _cut(plane: np.ndarray, sides: list[int], starts: list[np.ndarray]) -> np.ndarray:
    """Blocks ``(n, y, x)`` of a plane."""
    views = np.lib.stride_tricks.sliding_window_view(plane, sides)
    return views[np.ix_(*starts)].reshape(-1, *sides)


def evenly(pixels: np.ndarray, region: Window, space: Space, every: int) -> np.ndarray:
    """Of the pixels of a region of an image ``(*space)`` those ``(n,)`` whose number in the image ``every`` divides."""
    if every == 1:
        return pixels.reshape(-1)
    lines = pixels.reshape(-1, pixels.shape[-1])
    index = np.indices(pixels.shape[:-1]).reshape(pixels.ndim - 1, -1)
    starts = [side.start for side in region]
    line = np.ravel_multi_index(tuple(index + np.array(starts[:-1])[:, None]), space[:-1])
    first = -(line * space[-1] + starts[-1]) % every
    found = []
    for shift in range(0, lines.shape[1], every):
        inside = np.flatnonzero(first + shift < lines.shape[1])
        found.append(lines[inside, first[inside] + shift])
    return np.concatenate(found)


class _Plane:
    """Blocks ``(n, y, x)`` of a plane, with their numbers in it."""

    def __init__(self, number: int, blocks: np.ndarray, numbers: np.ndarray) -> None:
        self.number, self.blocks, self.numbers = number, blocks, numbers
        self.flat = blocks.reshape(len(blocks), -1)
        self.lowest, self.highest = self.flat.min(1), self.flat.max(1)
        self.varied = self.lowest < self.highest

    def rows(self) -> np.ndarray:
        """The blocks with contrast, `ROW`."""
        flat = self.flat[self.varied]
        rows = np.empty(len(flat), ROW)
        rows["plane"], rows["lowest"], rows["highest"] = (
            self.number,
            self.lowest[self.varied],
            self.highest[self.varied],
        )
        if len(flat):
            ends = _order(flat)
            for name, place in zip(("low", "high"), (round(q * (flat.shape[1] - 1)) for q in ENDS), strict=True):
                rows[name] = ends[place]
            for name, q in zip(("below", "above"), ENDS, strict=True):
                rows[name] = _between(ends, q * (flat.shape[1] - 1))
            rows["noise"] = noise(self.blocks[self.varied])
        return rows

    def summary(self) -> tuple[float, ...]:
        """The plane, `PLANE`."""
        flat = self.lowest[~self.varied].astype(np.float64)
        ends = float(self.lowest.min()), float(self.highest.max()), flat.min(initial=np.inf), flat.max(initial=-np.inf)
        first = (self.numbers[~self.varied][0], flat[0]) if len(flat) else (np.inf, 0.0)
        return (float(self.number), *map(float, ends), *map(float, first))

    def groups(self) -> Iterator[tuple[tuple[float, float], Histogram]]:
        """The blocks with contrast that hold the lowest pixel, the highest or both: which, and their pixels."""
        lowest, highest = self.lowest.min(), self.highest.max()
        low, high = self.varied & (self.lowest == lowest), self.varied & (self.highest == highest)
        for chosen, ends in (
            (low & ~high, (float(lowest), np.nan)),
            (high & ~low, (np.nan, float(highest))),
            (low & high, (float(lowest), float(highest))),
        ):
            if chosen.any():
                yield ends, Histogram.of(self.flat[chosen])


def _order(flat: np.ndarray) -> dict[int, np.ndarray]:
    """The pixels of blocks ``(n, pixels)`` by rank, those that `ENDS` need."""
    last = flat.shape[1] - 1
    ranks = sorted({rank for q in ENDS for rank in (round(q * last), math.floor(q * last), math.ceil(q * last))})
    sorted_there = np.partition(flat, ranks, axis=1)
    return {rank: sorted_there[:, rank].astype(np.float64) for rank in ranks}


def _between(ends: dict[int, np.ndarray], place: float) -> np.ndarray:
    """The quantile of each block at a place between two ranks."""
    low, high = ends[math.floor(place)], ends[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def noise(blocks: np.ndarray) -> np.ndarray:
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
