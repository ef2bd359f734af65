"""Borders between objects of a label image: widened for training, and as a mask."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from segraft.errors import UserError
from segraft.labels.check import UNKNOWN, check_labels
from segraft.labels.relabel import consecutive


def widen_borders(labels: np.ndarray, width: int) -> np.ndarray:
    """Mark the membranes in true labels ``(*space)`` of electron microscopy; ids are kept, the type becomes signed.

    Pixels without annotation (0) become unknown, −1; −1 stays. A pixel of an object becomes membrane, 0, where another
    object has a pixel at most ``width`` pixels away, in Chebyshev distance (a square of side ``2 · width + 1`` around
    it) within the ``(y, x)`` plane: the sections of a volume are independent. Objects can only shrink.
    Raises ``UserError`` for a negative width, for ids beyond 2⁶³ − 1, and as ``check_labels``.
    """
    labels = check_labels(labels)
    if width < 0:
        raise UserError(f"border width: got {width}, expected 0 or more pixels; give another")
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
    """Return the narrowest signed type for all ids of the type of ``labels``; int64 for uint64 whose ids fit."""
    if labels.dtype.itemsize < 8:
        return np.promote_types(labels.dtype, np.int8)
    if int(labels.max()) > np.iinfo(np.int64).max:
        raise UserError(f"labels: got ids up to {labels.max()}, expected at most 2⁶³ − 1; renumber them")
    return np.dtype(np.int64)


def boundaries(labels: np.ndarray) -> np.ndarray:
    """Return a boolean mask ``(*space)`` of the object pixels of which a direct neighbour has another label.

    Direct neighbours share an edge (in 3-D a face). Background pixels are never in the mask.
    """
    edge = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        first, last = (np.moveaxis(array, axis, 0) for array in (labels, edge))
        differs = first[1:] != first[:-1]
        last[1:] |= differs
        last[:-1] |= differs
    return edge & (labels > 0)


def between_objects(labels: np.ndarray) -> np.ndarray:
    """Return a boolean mask ``(y, x)`` of the pixels of which the right or lower neighbour is another object.

    Half of `boundaries`, and not along the background: a thin line where objects touch, for coloured areas.
    """
    edge = np.zeros(labels.shape, bool)
    for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        edge[here] |= (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
    return edge
