"""Where a segmentation errs: split, merged, missed and invented objects, pixel by pixel (as Fig. 2 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.labels.check import UNKNOWN
from segraft.labels.mistakes import Mistakes, mistakes

BACKGROUND, CORRECT, OUTLINE, SPLIT, MERGED, MISSED, FALSE, UNKNOWN_TRUTH = range(8)
"""Classes of pixels. ``OUTLINE``: foreground in one of the two images only, without any of the errors that follow."""


@dataclass(frozen=True)
class ErrorMap(Mistakes):
    """The mistakes, and where they are: ``classes (*space)`` uint8."""

    classes: np.ndarray


def error_map(predicted: np.ndarray, truth: np.ndarray) -> ErrorMap:
    """Classify the pixels of a predicted label image ``(*space)`` by `segraft.labels.mistakes.mistakes`.

    Where a pixel lies in both, merged goes before split.
    """
    found = mistakes(predicted, truth)
    inside, object_here = predicted > 0, truth > 0
    classes = np.full(truth.shape, BACKGROUND, np.uint8)
    classes[inside != object_here] = OUTLINE
    classes[inside & object_here] = CORRECT
    classes[np.isin(truth, found.split) & inside] = SPLIT
    classes[np.isin(predicted, found.merged) & object_here] = MERGED
    classes[np.isin(truth, found.missed)] = MISSED
    classes[np.isin(predicted, found.false)] = FALSE
    classes[truth == UNKNOWN] = UNKNOWN_TRUTH
    return ErrorMap(found.split, found.merged, found.missed, found.false, classes)
