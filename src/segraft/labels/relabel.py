"""Renumbering label images and removing small instances from them."""

from __future__ import annotations

import numpy as np

from segraft.labels.check import UNKNOWN

SPARSE = 4
"""Ids above this many times the number of pixels are looked up by sorting, not in a table of all ids."""


def id_dtype(largest: int) -> type[np.unsignedinteger]:
    """Return the type of a label image whose ids go up to ``largest``: ``uint32``, or ``uint64`` beyond its range."""
    return np.uint32 if largest <= np.iinfo(np.uint32).max else np.uint64


def consecutive(labels: np.ndarray) -> np.ndarray:
    """Renumber the instances of labels ``(*space)`` to 1..n in the order of their ids.

    Returns ``uint32`` (``uint64`` beyond 2³²). Background stays 0. Unknown pixels (−1) become background, because the
    result is unsigned.
    """
    ids, rows, _ = id_table(labels)
    instance = ids > 0
    numbers = np.cumsum(instance) * instance
    return numbers.astype(id_dtype(int(instance.sum())))[rows]


def following(labels: np.ndarray, count: int) -> np.ndarray:
    """Labels ``(*space)`` with numbers above those of ``count`` others, uint64; 0 stays."""
    return np.where(labels > 0, labels.astype(np.uint64) + np.uint64(count), np.uint64(0))


def components(labels: np.ndarray) -> np.ndarray:
    """Number the connected pieces of labels ``(*space)``, int32: neighbours of equal label, also diagonal ones.

    0 and −1 stay.
    """
    from skimage.measure import label

    pieces = label(consecutive(labels), background=0, connectivity=labels.ndim).astype(np.int32)
    pieces[labels == UNKNOWN] = UNKNOWN
    return pieces


def remove_small(labels: np.ndarray, minimum: int) -> np.ndarray:
    """Set instances of fewer than ``minimum`` pixels of labels ``(*space)`` to 0; other ids and the type are kept."""
    ids, rows, sizes = id_table(labels)
    return np.where((ids > 0) & (sizes < minimum), np.zeros_like(ids), ids)[rows]


def id_table(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct ids ``(ids,)`` ascending, each pixel's row among them ``(*space)``, and the ids' sizes."""
    lowest, largest = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if largest - lowest > SPARSE * labels.size or largest > np.iinfo(np.intp).max:
        ids, rows, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return ids, rows.reshape(labels.shape), sizes
    rows = labels.astype(np.intp)
    rows -= lowest
    sizes = np.bincount(rows.ravel())
    present = sizes > 0
    ids = (np.flatnonzero(present) + lowest).astype(labels.dtype)
    return ids, (np.cumsum(present) - 1)[rows], sizes[present]
