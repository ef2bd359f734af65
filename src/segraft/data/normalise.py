"""Intensities of any camera brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.errors import UserError


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
        if image.dtype.kind not in "iubf":
            raise UserError(f"{name} came as {image.dtype}; wanted integers or floats; convert it")
        if image.dtype.kind == "f" and (bad := image.size - int(np.isfinite(image).sum())):
            raise UserError(
                f"{name} has {bad} of {image.size} pixels that are NaN or infinite; wanted finite numbers; "
                "fill them, with the median for example"
            )
        result = np.empty(image.shape, np.float32)
        for channel, out in zip(image, result, strict=True):
            out[...] = self._scale(channel)
        return result

    def _scale(self, channel: np.ndarray) -> np.ndarray:
        """Scale one channel; where the percentiles coincide (few bright pixels on black) by its extremes."""
        # float32 holds 8- and 16-bit integers exactly; wider ones need float64 until the offset is gone
        wide = channel.dtype.itemsize > 2 and channel.dtype != np.float32
        values: np.ndarray = channel.astype(np.float64 if wide else np.float32)
        low, high = map(float, np.percentile(values, (self.low, self.high)))
        if low == high:
            low, high = float(values.min()), float(values.max())
        if low == high:
            return np.zeros(channel.shape, np.float32)
        return np.maximum((values - low) / (high - low), 0)
