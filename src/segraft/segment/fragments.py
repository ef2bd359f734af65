"""Small fragments, which join the larger segments that they touch."""

from __future__ import annotations

import numpy as np

from segraft.labels.relabel import remove_small


def absorb_small(labels: np.ndarray, minimum: int, attraction: np.ndarray) -> np.ndarray:
    """Give the pixels of instances below ``minimum`` pixels to the larger ones, strongest ``attraction`` first.

    Edge pixels whose affinities disagree become fragments of their own; removing them would leave holes in objects.
    Fragments that touch no larger instance, also not through others, become background. ``labels`` are ``(*space)``,
    ``attraction`` ``(ndim, *space)`` in [0, 1].
    """
    from bioimage_cpp import segmentation

    large = remove_small(labels, minimum)
    if np.array_equal(large, labels):
        return labels
    return segmentation.watershed(1 - attraction.mean(0), large, mask=labels > 0)
