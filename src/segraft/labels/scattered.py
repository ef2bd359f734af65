"""Objects in pieces that lie far apart, as where numbers are used again for other cells."""

from __future__ import annotations

import numpy as np

from segraft.labels.relabel import components, consecutive

LARGE = 0.1
"""Part of an object's largest piece from which on another piece counts; smaller ones are stray pixels."""


def scattered(labels: np.ndarray) -> tuple[int, int]:
    """Return how many objects of labels ``(*space)`` are in pieces far apart, and how many objects there are.

    Far is a piece whose box lies farther from that of the object's largest piece than this one is wide, as a disc or
    ball. What another object crosses has its pieces nearer than that.
    """
    from scipy.ndimage import find_objects

    pieces, numbers = components(labels), consecutive(labels)
    count = int(pieces.max(initial=0))
    if count <= 0:
        return 0, 0
    objects = np.zeros(count + 1, numbers.dtype)
    objects[pieces.clip(0)] = numbers
    sizes = np.bincount(pieces[pieces > 0], minlength=count + 1)[1:]
    boxes = np.array([[(axis.start, axis.stop) for axis in box] for box in find_objects(pieces.clip(0))])
    largest = _largest(objects[1:], sizes)
    begin, end = boxes[..., 0], boxes[..., 1]
    gaps = np.maximum(begin - end[largest], begin[largest] - end).clip(0)
    far = (np.linalg.norm(gaps, axis=1) > _width(sizes[largest], labels.ndim)) & (sizes >= LARGE * sizes[largest])
    return len(np.unique(objects[1:][far])), int(numbers.max())


def _largest(objects: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return for each piece the place of its object's largest one, from the pieces' objects and sizes."""
    order = np.lexsort((-sizes, objects))
    _, first, places = np.unique(objects[order], return_index=True, return_inverse=True)
    result = np.empty(len(order), np.intp)
    result[order] = order[first][places]
    return result


def _width(sizes: np.ndarray, ndim: int) -> np.ndarray:
    """Diameter of the disc or ball of these sizes."""
    return 2 * (np.sqrt(sizes / np.pi) if ndim == 2 else np.cbrt(3 * sizes / (4 * np.pi)))
