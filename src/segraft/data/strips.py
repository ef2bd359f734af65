"""Training and validation on the same few images: each gives a strip that training does not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segraft.types import Sample

FEW = 2
"""Images up to which whole ones are too many to set aside."""
SHARE = 0.25
"""Part of an image for validation."""


def strip(sample: Sample, split: str) -> Sample:
    """Return the end of a sample's longest axis for the split ``val``, and the rest of it for ``train``.

    The end has a quarter of the pixels in objects, or of all pixels where there is no object, for a strip of background
    would choose no model. The two parts are disjoint: an object that lies across is cut.
    """
    space = sample.image.shape[1:]
    axis = int(np.argmax(space))
    cut = _cut(sample.labels, space[axis], axis)
    part = slice(cut, None) if split == "val" else slice(None, cut)
    box = tuple(part if each == axis else slice(None) for each in range(len(space)))
    labels = None if sample.labels is None else sample.labels[box]
    return replace(sample, image=sample.image[(slice(None), *box)], labels=labels)


def _cut(labels: np.ndarray | None, side: int, axis: int) -> int:
    """Where along an axis of this many pixels the strip begins; no part is empty unless there is one pixel alone."""
    weights = np.ones(side)
    if labels is not None and (labels > 0).any():
        weights = np.count_nonzero(np.moveaxis(labels, axis, 0) > 0, axis=tuple(range(1, labels.ndim))).astype(float)
    before = np.cumsum(weights)
    cut = int(np.searchsorted(before, (1 - SHARE) * before[-1])) + 1
    return max(min(cut, side - 1), min(1, side - 1))
