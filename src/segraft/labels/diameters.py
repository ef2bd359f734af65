"""How large objects are, in one number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

RANGE = (10, 50, 90)
"""Percentiles, over images, of the typical diameter of their objects."""


def typical_diameter(pixels: np.ndarray, ndim: int) -> float | None:
    """Median diameter of objects of so many pixels ``(n,)``, as of disks (``ndim`` 2) or balls; None without any."""
    if not pixels.size:
        return None
    middle = float(np.median(pixels))
    return 2 * (middle / np.pi) ** 0.5 if ndim == 2 else float(np.cbrt(6 * middle / np.pi))


def diameter_range(images: Iterable[np.ndarray], ndim: int) -> tuple[float, ...] | None:
    """The percentiles ``RANGE`` of the images' typical diameters, from pixels of their objects; None without any."""
    found = [each for pixels in images if (each := typical_diameter(pixels, ndim)) is not None]
    return tuple(round(float(each), 1) for each in np.percentile(found, RANGE)) if found else None
