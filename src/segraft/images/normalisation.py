"""Intensities of any camera brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.errors import UserError


@dataclass(frozen=True)
class Scale:
    """Map the low end of each channel's range to 0 and the high end to 1, pixel by pixel; below 0 is clipped."""

    ranges: tuple[tuple[float, float], ...]
    """Low and high end of each channel, in grey values."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Map an image ``(C, *space)`` to float32; a channel without a range becomes zeros."""
        result = np.empty(image.shape, np.float32)
        for channel, (low, high), out in zip(image, self.ranges, result, strict=True):
            out[...] = 0 if low == high else np.maximum((_real(channel) - low) / (high - low), 0)
        return result


def _real(channel: np.ndarray) -> np.ndarray:
    """Copy a channel to a floating-point type that represents its grey values without loss."""
    # float32 holds 8- and 16-bit integers exactly; wider ones need float64 until the offset is subtracted
    wide = channel.dtype.itemsize > 2 and channel.dtype != np.float32
    return channel.astype(np.float64 if wide else np.float32)


@dataclass(frozen=True)
class Normalisation:
    """Map the lower percentile of each channel of each image to 0 and the upper percentile to 1.

    Values below 0 are clipped, values above 1 are not: bright spots keep their contrast.
    """

    percentiles: tuple[float, float] = (1.0, 99.8)
    """Lower and upper percentile, 0 to 100."""

    def __post_init__(self) -> None:
        """Raise ``UserError`` for percentiles that are out of order or out of range."""
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise UserError(
                f"percentiles: got {low} and {high}, expected 0 <= low < high <= 100; "
                "give the lower one first, for example 1 and 99.8"
            )

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
        if image.dtype.kind not in "iubf":
            raise UserError(f"{name}: got {image.dtype}, expected integers or floats; convert it")
        if image.dtype.kind == "f" and (bad := image.size - int(np.isfinite(image).sum())):
            raise UserError(
                f"{name}: got {bad} of {image.size} pixels that are NaN or infinite, expected finite numbers; "
                "fill them, with the median for example"
            )
        return Scale(tuple(self._range(_real(channel)) for channel in image))

    def _range(self, values: np.ndarray) -> tuple[float, float]:
        """Return both percentiles of ``values``, or their extremes where the two coincide (few bright pixels).

        Reorders ``values``.
        """
        low, high = map(float, np.percentile(values, self.percentiles, overwrite_input=True))
        return (low, high) if low < high else (float(values.min()), float(values.max()))
