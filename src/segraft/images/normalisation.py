"""Intensities of any camera brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from segraft.errors import UserError
from segraft.images.signal import Blocks, measure, together

SOME = 2**18
"""Pixels of each image of a series of which percentiles are taken."""


@dataclass(frozen=True)
class Scale:
    """Map the low end of each channel's range to 0 and the high end to 1, pixel by pixel; below 0 is clipped."""

    ranges: tuple[tuple[float, float], ...]
    """Low and high end of each channel, in grey values."""
    compressed: bool = False
    """Whether what is above 1 becomes 1 + log x: hot pixels and debris then shout less."""
    signal: bool | None = None
    """Whether any channel of the image shows more than noise; None where that was not measured."""
    sampled: int | None = field(default=None, compare=False)
    """Of how many pixels of a channel percentiles were taken; None where of all."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Map an image ``(C, *space)`` to float32; a channel without a range becomes zeros."""
        result = np.empty(image.shape, np.float32)
        for channel, (low, high), out in zip(image, self.ranges, result, strict=True):
            out[...] = 0 if low == high else np.maximum((real(channel) - low) / (high - low), 0)
            if self.compressed:
                bright = out > 1
                out[bright] = 1 + np.log(out[bright])
        return result


def real(channel: np.ndarray) -> np.ndarray:
    """Copy a channel to a floating-point type that represents its grey values without loss."""
    # float32 holds 8- and 16-bit integers exactly; wider ones need float64 until the offset is subtracted
    wide = channel.dtype.itemsize > 2 and channel.dtype != np.float32
    return channel.astype(np.float64 if wide else np.float32)


@dataclass(frozen=True)
class Normalisation:
    """Map the low end of what each channel of each image shows to 0 and the high end to 1; below 0 is clipped.

    By default the range is that of the blocks that hold more than noise, see `segraft.images.signal`; with percentiles
    it lies between those of all pixels. Values above 1 are compressed, or stay as they are, as in models of old.
    """

    percentiles: tuple[float, float] | None = None
    """Lower and upper percentile, 0 to 100; None for the range of what the image shows."""
    compressed: bool = True
    """Whether what is above 1 becomes 1 + log x."""

    def __post_init__(self) -> None:
        """Raise ``UserError`` for percentiles that are out of order or out of range."""
        if self.percentiles is not None:
            check_percentiles(self.percentiles)

    def __call__(self, image: np.ndarray, name: str = "an image") -> np.ndarray:
        """Normalise an image ``(C, *space)`` of any real type to float32; a constant channel becomes zeros.

        ``name`` names the image in messages. Raises ``UserError`` for NaN and infinite pixels, and for types other
        than integers, booleans and floats.
        """
        return self.scale(image, name)(image)

    def scale(self, image: np.ndarray, name: str = "an image") -> Scale:
        """Measure an image ``(C, *space)`` and return its map, which applies to the whole image or any part of it.

        Raises ``UserError`` as a call does.
        """
        check_pixels(image, name)
        if self.percentiles is None:
            return of_blocks([measure(channel) for channel in image], self.compressed)
        return Scale(tuple(_between(real(channel), self.percentiles) for channel in image), self.compressed)


class Unlike(UserError):
    """An image cannot share its scale with those before."""


@dataclass
class SharedScale:
    """One scale for images that belong together: for what all of them show."""

    normalisation: Normalisation
    _seen: list[list[np.ndarray | Blocks]] = field(default_factory=list)
    _first: tuple[int, str, str] | None = None

    def add(self, image: np.ndarray, name: str = "an image") -> None:
        """Look at one of them ``(C, *space)``; of percentiles, at some of its pixels.

        Raises ``UserError`` for pixels that cannot be scaled, `Unlike` for other channels or bits than before.
        """
        check_pixels(image, name)
        self._first = self._first or (len(image), image.dtype.name, name)
        channels, kind, first = self._first
        if (len(image), image.dtype.name) != (channels, kind):
            raise Unlike(
                f"one scale for all: got {channels} channels of {kind} ({first}) and {len(image)} of "
                f"{image.dtype.name} ({name}), expected the same; take them apart, or give a range"
            )
        blocks = self.normalisation.percentiles is None
        self._seen.append([measure(channel) if blocks else _some(channel) for channel in image])

    @property
    def pixel_type(self) -> str | None:
        """Type of their pixels, "uint16" for example; None before the first."""
        return None if self._first is None else self._first[1]

    def ends(self) -> tuple[float, ...]:
        """What becomes 0 and what becomes 1, of each channel; those of one without contrast differ, too."""
        return tuple(end for low, high in self.scale().ranges for end in (low, high if high > low else low + 1))

    def scale(self) -> Scale:
        """The map for all of them; ``UserError`` where there was none."""
        if not self._seen:
            raise UserError("one scale for all: got no image that can be read, expected one at least; check the paths")
        channels, percentiles = list(zip(*self._seen, strict=True)), self.normalisation.percentiles
        if percentiles is None:
            return of_blocks([together(parts) for parts in channels], self.normalisation.compressed)
        ranges = [_between(np.concatenate(parts), percentiles) for parts in channels]
        return Scale(tuple(ranges), self.normalisation.compressed)


def of_blocks(channels: Sequence[Blocks], compressed: bool) -> Scale:
    """The map of what the blocks of each channel show."""
    return Scale(
        tuple(blocks.range() for blocks in channels), compressed, signal=any(blocks.signal for blocks in channels)
    )


def _between(values: np.ndarray, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return two percentiles of ``values``, or their extremes where the two coincide (few bright pixels).

    Reorders ``values``.
    """
    low, high = map(float, np.percentile(values, percentiles, overwrite_input=True))
    return (low, high) if low < high else (float(values.min()), float(values.max()))


def _some(channel: np.ndarray) -> np.ndarray:
    """Pixels of a channel, evenly spaced: enough for its percentiles."""
    flat = channel.reshape(-1)
    return real(flat[:: max(1, flat.size // SOME)])


def check_percentiles(percentiles: tuple[float, float]) -> None:
    """Raise ``UserError`` for percentiles that are out of order or out of range."""
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise UserError(
            f"percentiles: got {low} and {high}, expected 0 <= low < high <= 100; "
            "give the lower one first, for example 1 and 99.8"
        )


def check_type(dtype: np.dtype, name: str) -> None:
    """Raise ``UserError`` for types of pixels other than integers, booleans and floats."""
    if dtype.kind not in "iubf":
        raise UserError(f"{name}: got {dtype}, expected integers or floats; convert it")


def check_pixels(image: np.ndarray, name: str) -> None:
    """Raise ``UserError`` for NaN and infinite pixels, and for types other than integers, booleans and floats."""
    check_type(image.dtype, name)
    if image.dtype.kind == "f" and (bad := image.size - int(np.isfinite(image).sum())):
        raise UserError(
            f"{name}: got {bad} of {image.size} pixels that are NaN or infinite, expected finite numbers; "
            "fill them, with the median for example"
        )
