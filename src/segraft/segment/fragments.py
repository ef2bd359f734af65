"""Fragments: many small watersheds, each inside one object, which other segmenters join to instances."""

from __future__ import annotations

import numpy as np

from segraft.labels.relabel import remove_small


def absorb_small(labels: np.ndarray, minimum: int, attraction: np.ndarray) -> np.ndarray:
    """Give the pixels of instances below ``minimum`` pixels to the larger ones, strongest ``attraction`` first.

    Edge pixels whose affinities disagree fall out of their object as fragments: removing those would leave holes.
    Fragments that reach no larger instance become background. ``attraction`` is ``(ndim, *space)``.
    """
    from bioimage_cpp import segmentation

    large = remove_small(labels, minimum)
    if np.array_equal(large, labels):
        return labels
    return segmentation.watershed(1 - attraction.mean(0), large, mask=labels > 0)
