"""Intensities of any camera brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.errors import UserError


@dataclass(frozen=True)
class Scale:
    """Map each channel's ``(low, high)`` of ``ranges`` to 0 and 1, pixel by pixel; below 0 is clipped."""

    ranges: tuple[tuple[float, float], ...]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Map an image ``(C, *space)`` to float32; a channel without a range becomes zeros."""
        result = np.empty(image.shape, np.float32)
        for channel, (low, high), out in zip(image, self.ranges, result, strict=True):
            out[...] = 0 if low == high else np.maximum((_real(channel) - low) / (high - low), 0)
        return result


def _real(channel: np.ndarray) -> np.ndarray:
    """A copy in floating point that loses nothing of what the offset, once subtracted, leaves."""
    # float32 holds 8- and 16-bit integers exactly; wider ones need float64 until the offset is gone
    wide = channel.dtype.itemsize > 2 and channel.dtype != np.float32
    return channel.astype(np.float64 if wide else np.float32)


@dataclass(frozen=True)
class Normalisation:
    """Map the ``low`` percentile of each channel of each image to 0 and the ``high`` percentile to 1.

    Below 0 is clipped, above 1 is not: bright spots keep their contrast.
    """

    low: float = 1.0
    high: float = 99.8

    def __post_init__(self) -> None:
        """Refuse percentiles out of order."""
        if not 0 <= self.low < self.high <= 100:
            raise UserError(f"percentiles came as {self.low} and {self.high}; wanted 0 <= low < high <= 100")

    def __call__(self, image: np.ndarray, name: str = "an image") -> np.ndarray:
        """Normalise an image ``(C, *space)`` of any real type to float32; a constant channel becomes zeros.

        ``name`` names the image in messages. Raises ``UserError`` for NaN and infinite pixels and for types that
        are no real numbers.
        """
        return self.scale(image, name)(image)

    def scale(self, image: np.ndarray, name: str = "an image") -> Scale:
        """Measure an image ``(C, *space)``: its map, for the whole or any part of it. Raises as a call does."""
        if image.dtype.kind not in "iubf":
            raise UserError(f"{name} came as {image.dtype}; wanted integers or floats; convert it")
        if image.dtype.kind == "f" and (bad := image.size - int(np.isfinite(image).sum())):
            raise UserError(
                f"{name} has {bad} of {image.size} pixels that are NaN or infinite; wanted finite numbers; "
                "fill them, with the median for example"
            )
        return Scale(tuple(self._range(_real(channel)) for channel in image))

    def _range(self, values: np.ndarray) -> tuple[float, float]:
        """Both percentiles of ``values``, whose order is lost; where they coincide (few bright pixels) the extremes."""
        low, high = map(float, np.percentile(values, (self.low, self.high), overwrite_input=True))
        return (low, high) if low < high else (float(values.min()), float(values.max()))
