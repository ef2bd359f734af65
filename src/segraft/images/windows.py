"""Windows of arrays, which may reach beyond the border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def crop(array: np.ndarray, start: Sequence[int], shape: Sequence[int], outside: int | None) -> np.ndarray:
    """Cut a window of the last axes; beyond the border the array is mirrored, or ``outside`` is written."""
    extents = array.shape[-len(shape) :]
    window = [range(first, first + size) for first, size in zip(start, shape, strict=True)]
    if all(r.start >= 0 and r.stop <= extent for r, extent in zip(window, extents, strict=True)):
        inside: tuple[Any, ...] = (..., *(slice(r.start, r.stop) for r in window))
        return array[inside]
    indices = [np.array(r) for r in window]
    mirrored = [_mirror(index, extent) for index, extent in zip(indices, extents, strict=True)]
    mesh: tuple[Any, ...] = (..., *np.ix_(*mirrored))
    cut = array[mesh]
    if outside is not None:
        for axis, (index, extent) in enumerate(zip(indices, extents, strict=True), start=-len(shape)):
            np.moveaxis(cut, axis, 0)[(index < 0) | (index >= extent)] = outside
    return cut


def _mirror(index: np.ndarray, extent: int) -> np.ndarray:
    """Indices beyond ``0 .. extent - 1`` reflected about the border pixels, as often as it takes."""
    period = max(2 * (extent - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if extent > 1 else np.zeros_like(index)
