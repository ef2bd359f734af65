"""Where a segmentation errs: split, merged, missed and invented objects, pixel by pixel (as Fig. 2 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.labels.check import UNKNOWN
from segraft.labels.contingency import contingency

BACKGROUND, CORRECT, OUTLINE, SPLIT, MERGED, MISSED, FALSE, UNKNOWN_TRUTH = range(8)
"""Classes of pixels. ``OUTLINE``: foreground in one of the two images only, without any of the errors that follow."""


@dataclass(frozen=True)
class ErrorMap:
    """``classes (*space)`` uint8, and the ids of true objects split or missed, of predicted ones merged or false."""

    classes: np.ndarray
    split: np.ndarray
    merged: np.ndarray
    missed: np.ndarray
    false: np.ndarray


def error_map(predicted: np.ndarray, truth: np.ndarray) -> ErrorMap:
    """Classify the errors of a predicted label image ``(*space)`` by largest overlaps.

    Each object belongs to the segment of the other image, background among them, with which it shares most pixels. A
    true object is split when two or more predicted ones belong to it; a predicted object is merged when two or
    more true ones belong to it. An object that belongs to the background, and to which no object belongs, is missed
    if it is true, false if it is predicted. Where a pixel lies in both, merged goes before split.
    """
    table = contingency(predicted, truth)
    seen, seen_home = _homes(table.predicted_ids, table.truth_ids, table.counts)
    real, real_home = _homes(table.truth_ids, table.predicted_ids, table.counts)
    split, merged = _chosen_twice(seen_home), _chosen_twice(real_home)
    missed = real[(real_home == 0) & ~np.isin(real, seen_home)]
    false = seen[(seen_home == 0) & ~np.isin(seen, real_home)]
    inside, object_here = predicted > 0, truth > 0
    classes = np.full(truth.shape, BACKGROUND, np.uint8)
    classes[inside != object_here] = OUTLINE
    classes[inside & object_here] = CORRECT
    classes[np.isin(truth, split) & inside] = SPLIT
    classes[np.isin(predicted, merged) & object_here] = MERGED
    classes[np.isin(truth, missed)] = MISSED
    classes[np.isin(predicted, false)] = FALSE
    classes[truth == UNKNOWN] = UNKNOWN_TRUTH
    return ErrorMap(classes, split, merged, missed, false)


def _homes(ids: np.ndarray, others: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each object and the segment it belongs to; of equal overlaps an object, then the lower id, is taken."""
    order = np.lexsort((others, others == 0, -counts, ids))
    order = order[ids[order] > 0]
    objects, first = np.unique(ids[order], return_index=True)
    return objects, others[order][first]


def _chosen_twice(homes: np.ndarray) -> np.ndarray:
    """Objects to which two or more others belong."""
    ids, times = np.unique(homes[homes > 0], return_counts=True)
    return ids[times > 1]
