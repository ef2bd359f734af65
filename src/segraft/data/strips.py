"""Training and validation on the same few images: each gives a strip that training does not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segraft.types import Sample

FEW = 2
"""Images up to which whole ones are too many to set aside."""
SHARE = 4
"""One part in so many is for validation."""


def strip(sample: Sample, split: str) -> Sample:
    """Return the last quarter of a sample's longest axis for the split ``val``, and the rest of it for ``train``.

    The two are disjoint: an object that lies across is cut. At least one pixel along that axis is for validation.
    """
    space = sample.image.shape[1:]
    axis = int(np.argmax(space))
    cut = space[axis] - max(1, space[axis] // SHARE)
    part = slice(cut, None) if split == "val" else slice(None, cut)
    box = tuple(part if each == axis else slice(None) for each in range(len(space)))
    labels = None if sample.labels is None else sample.labels[box]
    return replace(sample, image=sample.image[(slice(None), *box)], labels=labels)
