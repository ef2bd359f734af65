"""Borders between objects of a label image: drawn, and widened for training."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from segraft.errors import UserError
from segraft.labels.check import UNKNOWN, check_labels
from segraft.labels.relabel import consecutive


def widen_borders(labels: np.ndarray, width: int) -> np.ndarray:
    """Make true labels of electron microscopy say where membranes are; ids stay, the type becomes signed.

    Where nothing was drawn (0) the truth is unknown: −1, as it is where −1 came. A pixel of an object is membrane, 0,
    where another object has a pixel at most ``width`` away, in Chebyshev distance (a square of ``2 · width + 1``
    pixels about it) within the ``(y, x)`` plane: of a volume each section counts alone. Objects can only shrink.
    Raises ``UserError`` for a negative width, for ids beyond 2⁶³ − 1, or as ``check_labels``.
    """
    labels = check_labels(labels)
    if width < 0:
        raise UserError(f"border width came as {width}; wanted 0 or more pixels")
    result = labels.astype(_signed(labels), order="C")
    for plane in result.reshape(-1, *labels.shape[-2:]):
        numbers = consecutive(plane)  # ids of any size would not survive the filters, which compute in float64
        empty = numbers == 0
        size = 2 * width + 1
        highest = maximum_filter(numbers, size, mode="nearest")
        lowest = minimum_filter(np.where(empty, numbers.max(), numbers), size, mode="nearest")
        plane[lowest != highest] = 0
        plane[empty] = UNKNOWN
    return result


def _signed(labels: np.ndarray) -> np.dtype:
    """Narrowest signed type for all ids of the type of ``labels``; uint64 is taken where its ids leave it room."""
    if labels.dtype.itemsize < 8:
        return np.promote_types(labels.dtype, np.int8)
    if int(labels.max()) > np.iinfo(np.int64).max:
        raise UserError(f"labels go up to {labels.max()}; wanted ids up to 2⁶³ − 1; renumber them")
    return np.dtype(np.int64)


def boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels of objects with a neighbour (by an edge) of another label; boolean, shaped as ``labels``."""
    edge = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        first, last = (np.moveaxis(array, axis, 0) for array in (labels, edge))
        differs = first[1:] != first[:-1]
        last[1:] |= differs
        last[:-1] |= differs
    return edge & (labels > 0)
