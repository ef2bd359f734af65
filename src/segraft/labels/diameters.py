"""How large objects are, in one number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def typical_diameter(pixels: np.ndarray, ndim: int) -> float | None:
    """Median diameter of objects of so many pixels ``(n,)``, as of disks (``ndim`` 2) or balls; None without any."""
    if not pixels.size:
        return None
    middle = float(np.median(pixels))
    return 2 * (middle / np.pi) ** 0.5 if ndim == 2 else float(np.cbrt(6 * middle / np.pi))


def typical_of_images(images: Iterable[np.ndarray], ndim: int) -> float | None:
    """Median, over images, of their typical diameters, from the pixels of their objects; None without any."""
    found = [each for pixels in images if (each := typical_diameter(pixels, ndim)) is not None]
    return round(float(np.median(found)), 1) if found else None
