"""Dense tissue: segments grow back over the membranes, which a foreground trained on widened borders leaves out."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import expand_labels

from segraft.segment.arguments import clipped
from segraft.types import Stored

TOGETHER = 0.5
"""Affinity above which two pixels belong together; below, affinities of a membrane tell no more than noise does."""
PLANE = (-2, -1)
"""The axes that a section has."""


def fill(labels: np.ndarray, affinities: Stored) -> np.ndarray:
    """Grow segments over all pixels of their section that have none, in the ``(y, x)`` plane.

    Pixels that an affinity above ½ binds to one of their neighbours in plane are reached along the strongest affinities
    (watershed). What is left, of membranes whose affinities are low in all directions, joins the nearest segment. A
    section without any segment stays empty.

    Parameters
    ----------
    labels : ``(*space)``, 2-D or 3-D, 0 background
    affinities : ``(N, *space)``, the nearest offset of each axis first, clipped to [0, 1]; read one section at a time

    Returns labels ``(*space)`` of the same type. Raises ``UserError`` for NaN.
    """
    ndim = labels.ndim
    if ndim == 2:
        return _fill_section(labels, affinities[:2])
    result = labels.copy()
    for z, section in enumerate(labels):
        if section.any():
            result[z] = _fill_section(section, affinities[ndim - 2 : ndim, z])
    return result


def _fill_section(labels: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Fill one section ``(y, x)`` from the affinities ``(2, y, x)`` to the pixels above and to the left."""
    from bioimage_cpp import segmentation

    nearest = clipped(nearest)
    bound = (labels > 0) | (_strongest(nearest) > TOGETHER)
    grown = segmentation.watershed_from_affinities(nearest, ((-1, 0), (0, -1)), labels.astype(np.uint64), mask=bound)
    return expand_labels(grown, sum(labels.shape)).astype(labels.dtype)


def _strongest(nearest: np.ndarray) -> np.ndarray:
    """The strongest affinity of each pixel ``(*space)`` to one of its four neighbours in plane; of ``(2, *space)``."""
    strongest = np.zeros(nearest.shape[1:], np.float32)
    for axis, affinity in zip(PLANE, nearest, strict=True):
        lines, edges = np.moveaxis(strongest, axis, 0), np.moveaxis(affinity, axis, 0)[1:]
        np.maximum(lines[1:], edges, out=lines[1:])
        np.maximum(lines[:-1], edges, out=lines[:-1])
    return strongest


def relevant(labels: np.ndarray, vanishing: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Keep the affinities that ``fill`` will look at, should some segments vanish before; all others become 0.

    They are few and compress well, to be filled from later, with the same result as from all.

    Parameters
    ----------
    labels : ``(*space)``, 0 background
    vanishing : ``(*space)``, the pixels of segments that may vanish
    nearest : ``(ndim, *space)``, clipped to [0, 1]

    Returns affinities ``(ndim, *space)``.
    """
    free = (labels == 0) | vanishing
    reached = (labels > 0) | (_strongest(nearest[-2:]) > TOGETHER)
    kept = np.zeros_like(nearest)
    for axis in PLANE:
        ends, own, into = (np.moveaxis(each, axis, 0) for each in (free, nearest[axis], kept[axis]))
        inside = np.moveaxis(reached, axis, 0)
        looked_at = (ends[1:] | ends[:-1]) & inside[1:] & inside[:-1]
        np.copyto(into[1:], own[1:], where=looked_at)
    return kept
