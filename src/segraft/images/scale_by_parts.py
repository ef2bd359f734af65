"""The scale of grey values of an image that is measured part by part, the same as of the whole image in memory.

Parts may be measured in any order, by several processes; the scale comes from what all of them found. It is exactly
that of the whole for integers, and for floats where nothing is measured from fewer pixels:

- percentiles of integers count each value, where there are no more than a quarter of a million different ones, as in 8
  and 16 bits; those of others, and of floats, take evenly spaced pixels, `SAMPLE` of a channel at most;
- without percentiles, of a channel of more than `segraft.images.survey.MOST_BLOCKS` blocks of 32 × 32 pixels every
  second, third and so on is looked at, in memory as well; and floats, or integers of 32 bits, of which more than a
  quarter of a million different values may be padding, count a part of these values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TypeVar

import numpy as np

from segraft.errors import UserError
from segraft.images.histogram import MOST, Histogram, Tally
from segraft.images.normalisation import Normalisation, Scale, check_pixels, of_blocks, real
from segraft.images.padding import Gathered
from segraft.images.signal import blocks_of
from segraft.images.survey import Survey, evenly, survey, with_margin
from segraft.images.windows import Window, in_words
from segraft.types import Space

SAMPLE = 2**22
"""Pixels of a channel of which percentiles are taken, at most, where values are too many to count them all."""
ALL, SOME = "all", "some"
"""What a histogram counts: all pixels, or evenly spaced ones."""
Read = Callable[[Window], np.ndarray]
"""Reads a window of an image, a slice per axis of space: ``(C, *window)``."""
Part = Mapping[str, np.ndarray]
"""What was measured of a part of an image; `numpy.savez` stores it."""
Measured = TypeVar("Measured", Histogram, Survey)


def measure_part(
    read: Read, region: Window, space: Space, normalisation: Normalisation, name: str = "an image"
) -> dict[str, np.ndarray]:
    """Measure a region, a slice per axis, of an image whose axes of space have the sizes ``space``.

    Without percentiles up to 31 pixels beyond the region are read. Together, regions cover the image once. Raises
    ``UserError``, with the place, for NaN and infinite pixels.
    """
    window = region if normalisation.percentiles else with_margin(region, space)
    image = read(window)
    check_pixels(image, f"{name}, {in_words(window)}")
    image = image.view(np.uint8) if image.dtype == bool else image
    about = {"planes": math.prod(space[:-2]), "channels": len(image), "every": _every(space)}
    measured = {name: np.array(number) for name, number in about.items()}
    for number, channel in enumerate(image):
        if normalisation.percentiles:
            for pixels, histogram in _counted(channel, region, space).items():
                measured |= _named(f"{number} {pixels}", histogram)
        else:
            measured |= _named(f"{number}", _surveyed(channel, region, space))
    return measured


def _named(name: str, found: Histogram | Survey) -> dict[str, np.ndarray]:
    """The arrays of what was measured, by a name before their own."""
    return {f"{name} {each.name}": getattr(found, each.name) for each in fields(found)}


def _counted(channel: np.ndarray, region: Window, space: Space) -> dict[str, Histogram]:
    """The pixels of a region of a channel: `ALL` of integers of few values, and `SOME` of types that may have many."""
    integers, every = channel.dtype.kind != "f", _every(space)
    if integers and channel.dtype.itemsize <= 2:
        return {ALL: Histogram.of(channel)}
    found = {SOME: Histogram.of(evenly(channel if integers else real(channel), region, space, every))}
    if integers and every > 1 and len((whole := Histogram.of(channel)).values) <= MOST:
        found[ALL] = whole
    return found


def _every(space: Space) -> int:
    """Of `SOME` pixels of an image, each is the next but so many."""
    return -(-math.prod(space) // SAMPLE)


def _surveyed(channel: np.ndarray, region: Window, space: Space) -> Survey:
    """What the blocks of a region of a channel say."""
    planes = math.prod(space[:-2])
    stack = region[0] if len(space) == 3 else slice(0, planes)
    of_planes = channel.reshape(-1, *channel.shape[-2:])
    return survey(of_planes, (stack, *region[-2:]), (planes, *space[-2:]), thin=True)


def scale_of_parts(read_parts: Callable[[], Iterable[Part]], normalisation: Normalisation) -> Scale:
    """Return the scale of an image from what `measure_part` measured of all its regions, in a fixed order.

    Parts are read one after another, without percentiles up to twice, and no more of them is kept than is needed.
    Raises ``UserError`` for none.
    """
    counts: dict[int, _Counts] = {}
    surveys: dict[int, Gathered] = {}
    for part in read_parts():
        for number in range(int(part["channels"])):
            if normalisation.percentiles:
                counts.setdefault(number, _Counts()).add(part, number)
            else:
                surveys.setdefault(number, Gathered(int(part["planes"]))).add(_taken(Survey, part, f"{number}"))
    if not counts and not surveys:
        raise UserError("the scale of an image: got no part of it, expected all of them; measure them first")
    if normalisation.percentiles:
        found = [each.total() for each in counts.values()]
        ends = tuple(_between(histogram, normalisation.percentiles) for histogram, _ in found)
        return Scale(ends, normalisation.compressed, sampled=next((number for _, number in found if number), None))
    for part in read_parts() if any(each.doubtful.any() for each in surveys.values()) else ():
        for number, gathered in surveys.items():
            gathered.look_again(_taken(Survey, part, f"{number}"))
    return of_blocks([blocks_of(gathered) for gathered in surveys.values()], normalisation.compressed)


class _Counts:
    """The pixels of a channel from all parts: all of them while they have few values, and some where there may be many.

    Which of them are taken depends on the image alone, not on its parts.
    """

    def __init__(self) -> None:
        self.all, self.some, self.every = Tally(MOST, 4 * MOST), Tally(), 1

    def add(self, part: Part, number: int) -> None:
        """Count those of a part."""
        self.every = int(part["every"])
        for name, tally in ((ALL, self.all), (SOME, self.some)):
            if f"{number} {name} values" in part:
                tally.add(_taken(Histogram, part, f"{number} {name}"))
            else:
                tally.give_up()

    def total(self) -> tuple[Histogram, int | None]:
        """The pixels that are taken; and how many they are, if not all."""
        whole = self.all.complete
        pixels = (self.all if whole else self.some).total()
        return pixels, None if whole or self.every == 1 else int(pixels.counts.sum())


def _taken(kind: type[Measured], part: Part, name: str) -> Measured:
    """What a part holds by a name, of a channel."""
    return kind(**{each.name: part[f"{name} {each.name}"] for each in fields(kind)})


def _between(pixels: Histogram, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Two percentiles, or the extremes where they coincide, as of pixels in memory."""
    low, high = (pixels.quantile(percentile / 100) for percentile in percentiles)
    return (low, high) if low < high else (float(pixels.values[0]), float(pixels.values[-1]))
