"""Below which size a segment is a fragment: by default, what no true object of the training images is."""

from __future__ import annotations

import numpy as np

SMALLEST = 10
"""Pixels below which a segment of an image counts as a fragment."""
FRAGMENT = 0.05
"""Part of the median object's size below which a segment of a volume does."""
SMALL = 5
"""Percentile of the objects' sizes that stands for the small ones: the smallest of all may be a slip of the pen."""


def usual_minimum(sizes: np.ndarray, ndim: int) -> int:
    """The default minimum size for objects of sizes ``(n,)``, in pixels: never more than half of a small object."""
    if not sizes.size:
        return SMALLEST if ndim == 2 else 0
    fragment = SMALLEST if ndim == 2 else round(float(np.median(sizes)) * FRAGMENT)
    return min(fragment, int(np.percentile(sizes, SMALL, method="lower")) // 2)


def note_smaller(sizes: np.ndarray, minimum: int) -> str:
    """Say how many objects lie below a minimum size; empty where none does."""
    smaller = int(np.count_nonzero(sizes < minimum))
    if not smaller:
        return ""
    return (
        f"note: {smaller} of {len(sizes)} training objects have fewer pixels than the minimum size, {minimum}: such "
        "segments join others or vanish; a lower --minimum-size keeps them"
    )
