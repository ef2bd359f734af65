"""The scale of grey values of an image that is measured part by part, the same as of the whole image in memory.

Parts may be measured in any order, by several processes; the scale comes from what all of them found. It is exactly
that of the whole for integers, and for floats where nothing is measured from fewer pixels:

- percentiles of integers count each value; those of floats take evenly spaced pixels, `SAMPLE` of a channel at most;
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
from segraft.images.histogram import Histogram, Tally
from segraft.images.normalisation import Normalisation, Scale, check_pixels, of_blocks, real
from segraft.images.padding import Gathered
from segraft.images.signal import blocks_of
from segraft.images.survey import Survey, evenly, survey, with_margin
from segraft.images.windows import Window, in_words
from segraft.types import Space

SAMPLE = 2**22
"""Pixels of a channel of floats of which percentiles are taken, at most."""
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
    measured = {"planes": np.array(math.prod(space[:-2])), "channels": np.array(len(image))}
    for number, channel in enumerate(image):
        found = _counted(channel, region, space) if normalisation.percentiles else _surveyed(channel, region, space)
        measured |= {f"{number} {each.name}": getattr(found, each.name) for each in fields(found)}
    return measured


def _counted(channel: np.ndarray, region: Window, space: Space) -> Histogram:
    """The pixels of a region of a channel; of floats some of them."""
    if channel.dtype.kind != "f":
        return Histogram.of(channel)
    return Histogram.of(evenly(real(channel), region, space, -(-math.prod(space) // SAMPLE)))


def _surveyed(channel: np.ndarray, region: Window, space: Space) -> Survey:
    """What the blocks of a region of a channel say."""
    planes = math.prod(space[:-2])
    stack = region[0] if len(space) == 3 else slice(0, planes)
    of_planes = channel.reshape(-1, *channel.shape[-2:])
    return survey(of_planes, (stack, *region[-2:]), (planes, *space[-2:]), thin=True)


def scale_of_parts(parts: Iterable[Part], normalisation: Normalisation) -> Scale:
    """Return the scale of an image from what `measure_part` measured of all its regions, in a fixed order.

    Parts are taken one after another, and no more of them is kept than is needed. Raises ``UserError`` for none.
    """
    tallies: dict[int, Tally] = {}
    surveys: dict[int, Gathered] = {}
    for part in parts:
        for number in range(int(part["channels"])):
            if normalisation.percentiles:
                tallies.setdefault(number, Tally()).add(_taken(Histogram, part, number))
            else:
                surveys.setdefault(number, Gathered(int(part["planes"]))).add(_taken(Survey, part, number))
    if not tallies and not surveys:
        raise UserError("the scale of an image: got no part of it, expected all of them; measure them first")
    if normalisation.percentiles:
        ends = [_between(tally.total(), normalisation.percentiles) for tally in tallies.values()]
        return Scale(tuple(ends), normalisation.compressed)
    return of_blocks([blocks_of(gathered) for gathered in surveys.values()], normalisation.compressed)


def _taken(kind: type[Measured], part: Part, number: int) -> Measured:
    """What a part holds of a channel."""
    return kind(**{each.name: part[f"{number} {each.name}"] for each in fields(kind)})


def _between(pixels: Histogram, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Two percentiles, or the extremes where they coincide, as of pixels in memory."""
    low, high = (pixels.quantile(percentile / 100) for percentile in percentiles)
    return (low, high) if low < high else (float(pixels.values[0]), float(pixels.values[-1]))
